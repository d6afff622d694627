/** `router.yaml`, the configuration of a speaker that runs without a datastore. Its reference (docs/bgpd.md) is printed from here. */
import { z } from 'zod';
import { read, quote, text, type Reading } from '../../api/schema/field.ts';
import { address, asNumber, cidr } from '../../api/schema/network.ts';
import { integer } from '../../api/schema/scalars.ts';
import { parseCommunity } from '../filter/community.ts';
import { DEFAULTS } from './defaults.ts';
import { optional, required } from './fields.ts';
import { filter } from './filter-schema.ts';
import { dynamicPeers, peer, peerGroup } from './peer-schema.ts';

const U32 = 0xffff_ffff;

const listen = z.strictObject({
  port: optional(integer(1, 65_535), 'TCP port that peers connect to.', DEFAULTS.listen.port),
  addresses: optional(
    z.array(address()),
    'Addresses to listen on; every one of the machine where not given. An empty list: on none, and only our own calls go out.',
  ),
});

const community = read(text('a community such as 65001:100'), (input): Reading<string> => {
  if (parseCommunity(input) !== undefined) return { value: input };
  return {
    what: `${quote(input)} is no community`,
    remedy: 'write 65001:100, 65001:1:2 (large), rt:65001:100 (extended), or a name such as no-export',
  };
});

const originated = z.strictObject({
  prefix: required(cidr({ hostBits: 'refuse' }), 'The prefix.'),
  blackhole: optional(
    z.boolean(),
    'With `kernelExport`: the kernel drops what has no more specific route, so that packets to a free address do not circle.',
    false,
  ),
  med: optional(integer(0, U32), 'MULTI_EXIT_DISC.'),
  aigp: optional(integer(0, U32), 'Accumulated metric (RFC 7311), for peers with `aigp: true`.'),
  localPref: optional(integer(0, U32), 'LOCAL_PREF, for internal peers.'),
  communities: optional(
    z.array(community),
    'Communities: `65001:100`, large `65001:1:2`, extended `rt:65001:100`, and names such as `no-export`.',
  ),
});

const decision = z.strictObject({
  alwaysCompareMed: optional(
    z.boolean(),
    'Compare MED between paths of different neighbour ASes too.',
    false,
  ),
  missingMedIsWorst: optional(
    z.boolean(),
    'A path without MED loses to one with any; else no MED counts as 0.',
    false,
  ),
  aigp: optional(
    z.boolean(),
    'Paths with an accumulated metric come first, the lower before the higher (RFC 7311 §4.1). There are some only where a session speaks AIGP and somebody gives one.',
    true,
  ),
  ignoreAsPathLength: optional(z.boolean(), 'Skip the length of AS_PATH.', false),
  maximumPaths: optional(integer(1, 64), 'How many equally good paths the kernel may use at once.', 16),
  multipathRelax: optional(z.boolean(), 'Equally good paths may differ in AS_PATH, length apart.', true),
});

export const router = z.strictObject({
  asNumber: required(asNumber(), 'Our AS.'),
  routerId: required(address(4), 'BGP identifier, written as an IPv4 address; unique in the AS (RFC 6286).'),
  listen: optional(listen, 'Where peers can connect.'),
  addresses: optional(
    z.array(address()),
    'Addresses of this machine that peers can reach: next hop self in the version of IP that a session does not run over, where the interface of the session has none of that version, or the one to take where it has several. Those of `listen` and of `sourceAddress` need not be repeated.',
  ),
  clusterId: optional(
    address(4),
    'Route reflector: the cluster of our clients (RFC 4456 §7); `routerId` where not given.',
  ),
  peerGroups: optional(
    z.record(z.string(), peerGroup),
    'Settings that several peers share, by name of the group.',
  ),
  peers: optional(z.array(peer), 'Whom we speak with.'),
  dynamicPeers: optional(
    z.array(dynamicPeers),
    'Peers that need no entry of their own. We never call them, and forget them some time after they have gone.',
  ),
  filters: optional(z.record(z.string(), filter), 'Filters by name, for `import` and `export` of peers.'),
  originate: optional(z.array(originated), 'Prefixes of our own.'),
  decision: optional(decision, 'Which path wins.'),
  kernelExport: optional(
    z.boolean(),
    'Write the chosen routes into the main routing table of the kernel (protocol 80). Needs CAP_NET_ADMIN.',
    DEFAULTS.kernelExport,
  ),
  controlSocket: optional(
    z.string().min(1),
    'Unix socket for `poplin bgp`. Read at the start only.',
    DEFAULTS.controlSocket,
  ),
});

export type RouterConfig = z.output<typeof router>;
