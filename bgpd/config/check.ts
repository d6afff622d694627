/** Rules that look at several fields of router.yaml together. Each complaint names the field to change. */
import { Address } from '../../net/addr/index.ts';
import type { Complaint } from '../../api/schema/field.ts';
import { nearest } from '../../api/schema/suggest.ts';
import { BUILT_IN } from './filters.ts';
import { inherited, lineage, type Groups } from './inherit.ts';
import type { PeerSettings } from './peer-schema.ts';
import type { RouterConfig } from './schema.ts';

export function* crossChecks(config: RouterConfig): Generator<Complaint> {
  yield* identifiers(config);
  yield* groupChecks(config);
  yield* peerChecks(config);
  yield* filterNameChecks(config);
  yield* originChecks(config);
}

function* identifiers({ routerId, clusterId, filters }: RouterConfig): Generator<Complaint> {
  for (const [field, value] of Object.entries({ routerId, clusterId })) {
    if (value !== '0.0.0.0') continue;
    yield { path: [field], what: '0.0.0.0 is no identifier (RFC 6286)', remedy: 'use another' };
  }
  for (const name of BUILT_IN) {
    if (filters === undefined || !Object.hasOwn(filters, name)) continue;
    yield { path: ['filters', name], what: `"${name}" is there already`, remedy: 'choose another name' };
  }
}

function* groupChecks({
  peerGroups = {},
  peers = [],
  dynamicPeers = [],
}: RouterConfig): Generator<Complaint> {
  for (const [name, { group }] of Object.entries(peerGroups)) {
    const path = ['peerGroups', name, 'group'];
    yield* knownGroup(group, peerGroups, path);
    if (!lineage(group, peerGroups).includes(name)) continue;
    yield { path, what: `"${name}" is, by this, inside itself`, remedy: 'break the circle' };
  }
  for (const [index, { group }] of peers.entries())
    yield* knownGroup(group, peerGroups, ['peers', index, 'group']);
  for (const [index, { group }] of dynamicPeers.entries())
    yield* knownGroup(group, peerGroups, ['dynamicPeers', index, 'group']);
}

function* knownGroup(
  group: string | undefined,
  groups: Groups,
  path: readonly (string | number)[],
): Generator<Complaint> {
  if (group === undefined || Object.hasOwn(groups, group)) return;
  const meant = nearest(group, Object.keys(groups));
  yield {
    code: 'REFERENCE_MISSING',
    path,
    what: `there is no peer group "${group}"`,
    remedy: meant === undefined ? 'add it to peerGroups' : `write "${meant}" if that is what you mean`,
  };
}

function* peerChecks({
  peers = [],
  dynamicPeers = [],
  peerGroups = {},
  asNumber,
}: RouterConfig): Generator<Complaint> {
  const names = new Map<string, number>();
  const addresses = new Map<string, number>();
  for (const [index, entry] of peers.entries()) {
    yield* unique(addresses, entry.address, index, 'address');
    yield* unique(names, entry.name ?? entry.address, index, 'name');
    yield* singlePeer(inherited(entry, peerGroups), ['peers', index], entry.address, asNumber);
  }
  const prefixes = new Map<string, number>();
  for (const [index, entry] of dynamicPeers.entries()) {
    const path = ['dynamicPeers', index];
    yield* unique(prefixes, entry.prefix, index, 'prefix', 'dynamicPeers');
    if (inherited(entry, peerGroups).password !== undefined)
      yield {
        path: [...path, 'password'],
        what: 'a key is for an address, and those of dynamic peers are not known beforehand',
        remedy: 'remove it, here or from the group, or list the peer in peers',
      };
    yield* singlePeer(inherited(entry, peerGroups), path, entry.prefix.split('/')[0] ?? '', asNumber);
  }
}

function* unique(
  seen: Map<string, number>,
  value: string,
  index: number,
  field: 'address' | 'name' | 'prefix',
  list = 'peers',
): Generator<Complaint> {
  const first = seen.get(value);
  if (first === undefined) seen.set(value, index);
  else
    yield {
      path: [list, index, field],
      what: `${list}[${first}] has the ${field} ${value} already`,
      remedy: field === 'name' ? 'give each peer a name of its own' : 'remove one of the two',
    };
}

function* singlePeer(
  entry: PeerSettings,
  path: readonly (string | number)[],
  address: string,
  ownAs: number,
): Generator<Complaint> {
  if (entry.asNumber === undefined)
    yield {
      code: 'FIELD_MISSING',
      path: [...path, 'asNumber'],
      what: 'is missing, here and in its group',
      remedy: 'add it: the AS of the peer, "internal" or "external"',
    };
  const internal = entry.asNumber === 'internal' || entry.asNumber === ownAs;
  for (const field of ['routeReflectorClient', 'clusterId'] as const) {
    if (internal || entry[field] === undefined || entry[field] === false) continue;
    yield {
      path: [...path, field],
      what: 'only internal peers can be clients of a route reflector',
      remedy: `remove it, or make the peer internal (AS ${ownAs})`,
    };
  }
  if (entry.clusterId !== undefined && entry.routeReflectorClient !== true)
    yield {
      path: [...path, 'clusterId'],
      what: 'the peer is no client, and belongs to no cluster',
      remedy: 'set routeReflectorClient: true, or remove clusterId',
    };
  if (entry.ttlSecurityHops !== undefined && entry.multihopTtl !== undefined)
    yield {
      path: [...path, 'multihopTtl'],
      what: 'ttlSecurityHops sends with a TTL of 255 and says how far the peer may be',
      remedy: 'remove one of the two',
    };
  yield* sourceCheck(entry, path, address);
}

function* sourceCheck(
  entry: PeerSettings,
  path: readonly (string | number)[],
  address: string,
): Generator<Complaint> {
  const { sourceAddress } = entry;
  if (sourceAddress === undefined) return;
  if (Address.parse(sourceAddress)?.version === Address.parse(address)?.version) return;
  yield {
    path: [...path, 'sourceAddress'],
    what: `${sourceAddress} cannot be where a connection to ${address} comes from`,
    remedy: 'use an address of the same version of IP, or put the peer into another group',
  };
}

function* filterNameChecks(config: RouterConfig): Generator<Complaint> {
  const known = [...Object.keys(config.filters ?? {}), ...BUILT_IN];
  const users: [readonly (string | number)[], PeerSettings][] = [
    ...Object.entries(config.peerGroups ?? {}).map(([name, settings]): [string[], PeerSettings] => [
      ['peerGroups', name],
      settings,
    ]),
    ...(config.peers ?? []).map((settings, index): [(string | number)[], PeerSettings] => [
      ['peers', index],
      settings,
    ]),
  ];
  for (const [path, settings] of users) {
    for (const direction of ['import', 'export'] as const) {
      for (const [index, name] of (settings[direction] ?? []).entries()) {
        if (known.includes(name)) continue;
        const meant = nearest(name, known);
        yield {
          code: 'REFERENCE_MISSING',
          path: [...path, direction, index],
          what: `there is no filter "${name}"`,
          remedy: meant === undefined ? 'add it to filters' : `write "${meant}" if that is what you mean`,
        };
      }
    }
  }
}

function* originChecks({ originate = [] }: RouterConfig): Generator<Complaint> {
  const seen = new Map<string, number>();
  for (const [index, { prefix }] of originate.entries()) {
    const first = seen.get(prefix);
    if (first === undefined) seen.set(prefix, index);
    else
      yield {
        path: ['originate', index, 'prefix'],
        what: `originate[${first}] is ${prefix} already`,
        remedy: 'remove one of the two',
      };
  }
}
