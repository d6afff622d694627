/**
 * Which peers are told the same. The key of a group is everything that can change the octets its members get: the kind
 * of peer, what its OPEN settled, the export policy, our address as next hop.
 */
import type { Clock } from '../../clock/clock.ts';
import { Address } from '../../net/addr/index.ts';
import { compile } from '../filter/compile.ts';
import { exportPath, type ExportContext } from '../filter/export.ts';
import { unreadExport } from '../filter/unread-export.ts';
import { defaultPolicy, looksAtInterface, policyKey } from '../filter/policy.ts';
import { UpdateGroup } from '../rib/update-group.ts';
import { encodeEndOfRib } from '../wire/index.ts';
import type { Negotiated } from '../wire/types.ts';
import type { FamilyTable } from './family-table.ts';
import { Membership } from './membership.ts';
import type { Neighbour } from './neighbour.ts';
import type { Outbox } from './outbox.ts';
import { PeerGroup } from './peer-group.ts';

/** What export needs from the speaker beside the peer. */
export interface ExportSurroundings {
  readonly clusterId: number;
  /** This machine's addresses as configured, for next hop self in the version that the session does not have. */
  readonly addresses: readonly Address[];
  /** Addresses of the interface that one of ours is on; none where nobody knows. */
  readonly beside: (local: Address) => readonly Address[];
  readonly links: {
    readonly to: (address: Address) => string | undefined;
    /** Another one with every change of an answer. */
    readonly generation: number;
  };
}

export function exportContext(neighbour: Neighbour, around: ExportSurroundings): ExportContext {
  const { config, peerKind } = neighbour;
  return {
    peerKind,
    reflectorClient: config.reflectorClient ?? false,
    localAsn: config.session.localAsn,
    clusterId: config.clusterId ?? around.clusterId,
    nextHop: config.nextHop ?? 'auto',
    self: selfAddresses(neighbour.session.localAddress, around),
    interfaceOf: around.links.to,
    policy: config.exportPolicy ?? defaultPolicy(peerKind),
  };
}

/**
 * The session's own end, which the peer reaches for sure. In the other version an address of the same interface: of those
 * that are configured, else whichever there is. Where the interface has none, or nobody knows, what is configured.
 */
function selfAddresses(
  local: string | undefined,
  { addresses, beside }: Pick<ExportSurroundings, 'addresses' | 'beside'>,
): ExportContext['self'] {
  const end = local === undefined ? undefined : Address.parse(local.replace(/%.*/, ''));
  const onLink = end === undefined ? [] : beside(end);
  const isOnLink = (address: Address): boolean => onLink.some((each) => each.equals(address));
  const candidates = [...addresses.filter(isOnLink), ...onLink, ...addresses];
  const of = (version: 4 | 6): Address | undefined =>
    end?.version === version && !end.isLinkLocal
      ? end
      : (candidates.find((address) => address.version === version) ??
        (end?.version === version ? end : undefined));
  return { 4: of(4), 6: of(6) };
}

/** @param links  generation of what is known about links, which only matters to a policy that asks */
function groupKey(
  context: ExportContext,
  negotiated: Negotiated,
  intervalSeconds: number,
  links: number,
): string {
  const { policy, self, interfaceOf: _, ...rest } = context;
  return JSON.stringify([
    rest,
    self[4]?.toString(),
    self[6]?.toString(),
    negotiated.fourOctetAs,
    negotiated.extendedMessages,
    negotiated.addPathSend,
    negotiated.aigp,
    intervalSeconds,
    policyKey(policy),
    looksAtInterface(policy) ? links : 0,
  ]);
}

export interface JoinSurroundings extends ExportSurroundings {
  readonly clock: Clock;
  readonly random: () => number;
  /** There is work again. */
  readonly wake: () => void;
}

/** Puts a peer into the group it belongs to, out of the one it was in; the same membership where nothing changed. */
export function joinGroup(
  neighbour: Neighbour,
  table: FamilyTable,
  outbox: Outbox,
  current: Membership | undefined,
  around: JoinSurroundings,
): Membership {
  const negotiated = neighbour.negotiated;
  if (negotiated === undefined) throw new Error(`${neighbour.name} joins a group before its session stands`);
  const context = exportContext(neighbour, around);
  const interval = neighbour.config.advertisementIntervalSeconds ?? 0;
  const key = groupKey(context, negotiated, interval, around.links.generation);
  let peers = table.groups.get(key);
  if (current !== undefined && peers?.members.has(current)) return current;
  if (peers === undefined) {
    const group = openGroup(table, context, negotiated);
    const { clock, random, wake } = around;
    peers = new PeerGroup(group, { intervalSeconds: interval, clock, random, wake });
    table.groups.set(key, peers);
  }
  const member = new Membership(peers.group, {
    member: neighbour.id,
    outbox,
    index: table.index,
    endOfRib: current?.endOfRibSent ? undefined : encodeEndOfRib(table.family, negotiated),
    earlier: current,
  });
  if (current !== undefined) leaveGroup(table, current);
  peers.join(member);
  return member;
}

/** The last one out closes the group. */
export function leaveGroup(table: FamilyTable, member: Membership): void {
  for (const [key, peers] of table.groups) {
    if (!peers.leave(member) || peers.members.size > 0) continue;
    peers.close();
    table.retire(key);
  }
}

function openGroup(table: FamilyTable, context: ExportContext, session: Negotiated): UpdateGroup {
  return new UpdateGroup({
    family: table.family,
    locRib: table.locRib,
    session,
    export: (prefix, path) => {
      const exported = exportPath(prefix, path, context);
      return exported.send ? exported : undefined;
    },
    unread: unreadExport(context, table.family, session),
    perPrefix: compile(context.policy).looksAtPrefix,
  });
}
