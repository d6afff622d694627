/**
 * What a group of peers is told about the best path to a prefix, or why nothing: the rules of RFC 4271 §9.1.3 and
 * RFC 4456 §6, well-known communities (RFC 1997), the export policy, then the attributes as the peers must see them.
 * Pure. Split horizon (never back to the peer it came from) is the business of the group, which knows its members.
 */
import type { Address, Prefix } from '../../net/addr/index.ts';
import type { Path, Source } from '../rib/path.ts';
import type { NextHop, PathAttributes, RawAttribute } from '../wire/types.ts';
import { prepend } from './operate.ts';
import { evaluate, looksAtInterface, type Policy, type Verdict } from './policy.ts';

export interface ExportContext {
  readonly peerKind: 'external' | 'internal';
  /** The peers are our route-reflector clients. */
  readonly reflectorClient: boolean;
  readonly localAsn: number;
  readonly clusterId: number;
  /** `auto`: ourselves towards eBGP and for our own routes, unchanged towards iBGP. */
  readonly nextHop: 'auto' | 'self' | 'keep';
  /** Our address that these peers can reach, per IP version. */
  readonly self: { readonly 4?: Address | undefined; readonly 6?: Address | undefined };
  /** Name of the link over which an address is reached, where somebody knows; policies may ask. */
  readonly interfaceOf?: ((address: Address) => string | undefined) | undefined;
  readonly policy: Policy;
}

export type Exported =
  | {
      readonly send: true;
      readonly attributes: PathAttributes;
      readonly nextHop: NextHop;
      readonly rule: string;
      /** Rules that changed the route on its way out, in order. */
      readonly changedBy?: readonly string[];
    }
  | { readonly send: false; readonly reason: string };

/** RFC 1997, and RFC 4271 §9.1.3 read with it. */
const NO_EXPORT = 0xffffff01;
const NO_ADVERTISE = 0xffffff02;
const NO_EXPORT_SUBCONFED = 0xffffff03;

export function exportPath(prefix: Prefix, path: Path, context: ExportContext): Exported {
  const held = heldBack(path, context);
  if (held !== undefined) return { send: false, reason: held };
  const verdict = evaluate(context.policy, {
    prefix,
    source: path.source.kind === 'local' ? 'local' : 'peers',
    peerKind: context.peerKind,
    attributes: context.peerKind === 'external' ? leaving(path) : staying(path, context),
    nextHop: path.nextHop,
    interface: linkOf(prefix, path, context),
  });
  if (!verdict.accepted) return { send: false, reason: verdict.rule };
  const nextHop = nextHopFor(prefix.version, path, context, verdict.nextHop);
  if (nextHop === undefined)
    return { send: false, reason: `we have no IPv${prefix.version} address to give as next hop` };
  const costed = withCost(verdict.attributes, path, nextHop);
  const attributes = context.peerKind === 'external' ? external(costed, context.localAsn) : costed;
  const { rule, changedBy } = verdict;
  return { send: true, attributes, nextHop, rule, ...(changedBy === undefined ? {} : { changedBy }) };
}

/** Of the next hop; of a single address of our own, the link of its workload. */
function linkOf(prefix: Prefix, path: Path, context: ExportContext): string | undefined {
  if (!looksAtInterface(context.policy)) return undefined;
  const address = path.nextHop?.address ?? (prefix.isHost ? prefix.address : undefined);
  return address === undefined ? undefined : context.interfaceOf?.(address);
}

function heldBack(path: Path, context: ExportContext): string | undefined {
  const communities = path.attributes.attributes.communities ?? [];
  if (communities.includes(NO_ADVERTISE)) return 'community NO_ADVERTISE (RFC 1997)';
  if (context.peerKind === 'external') {
    if (communities.includes(NO_EXPORT)) return 'community NO_EXPORT (RFC 1997)';
    return communities.includes(NO_EXPORT_SUBCONFED) ? 'community NO_EXPORT_SUBCONFED (RFC 1997)' : undefined;
  }
  const reflected = path.source.kind === 'internal';
  if (reflected && !path.source.reflectorClient && !context.reflectorClient)
    return 'learned by iBGP, and neither side is our reflector client (RFC 4456 §6)';
  return undefined;
}

type Wanted = Extract<Verdict, { accepted: true }>['nextHop'];

/** Policy first; an address of the other version of IP is not meant for this prefix. */
export function nextHopFor(
  version: 4 | 6,
  path: Path,
  context: ExportContext,
  wanted: Wanted,
): NextHop | undefined {
  if (typeof wanted === 'object' && wanted.version === version) return { address: wanted };
  const mode = typeof wanted === 'string' ? wanted : context.nextHop;
  const keep =
    path.nextHop !== undefined && (mode === 'keep' || (mode === 'auto' && context.peerKind === 'internal'));
  if (keep) return path.nextHop;
  const self = context.self[version];
  return self === undefined ? undefined : { address: self };
}

/** Towards eBGP: what stays inside the AS is taken off before policy, but for LOCAL_PREF, which it may want to see. */
function leaving(path: Path): PathAttributes {
  const {
    originatorId: _id,
    clusterList: _cl,
    extendedCommunities,
    med,
    unknown,
    ...rest
  } = path.attributes.attributes;
  return {
    ...rest,
    ...acrossAses(extendedCommunities),
    // RFC 4271 §5.1.4: a neighbour's MED goes no further than our own AS.
    ...(path.source.kind === 'local' && med !== undefined ? { med } : {}),
    ...passedOn(unknown),
  };
}

const MAX_AIGP = 0xffff_ffff_ffff_ffffn;

/**
 * RFC 7311 §3.4.3: who makes packets come to itself adds what it costs to go on from there; at least something, also
 * over a direct link on which no IGP runs.
 */
function withCost(attributes: PathAttributes, path: Path, nextHop: NextHop): PathAttributes {
  const { aigp } = attributes;
  if (aigp === undefined || path.nextHop === undefined || nextHop === path.nextHop) return attributes;
  const sum = aigp.metric + BigInt(Math.max(1, Math.ceil(path.interiorCost)));
  return { ...attributes, aigp: { ...aigp, metric: sum > MAX_AIGP ? MAX_AIGP : sum } };
}

function external(attributes: PathAttributes, localAsn: number): PathAttributes {
  const { localPref: _lp, ...rest } = attributes;
  return { ...rest, asPath: prepend(withoutConfederation(attributes), [localAsn]) };
}

/** RFC 5065 §5.1: confederation segments never leave the confederation. */
function withoutConfederation(attributes: PathAttributes): PathAttributes['asPath'] {
  return attributes.asPath.filter((segment) => segment.type === 'sequence' || segment.type === 'set');
}

/** Towards iBGP: LOCAL_PREF always (RFC 4271 §5.1.5), and the marks of reflection where we reflect (RFC 4456 §8). */
function staying(path: Path, context: ExportContext): PathAttributes {
  const { unknown, ...rest } = path.attributes.attributes;
  const base = { ...rest, localPref: path.attributes.localPref, ...passedOn(unknown) };
  if (path.source.kind !== 'internal') return base;
  return {
    ...base,
    originatorId: base.originatorId ?? path.source.routerId,
    clusterList: [...clustersPassed(path.source, context), ...(base.clusterList ?? [])],
  };
}

/** The cluster that the path leaves us into, and the one it came from where a client of ours is in another (as BIRD). */
export function clustersPassed(
  { clusterId }: Source,
  context: Pick<ExportContext, 'clusterId'>,
): readonly number[] {
  if (clusterId === undefined || clusterId === context.clusterId) return [context.clusterId];
  return [context.clusterId, clusterId];
}

/** The bit in the type of an extended community that says it is not for the next AS. */
const NON_TRANSITIVE = 0x40n << 56n;

/** RFC 4360 §6: what is not transitive across ASes comes off at the border. */
function acrossAses(communities: readonly bigint[] | undefined): {
  extendedCommunities?: readonly bigint[];
} {
  const kept = communities?.filter((community) => (community & NON_TRANSITIVE) === 0n) ?? [];
  return kept.length === 0 ? {} : { extendedCommunities: kept };
}

const TRANSITIVE = 0x40;
const PARTIAL = 0x20;

/** RFC 4271 §5: what we do not know goes on if it is transitive, marked as having passed someone who did not know it. */
function passedOn(unknown: readonly RawAttribute[] | undefined): { unknown?: readonly RawAttribute[] } {
  const kept = unknown?.filter((attribute) => (attribute.flags & TRANSITIVE) !== 0) ?? [];
  return kept.length === 0 ? {} : { unknown: kept.map((a) => ({ ...a, flags: a.flags | PARTIAL })) };
}
