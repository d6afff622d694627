/**
 * Which peers are told the same. The key of a group is everything that can change the octets its members get: the kind
 * of peer, what its OPEN settled, the export policy, our address as next hop.
 */
import { Address } from '../../net/addr/index.ts';
import { exportPath, type ExportContext } from '../filter/export.ts';
import { defaultPolicy, policyKey } from '../filter/policy.ts';
import type { AttributePool } from '../rib/attributes.ts';
import { UpdateGroup } from '../rib/update-group.ts';
import { encodeEndOfRib, encodeUpdates } from '../wire/index.ts';
import type { Family, Negotiated } from '../wire/types.ts';
import type { FamilyTable } from './family-table.ts';
import { Membership } from './membership.ts';
import type { Neighbour } from './neighbour.ts';
import type { Outbox } from './outbox.ts';

/** What export needs from the speaker beside the peer. */
export interface ExportSurroundings {
  readonly clusterId: number;
  /** This machine's addresses, for next hop self in the version that the session does not have. */
  readonly addresses: readonly Address[];
}

export function exportContext(neighbour: Neighbour, around: ExportSurroundings): ExportContext {
  const { config, peerKind } = neighbour;
  return {
    peerKind,
    reflectorClient: config.reflectorClient ?? false,
    localAsn: config.session.localAsn,
    clusterId: around.clusterId,
    nextHop: config.nextHop ?? 'auto',
    self: selfAddresses(neighbour.session.localAddress, around.addresses),
    policy: config.exportPolicy ?? defaultPolicy(peerKind),
  };
}

/** The session's own end first: the peer reaches it for sure. */
function selfAddresses(local: string | undefined, others: readonly Address[]): ExportContext['self'] {
  const end = local === undefined ? undefined : Address.parse(local);
  const candidates = end === undefined ? others : [end, ...others];
  const of = (version: 4 | 6): Address | undefined =>
    candidates.find((address) => address.version === version);
  return { 4: of(4), 6: of(6) };
}

function groupKey(context: ExportContext, negotiated: Negotiated): string {
  const { policy, self, ...rest } = context;
  return JSON.stringify([
    rest,
    self[4]?.toString(),
    self[6]?.toString(),
    negotiated.fourOctetAs,
    negotiated.extendedMessages,
    negotiated.addPathSend,
    policyKey(policy),
  ]);
}

/** Puts a peer into the group it belongs to, out of the one it was in. True where that changed anything. */
export function joinGroup(
  neighbour: Neighbour,
  table: FamilyTable,
  outbox: Outbox,
  current: Membership | undefined,
  around: ExportSurroundings & { readonly pool: AttributePool },
): Membership {
  const negotiated = neighbour.negotiated;
  if (negotiated === undefined) throw new Error(`${neighbour.name} joins a group before its session stands`);
  const context = exportContext(neighbour, around);
  const key = groupKey(context, negotiated);
  const present = table.groups.get(key);
  if (current !== undefined && present?.members.has(current)) return current;
  const group = present?.group ?? openGroup(table, context, negotiated, around.pool);
  const endOfRib = current?.endOfRibSent ? undefined : [encodeEndOfRib(table.family, negotiated)];
  const holds = current === undefined ? [] : [...current.holds()];
  const member = new Membership(group, neighbour.id, outbox, endOfRib, holds);
  if (current !== undefined) leaveGroup(table, current);
  if (present === undefined) table.groups.set(key, { group, members: new Set([member]) });
  else present.members.add(member);
  return member;
}

/** The last one out closes the group. */
export function leaveGroup(table: FamilyTable, member: Membership): void {
  for (const [key, { group, members }] of table.groups) {
    if (!members.delete(member) || members.size > 0) continue;
    group.close();
    table.groups.delete(key);
  }
}

function openGroup(
  table: FamilyTable,
  context: ExportContext,
  negotiated: Negotiated,
  pool: AttributePool,
): UpdateGroup {
  const family: Family = table.family;
  return new UpdateGroup({
    family,
    locRib: table.locRib,
    pool,
    export: (prefix, path) => {
      const exported = exportPath(prefix, path, context);
      return exported.send ? exported : undefined;
    },
    encode: (update) => encodeUpdates(update, negotiated),
  });
}
