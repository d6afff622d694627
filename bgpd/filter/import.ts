/**
 * What becomes of a path a peer sends, before it may take part in the decision: the protocol's own rules (loops, next
 * hops that cannot be), then the peer's import policy. Pure; the answer names the rule.
 */
import type { Address } from '../../net/addr/index.ts';
import { occurrences } from '../rib/attributes.ts';
import type { Candidate } from '../rib/adj-rib-in.ts';
import type { NextHop, PathAttributes } from '../wire/types.ts';
import { evaluate, looksAtInterface, looksAtPrefix, type Policy } from './policy.ts';

/** What import needs to know about us and the session. */
export interface ImportContext {
  readonly peerKind: 'external' | 'internal';
  readonly peerAsn: number;
  readonly localAsn: number;
  readonly routerId: number;
  /** Of this speaker: its own, and those of its clients. */
  readonly clusterIds: readonly number[];
  /** How often our own AS may appear in a path we take (Calico: `numAllowedLocalASNumbers`). */
  readonly allowedLocalAs: number;
  /** Refuse an eBGP path that does not begin with the peer's AS (RFC 4271 §6.3); a route server needs this off. */
  readonly enforceFirstAs: boolean;
  /** Refuse a path with an AS_SET or AS_CONFED_SET (RFC 9774 §3). */
  readonly rejectAsSets?: boolean;
  /** Addresses of this machine: a route through ourselves leads nowhere (RFC 4271 §5.1.3). */
  readonly isOwnAddress: (address: Address) => boolean;
  /** Name of the link over which an address is reached, where somebody knows; policies may ask. */
  readonly interfaceOf?: ((address: Address) => string | undefined) | undefined;
  readonly policy: Policy;
}

/** What the Adj-RIB-In goes on with, and for people which rule it was. */
export type ImportVerdict =
  | {
      readonly accepted: true;
      readonly attributes: PathAttributes;
      /** In place of the one that came. */
      readonly setNextHop?: NextHop;
      readonly rule: string;
      readonly changedBy?: readonly string[];
    }
  | { readonly accepted: false; readonly reason: string };

/**
 * False: for one context, the verdict depends on attributes and next hop alone and may be kept for every prefix that
 * comes with them.
 */
export function importLooksAtPrefix(context: ImportContext): boolean {
  return looksAtPrefix(context.policy);
}

export function importPath(candidate: Candidate, context: ImportContext): ImportVerdict {
  const fault =
    loop(candidate.attributes, context) ??
    asSet(candidate.attributes, context) ??
    badNextHop(candidate.nextHop, context);
  if (fault !== undefined) return { accepted: false, reason: fault };
  const attributes =
    context.peerKind === 'external' ? withoutInternal(candidate.attributes) : candidate.attributes;
  const verdict = evaluate(context.policy, {
    prefix: candidate.prefix,
    source: 'peers',
    peerKind: context.peerKind,
    attributes,
    nextHop: candidate.nextHop,
    interface: linkOf(candidate.nextHop?.address, context),
  });
  if (!verdict.accepted) return { accepted: false, reason: verdict.rule };
  const { nextHop, ...rest } = verdict;
  if (typeof nextHop !== 'object' || nextHop.version !== candidate.prefix.version) return rest;
  if (context.isOwnAddress(nextHop))
    return { accepted: false, reason: `${throughUs(nextHop)}; "${verdict.rule}" has set it` };
  return { ...rest, setNextHop: { address: nextHop } };
}

function throughUs(address: Address): string {
  return `next hop ${address.toString()} is ourselves (RFC 4271 §5.1.3)`;
}

function linkOf(address: Address | undefined, context: ImportContext): string | undefined {
  if (address === undefined || !looksAtInterface(context.policy)) return undefined;
  return context.interfaceOf?.(address);
}

function loop(attributes: PathAttributes, context: ImportContext): string | undefined {
  const own = occurrences(attributes.asPath, context.localAsn);
  if (own > context.allowedLocalAs)
    return `AS loop: our AS ${context.localAsn} is ${own} times in the path, ${context.allowedLocalAs} allowed (RFC 4271 §9)`;
  if (context.peerKind === 'external') return wrongFirstAs(attributes, context);
  if (attributes.originatorId === context.routerId) return 'ORIGINATOR_ID is our own router id (RFC 4456 §8)';
  if (attributes.clusterList?.some((id) => context.clusterIds.includes(id)))
    return 'CLUSTER_LIST holds our own cluster id (RFC 4456 §8)';
  return undefined;
}

/** Treat-as-withdraw to the letter; kept as refused, so that `routes in` shows why and a change of mind needs no refresh. */
function asSet({ asPath }: PathAttributes, { rejectAsSets }: ImportContext): string | undefined {
  if (rejectAsSets !== true) return undefined;
  const found = asPath.find(({ type }) => type === 'set' || type === 'confed-set');
  return found === undefined ? undefined : 'the path has an AS_SET (RFC 9774 §3)';
}

function wrongFirstAs(attributes: PathAttributes, context: ImportContext): string | undefined {
  const first = attributes.asPath[0]?.asns[0];
  if (!context.enforceFirstAs || first === context.peerAsn) return undefined;
  return `the path begins with AS ${first ?? 'nothing'}, not with the peer's ${context.peerAsn} (RFC 4271 §6.3)`;
}

export function badNextHop(nextHop: NextHop | undefined, context: ImportContext): string | undefined {
  const address = nextHop?.address;
  if (address === undefined) return undefined;
  if (address.isUnspecified || address.isMulticast || address.isLoopback)
    return `next hop ${address.toString()} is no host's address (RFC 4271 §6.3)`;
  return context.isOwnAddress(address) ? throughUs(address) : undefined;
}

/** An external peer has no say in these: RFC 4271 §5.1.5 (LOCAL_PREF), RFC 7606 §7.9 and §7.10. */
function withoutInternal(attributes: PathAttributes): PathAttributes {
  const { localPref, originatorId, clusterList, ...rest } = attributes;
  const none = localPref === undefined && originatorId === undefined && clusterList === undefined;
  return none ? attributes : rest;
}
