/**
 * From resources and the name of a node to the whole configuration of its speaker. Pure: no history, no clock; the
 * same resources give the same configuration in whatever order they come.
 *
 * A node that is not there, or a resource that contradicts itself, never leads to a smaller configuration by accident:
 * it leads to problems, and to sessions that are `held` as they are.
 */
import { parseDuration, type Problem } from '../../api/index.ts';
import type { Address } from '../../net/addr/index.ts';
import { ACCEPT_ALL, type Policy } from '../filter/policy.ts';
import type { PeerConfig, SpeakerConfig } from '../speaker/config.ts';
import type { CarriageConfig } from '../fib/carriage.ts';
import { carriageOf } from './carriage.ts';
import { filterRules } from './filters.ts';
import { configuration, identityOf, type Identity } from './identity.ts';
import { passwordOf } from './passwords.ts';
import { priorityRules } from './priorities.ts';
import { unsupported } from './problems.ts';
import type { ClusterResources } from './resources.ts';
import { exportRules, originated } from './routes.ts';
import { targetsOf, type Target } from './targets.ts';

export type { Affinity, ClusterResources } from './resources.ts';

export interface NodeConfiguration {
  readonly speaker: SpeakerConfig;
  readonly listen: {
    readonly port: number;
    /** Undefined: every address of the machine. */
    readonly addresses: readonly Address[] | undefined;
  };
  /** How routes inside pools are written to the kernel. */
  readonly carriage: CarriageConfig;
}

export interface Outcome {
  /** Undefined: nothing can be told about this node; whatever runs stays. */
  readonly configuration: NodeConfiguration | undefined;
  readonly problems: readonly Problem[];
}

/** We propose this where no keepaliveTime says otherwise; RFC 4271 §10 suggests it. */
const HOLD_SECONDS = 90;
/** Calico's: BIRD's connect retry, and the time our peers keep our routes when we restart. */
const CONNECT_RETRY_SECONDS = 5;
const RESTART_SECONDS = 120;
const MAX_TTL = 255;
/** 12 bits on the wire (RFC 4724 §3). */
const MAX_RESTART_SECONDS = 4095;

export function configureNode(name: string, resources: ClusterResources): Outcome {
  const node = resources.nodes.find((each) => each.metadata.name === name);
  const self = node === undefined ? undefined : identityOf(node, resources);
  if (self === undefined)
    return { configuration: undefined, problems: [noIdentity(name, node !== undefined)] };
  const { targets, problems } = targetsOf(self, resources);
  const built = targets.map((target) => buildPeer(target, self, resources));
  const held = built.flatMap((each) => (each.peer === undefined ? [each.name] : []));
  return {
    configuration: {
      speaker: {
        asn: self.asn,
        routerId: self.routerId,
        ...(self.clusterId === undefined ? {} : { clusterId: self.clusterId }),
        peers: built.flatMap((each) => each.peer ?? []),
        held,
        originated: originated(name, resources),
        addresses: [self.addresses[4], self.addresses[6]].flatMap((address) => address ?? []),
      },
      listen: { port: self.port, addresses: boundAddresses(self, resources) },
      carriage: carriageOf(name, resources),
    },
    problems: [...problems, ...built.flatMap((each) => each.problems)],
  };
}

function noIdentity(name: string, present: boolean): Problem {
  return {
    code: present ? 'NODE_WITHOUT_BGP' : 'NODE_MISSING',
    resource: `Node/${name}`,
    ...(present ? { field: 'spec.bgp' } : {}),
    what: present ? 'this node has no address to speak BGP from' : 'there is no such node in the datastore',
    remedy: present
      ? 'set spec.bgp.ipv4Address or spec.bgp.ipv6Address'
      : 'create it with spec.bgp.ipv4Address, or start bgpd with the name of an existing node',
  };
}

interface Built {
  readonly name: string;
  /** Undefined: the session is held. */
  readonly peer: PeerConfig | undefined;
  readonly problems: readonly Problem[];
}

function buildPeer(target: Target, self: Identity, resources: ClusterResources): Built {
  const { name } = target;
  const { version } = target.address;
  const resource =
    target.peer === undefined ? 'BGPConfiguration/default' : `BGPPeer/${target.peer.metadata.name}`;
  const filters = filterRules(target.peer?.spec.filters ?? [], version, resource, resources);
  const password = passwordFor(target, resource, resources);
  const problems = [
    ...filters.problems,
    ...(typeof password === 'object' ? [password] : []),
    ...beyondUs(target, resource),
  ];
  if (typeof password === 'object' || problems.length > 0) return { name, peer: undefined, problems };
  const importRules = [...priorityRules(version, resources), ...filters.importRules];
  const importPolicy: Policy =
    importRules.length === 0 ? ACCEPT_ALL : { rules: importRules, otherwise: 'accept' };
  const exportPolicy: Policy = {
    rules: [...filters.exportRules, ...exportRules(self.name, version, resources)],
    otherwise: 'reject',
  };
  const { session, ...rest } = peerOf(target, self, resources);
  const peer: PeerConfig = {
    ...rest,
    session: password === undefined ? session : { ...session, password },
    importPolicy,
    exportPolicy,
  };
  return { name, peer, problems };
}

function peerOf(target: Target, self: Identity, resources: ClusterResources): PeerConfig {
  const spec = target.peer?.spec;
  const { version } = target.address;
  const source = spec?.sourceAddress === 'None' ? undefined : self.addresses[version];
  const localAsn = spec?.localASNumber ?? self.asn;
  const internal = target.asn === localAsn;
  const restartTime =
    target.peer === undefined
      ? configuration(resources, 'default')?.nodeMeshMaxRestartTime
      : spec?.maxRestartTime;
  return {
    session: {
      name: target.name,
      peerAddress: target.address.toString(),
      peerPort: target.port,
      peerAsn: target.asn,
      localAsn,
      routerId: self.routerId,
      ...(source === undefined ? {} : { localAddress: source.toString() }),
      ...ttlSecurity(spec?.ttlSecurity),
      holdSeconds: holdSeconds(spec?.keepaliveTime),
      connectRetrySeconds: CONNECT_RETRY_SECONDS,
      // Between nodes the lower address calls, so that the two do not collide.
      passive: target.mutual && source !== undefined && target.address.compare(source) > 0,
      families: [version === 4 ? 'ipv4-unicast' : 'ipv6-unicast'],
      gracefulRestart: { restartSeconds: restartSeconds(restartTime) },
      // RFC 7311 §3.3, and BIRD's default.
      ...(internal ? { aigp: true } : {}),
    },
    allowedLocalAs: spec?.numAllowedLocalASNumbers ?? 0,
    reflectorClient: internal && self.clusterId !== undefined && target.node?.clusterId !== self.clusterId,
    nextHop: nextHopMode(target),
  };
}

/** Calico's ttlSecurity is how many hops away the peer is: BIRD's `ttl security on; multihop N`. 0: no check. */
function ttlSecurity(hops = 0): Pick<PeerConfig['session'], 'ttl' | 'minimalTtl'> {
  return hops === 0 ? {} : { ttl: MAX_TTL, minimalTtl: MAX_TTL + 1 - hops };
}

function nextHopMode(target: Target): 'auto' | 'self' | 'keep' {
  const spec = target.peer?.spec;
  if (spec?.keepOriginalNextHop === true || spec?.nextHopMode === 'Keep') return 'keep';
  return spec?.nextHopMode === 'Self' ? 'self' : 'auto';
}

/** Hold time is three keepalives (RFC 4271 §10), and 0 or at least 3 (§4.2). */
function holdSeconds(keepalive: string | undefined): number {
  if (keepalive === undefined) return HOLD_SECONDS;
  const seconds = Math.ceil((parseDuration(keepalive) ?? 0) / 1000) * 3;
  return Math.min(seconds, 0xffff);
}

function restartSeconds(text: string | undefined): number {
  const millis = text === undefined ? undefined : parseDuration(text);
  return millis === undefined ? RESTART_SECONDS : Math.min(Math.ceil(millis / 1000), MAX_RESTART_SECONDS);
}

/** What a BGPPeer may ask for and sessions cannot do yet. Without it the session would be another than was asked for. */
function beyondUs(target: Target, resource: string): readonly Problem[] {
  if (target.peer?.spec.reachableBy === undefined) return [];
  return [unsupported(resource, 'spec.reachableBy', 'routes to peers are not installed')];
}

/** The mesh has one password for all of it, a BGPPeer its own. */
function passwordFor(
  target: Target,
  resource: string,
  resources: ClusterResources,
): string | Problem | undefined {
  const [ref, field] =
    target.peer === undefined
      ? [configuration(resources, 'default')?.nodeMeshPassword?.secretKeyRef, 'spec.nodeMeshPassword']
      : [target.peer.spec.password?.secretKeyRef, 'spec.password'];
  return ref === undefined ? undefined : passwordOf(ref, resources.secret, resource, field);
}

function boundAddresses(self: Identity, resources: ClusterResources): readonly Address[] | undefined {
  const mode =
    configuration(resources, `node.${self.name}`)?.bindMode ?? configuration(resources, 'default')?.bindMode;
  if (mode !== 'NodeIP') return undefined;
  return [self.addresses[4], self.addresses[6]].flatMap((address) => address ?? []);
}
