/** Tables, chains, rules, sets and elements of nf_tables as values, and what a transaction can do to them. */
import type { Expression, NftVerdict } from './expression.ts';

export type NftFamily = 'ip' | 'ip6' | 'inet';

export interface TableRef {
  readonly family: NftFamily;
  readonly name: string;
}

export type NftHook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

/** What makes a chain one that packets come to by themselves. */
export interface BaseChain {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: NftHook;
  /** Lower is earlier. */
  readonly priority: number;
  /** What becomes of packets that no rule decides; absent: they are accepted. */
  readonly policy?: 'drop';
}

export interface NftChain {
  readonly name: string;
  readonly base?: BaseChain;
}

/** What a set's key is, as the nft tool shows it. */
export type KeyType = 'ipv4_addr' | 'ipv6_addr' | 'inet_proto' | 'inet_service' | 'ifname';

export interface NftSet {
  readonly name: string;
  /** Several make a concatenation, each part padded to four octets. */
  readonly key: readonly KeyType[];
  /** Elements are ranges of keys. */
  readonly interval?: boolean;
  /** Each key has a verdict. */
  readonly verdicts?: boolean;
  /** More elements are refused; absent: no limit. */
  readonly size?: number;
  /** Of the ways to keep so many elements, the kernel takes the one that needs the least memory, not the quickest. */
  readonly frugal?: boolean;
}

export interface NftElement {
  /** Hexadecimal octets. */
  readonly key: string;
  /** Of an interval set: the first key behind the range; absent where the range goes to the end of all keys. */
  readonly end?: string;
  readonly verdict?: NftVerdict;
}

export interface NftRule {
  readonly chain: string;
  readonly expressions: readonly Expression[];
  /** At most 127 octets. */
  readonly comment?: string;
  /** One for all rules with these very expressions: how they are written is found out once. */
  readonly written?: WrittenExpressions;
}

export interface WrittenExpressions {
  octets: Uint8Array | undefined;
}

export interface ListedRule extends NftRule {
  /** Names the rule inside its table, for ever. */
  readonly handle: bigint;
}

export type NftOperation =
  | { readonly op: 'add-table' | 'delete-table'; readonly table: TableRef }
  /** A chain or set of that name and make is no failure. */
  | { readonly op: 'add-chain'; readonly table: TableRef; readonly chain: NftChain }
  | { readonly op: 'delete-chain' | 'flush-chain'; readonly table: TableRef; readonly chain: string }
  /** Behind the chain's other rules. */
  | { readonly op: 'add-rule'; readonly table: TableRef; readonly rule: NftRule }
  | {
      readonly op: 'delete-rule';
      readonly table: TableRef;
      readonly chain: string;
      readonly handle: bigint;
    }
  | { readonly op: 'add-set'; readonly table: TableRef; readonly set: NftSet }
  | { readonly op: 'delete-set' | 'flush-set'; readonly table: TableRef; readonly set: string }
  | {
      readonly op: 'add-elements' | 'delete-elements';
      readonly table: TableRef;
      readonly set: string;
      readonly elements: readonly NftElement[];
    };
