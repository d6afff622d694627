/** Chains and rules as values. A backend renders them; nothing here knows a firewall's syntax. */
import type { Action, PortRange, Protocol } from '../calc/model.ts';

export type Side = 'source' | 'destination';

/** Names of the kernel's tables that we write to. */
export type TableName = 'filter' | 'raw' | 'nat' | 'mangle';

/** The kernel's own chains. */
export type HookName = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';

export type Match =
  | { readonly kind: 'protocol'; readonly protocol: Protocol; readonly not?: true }
  /** Exact name, or with a trailing `+` every name that begins so. */
  | { readonly kind: 'in-interface' | 'out-interface'; readonly name: string }
  | { readonly kind: 'net'; readonly side: Side; readonly net: string; readonly not?: true }
  /** `with: 'port'` looks up (address, protocol, port), else the address. */
  | {
      readonly kind: 'set';
      readonly side: Side;
      readonly set: string;
      readonly with: 'address' | 'port';
      readonly not?: true;
    }
  /** At most 15 slots, a range taking two (the kernel's multiport match). Needs a protocol match beside it. */
  | {
      readonly kind: 'ports';
      readonly side: Side;
      readonly ranges: readonly PortRange[];
      readonly not?: true;
    }
  /** ICMP or ICMPv6 as the family of the table. Needs its protocol match beside it. */
  | { readonly kind: 'icmp'; readonly type: number; readonly code?: number; readonly not?: true }
  /** All bits of the mask are as in `value`. */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  | { readonly kind: 'mark-clear'; readonly mask: number }
  | { readonly kind: 'mark-not-clear'; readonly mask: number }
  | { readonly kind: 'conntrack'; readonly states: string }
  /** Its connection's destination has been changed on the way (DNAT). */
  | { readonly kind: 'destination-changed'; readonly not?: true }
  /** No more often than this, of all packets that come so far; `burst` at once. */
  | {
      readonly kind: 'limit';
      readonly rate: number;
      readonly per: 'second' | 'minute' | 'hour' | 'day';
      readonly burst: number;
    }
  /** The route back to the source does not leave by the interface the packet came from. */
  | { readonly kind: 'rpf-failed' };

export type Verdict =
  /** `notrack`: the packet belongs to no connection; on to the next rule. In the raw table alone. */
  /** `reject`: dropped, and the sender is told that nobody listens there. */
  | { readonly kind: 'accept' | 'drop' | 'reject' | 'return' | 'notrack' }
  /** To the address of the interface that it leaves by. Ports need a protocol match beside it. */
  | { readonly kind: 'masquerade'; readonly ports?: PortRange }
  | { readonly kind: 'snat'; readonly address: string; readonly ports?: PortRange }
  | { readonly kind: 'dnat'; readonly address: string }
  /** The verdict of the called chain; RETURN there comes back after `jump` and passes our caller on `goto`. */
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'set-mark'; readonly value: number; readonly mask: number }
  | { readonly kind: 'clear-mark'; readonly mask: number }
  | { readonly kind: 'log'; readonly prefix: string }
  /**
   * Goto of the chain that the map has for the packet's interface; on to the next rule where it has none. Only made for
   * a backend with verdict maps: see dispatch.ts.
   */
  | { readonly kind: 'dispatch'; readonly by: 'in-interface' | 'out-interface'; readonly map: string };

export interface Rule {
  readonly matches: readonly Match[];
  /** Undefined: only counts and carries comments. */
  readonly verdict?: Verdict;
  readonly comments?: readonly string[];
  /** What its counter counts the packets of. It says nothing to the kernel. */
  readonly counts?: Counted;
}

/** A rule of a policy or profile, or where nothing of a tier or of all profiles decided. */
export interface Counted {
  /** As the user wrote it: `spec.ingress[2]`, `spec.defaultAction` of a tier. */
  readonly field: string;
  readonly action: Action;
  /** Name of the tier that ends; of all profiles together undefined. */
  readonly tier?: string;
}

export interface Chain {
  readonly name: string;
  readonly rules: readonly Rule[];
}

/** What we add to one of the kernel's own chains, among the rules of others. */
export interface Hook {
  readonly chain: HookName;
  /** Stay before every other rule of the chain. */
  readonly first: readonly Rule[];
  /** Come after {@link first}, wherever others put theirs. */
  readonly last: readonly Rule[];
}

export function rule(matches: readonly Match[], verdict: Verdict, ...comments: readonly string[]): Rule {
  return comments.length === 0 ? { matches, verdict } : { matches, verdict, comments };
}

/** The chains a rule sends packets to. */
export function references(rules: readonly Rule[]): readonly string[] {
  const names: string[] = [];
  for (const { verdict } of rules) {
    if (verdict !== undefined && (verdict.kind === 'jump' || verdict.kind === 'goto'))
      names.push(verdict.chain);
  }
  return names;
}
