/**
 * What a rule of nf_tables is made of: expressions that load a register, compare it, look it up, or decide. Pure
 * values, so that what we wrote and what the kernel reports can be compared.
 *
 * Octets are hexadecimal text, in the order in which the kernel compares them: packet fields in network order, marks
 * and connection states in the machine's.
 */

import type { IpVersion } from '../../../addr/index.ts';

/** 0 is the verdict; 1 to 4 hold 16 octets; 8 to 23 are their quarters, of which the kernel names 8, 12, 16, 20 by 1 to 4. */
export type Register = number;

export type MetaKey = 'mark' | 'iifname' | 'oifname' | 'nfproto' | 'l4proto';

export type VerdictCode = 'accept' | 'drop' | 'continue' | 'return' | 'jump' | 'goto';

export interface NftVerdict {
  readonly code: VerdictCode;
  /** Of jump and goto. */
  readonly chain?: string;
}

/** First and last port to choose from, in network order. */
export interface PortRegisters {
  readonly from: Register;
  readonly to: Register;
}

export type Expression =
  | {
      readonly kind: 'payload';
      readonly base: 'network' | 'transport';
      readonly offset: number;
      readonly length: number;
      readonly register: Register;
    }
  | { readonly kind: 'meta'; readonly key: MetaKey; readonly register: Register }
  | { readonly kind: 'meta-set'; readonly key: MetaKey; readonly register: Register }
  | { readonly kind: 'ct-state'; readonly register: Register }
  /** Bits of enum ip_conntrack_status. */
  | { readonly kind: 'ct-status'; readonly register: Register }
  | { readonly kind: 'cmp'; readonly op: 'eq' | 'neq'; readonly register: Register; readonly data: string }
  | {
      readonly kind: 'range';
      readonly op: 'eq' | 'neq';
      readonly register: Register;
      readonly from: string;
      readonly to: string;
    }
  /** `register = (register & mask) ^ xor`. */
  | {
      readonly kind: 'bitwise';
      readonly register: Register;
      readonly length: number;
      readonly mask: string;
      readonly xor: string;
    }
  /** In a named set. */
  | {
      readonly kind: 'lookup';
      readonly register: Register;
      readonly set: string;
      readonly invert: boolean;
    }
  /** The verdict that a map has for the register; on to the next rule where it has none. */
  | { readonly kind: 'verdict-map'; readonly register: Register; readonly map: string }
  /** Interface of the route to the packet's source, as seen with its mark and from its interface; 0 where there is none. */
  | { readonly kind: 'fib-source-route'; readonly register: Register }
  | { readonly kind: 'counter'; readonly packets: bigint; readonly bytes: bigint }
  | { readonly kind: 'limit'; readonly rate: number; readonly perSeconds: number; readonly burst: number }
  | { readonly kind: 'log'; readonly prefix: string; readonly level: number }
  | { readonly kind: 'load'; readonly register: Register; readonly data: string }
  | { readonly kind: 'masquerade'; readonly ports?: PortRegisters }
  | {
      readonly kind: 'nat';
      readonly type: 'snat' | 'dnat';
      readonly version: IpVersion;
      /** Holds the address that is put in the place of the old one. */
      readonly address: Register;
      readonly ports?: PortRegisters;
    }
  /** Dropped, and answered with "port unreachable". */
  | { readonly kind: 'reject'; readonly version: IpVersion }
  /** The packet belongs to no connection. Only before connections are looked up. */
  | { readonly kind: 'notrack' }
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict }
  /** A match of iptables, as iptables-nft has them: hexadecimal octets of its struct. */
  | { readonly kind: 'match'; readonly name: string; readonly revision: number; readonly info: string }
  /** One that is not known here: never ours. */
  | { readonly kind: 'unknown'; readonly name: string };

/** Equal for expressions that do the same; what a counter has counted does not matter. */
export function expressionsKey(expressions: readonly Expression[]): string {
  return expressions.map(expressionKey).join(' ');
}

function expressionKey(each: Expression): string {
  switch (each.kind) {
    case 'payload':
      return `[payload ${each.base} ${each.offset}+${each.length} ${each.register}]`;
    case 'meta':
    case 'meta-set':
      return `[${each.kind} ${each.key} ${each.register}]`;
    case 'cmp':
      return `[cmp ${each.op} ${each.register} ${each.data}]`;
    case 'range':
      return `[range ${each.op} ${each.register} ${each.from} ${each.to}]`;
    case 'bitwise':
      return `[bitwise ${each.register} ${each.length} ${each.mask} ${each.xor}]`;
    case 'lookup':
      return `[lookup ${each.register} ${each.invert ? '!' : ''}${each.set}]`;
    case 'verdict-map':
      return `[vmap ${each.register} ${each.map}]`;
    case 'limit':
      return `[limit ${each.rate}/${each.perSeconds} ${each.burst}]`;
    case 'log':
      return `[log ${each.level} ${each.prefix}]`;
    case 'verdict':
      return `[${each.verdict.code} ${each.verdict.chain ?? ''}]`;
    case 'match':
      return `[match ${each.name}.${each.revision} ${each.info}]`;
    case 'unknown':
      return `[?${each.name}]`;
    case 'ct-state':
    case 'ct-status':
    case 'fib-source-route':
      return `[${each.kind} ${each.register}]`;
    case 'load':
      return `[load ${each.register} ${each.data}]`;
    case 'masquerade':
      return `[masquerade ${portsKey(each.ports)}]`;
    case 'nat':
      return `[${each.type} ${each.version} ${each.address} ${portsKey(each.ports)}]`;
    case 'reject':
      return `[reject ${each.version}]`;
    case 'counter':
    case 'notrack':
      return `[${each.kind}]`;
  }
}

function portsKey(ports: PortRegisters | undefined): string {
  return ports === undefined ? '' : `${ports.from}-${ports.to}`;
}
