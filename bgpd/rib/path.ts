/**
 * One way to reach prefixes: who told us, what they said, what our import policy made of it.
 *
 * A path is one advertisement, shared by all prefixes it was made for: a peer that says something else, or a policy
 * that makes something else of it, makes a new object. So consumers compare paths by identity, and what they work out
 * for one prefix holds for all prefixes of the path, unless they looked at the prefix.
 */
import type { Address } from '../../net/addr/index.ts';
import type { NextHop } from '../wire/types.ts';
import type { AttributeSet } from './attributes.ts';

/** Where paths come from. Two sources are the same one when their `id` is, whatever else a new session changed. */
export interface Source {
  readonly id: number;
  readonly name: string;
  readonly kind: 'local' | 'external' | 'internal';
  /** An iBGP peer that we reflect for (RFC 4456 §4). */
  readonly reflectorClient: boolean;
  /** Of a client: its cluster, where that is not the speaker's own. */
  readonly clusterId?: number;
  readonly asn: number;
  readonly routerId: number;
  /** Undefined for our own routes. */
  readonly address: Address | undefined;
}

/** What makes a path the one it is. */
export interface PathIdentity {
  readonly source: Source;
  /** 0 where ADD-PATH is not in use (RFC 7911 §3). */
  readonly pathId: number;
  /** Undefined for our own routes: we are the next hop. */
  readonly nextHop: NextHop | undefined;
  /** Where import policy has set another next hop: the one that came. */
  readonly announcedNextHop?: NextHop | undefined;
  /** As they came, so that a changed import policy can be applied without asking the peer again. */
  readonly received: AttributeSet;
  /** After import policy; the same object as `received` where policy changed nothing. */
  readonly attributes: AttributeSet;
  /** Why import refused the path; undefined: it takes part in the decision. */
  readonly rejected: string | undefined;
  /** For our own routes: what the kernel holds for the prefix, if anything. */
  readonly kernel?: 'blackhole' | 'none' | undefined;
}

export interface Path extends PathIdentity {
  /** Dense, the path's own for as long as somebody owns it; see `path-table.ts`. */
  readonly number: number;
  /** False while packets to the next hop have no way; such a path is never chosen (RFC 4271 §9.1.2). */
  readonly reachable: boolean;
  /** Cost of getting to the next hop; 0 where connected or unknown (RFC 4271 §9.1.2.2 e). */
  readonly interiorCost: number;
}

export function samePathKey(path: Path, source: Source, pathId: number): boolean {
  return path.source.id === source.id && path.pathId === pathId;
}

export function sameNextHop(a: NextHop | undefined, b: NextHop | undefined): boolean {
  if (a === undefined || b === undefined || a === b) return a === b;
  if (!a.address.equals(b.address)) return false;
  if (a.linkLocal === undefined || b.linkLocal === undefined) return a.linkLocal === b.linkLocal;
  return a.linkLocal.equals(b.linkLocal);
}
