/**
 * With whom a node peers, before the question how: every BGPPeer that concerns it, in both directions, and the mesh.
 * One target is one session; it carries the family of its address, as Calico's sessions do.
 */
import { parsePeerAddress, parseSelector, type BGPPeer, type Problem } from '../../api/index.ts';
import type { Address } from '../../net/addr/index.ts';
import { configuration, identityOf, type Identity } from './identity.ts';
import type { ClusterResources } from './resources.ts';

export interface Target {
  /** Name of the session. */
  readonly name: string;
  readonly address: Address;
  readonly port: number;
  readonly asn: number;
  /** The other end, where it is a node of this cluster. */
  readonly node: Identity | undefined;
  /** The resource that asks for the session; undefined for the mesh. */
  readonly peer: BGPPeer | undefined;
  /** The other node is told to peer with us by the same resource: one of the two may wait for the other. */
  readonly mutual: boolean;
}

export interface Targets {
  readonly targets: readonly Target[];
  readonly problems: readonly Problem[];
}

export function targetsOf(self: Identity, resources: ClusterResources): Targets {
  const nodes = resources.nodes.flatMap((node) => identityOf(node, resources) ?? []);
  const problems: Problem[] = [];
  const wanted = [
    ...sorted(resources.bgpPeers).flatMap((peer) => peerTargets(peer, self, nodes, problems)),
    ...meshTargets(self, nodes, resources),
  ];
  return { targets: withoutDoubles(wanted, problems), problems };
}

/** In order of name, so that which of two doubles wins does not depend on the order of a list. */
function sorted(peers: readonly BGPPeer[]): readonly BGPPeer[] {
  return [...peers].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

function peerTargets(
  peer: BGPPeer,
  self: Identity,
  nodes: readonly Identity[],
  problems: Problem[],
): readonly Target[] {
  const { peerIP, peerSelector, reversePeering } = peer.spec;
  if (peerIP !== undefined && peerIP !== '')
    return concerns(peer, self, problems) ? addressTarget(peer, peerIP) : [];
  const remote = selectorOf(peer, 'peerSelector', peerSelector, problems);
  if (remote === undefined) return [];
  const mutual = reversePeering !== 'Manual';
  const others = nodes.filter((node) => node.name !== self.name);
  const forward = concerns(peer, self, problems) ? others.filter((node) => remote.matches(node.labels)) : [];
  const backward =
    mutual && remote.matches(self.labels) ? others.filter((node) => concerns(peer, node, problems)) : [];
  return [...new Set([...forward, ...backward])].flatMap((node) => nodeTargets(self, node, peer, mutual));
}

/** By name, by selector, or, with neither, every node (calico-data-model §4). */
function concerns(peer: BGPPeer, node: Identity, problems: Problem[]): boolean {
  if (peer.spec.node !== undefined && peer.spec.node !== '') return peer.spec.node === node.name;
  const selector = selectorOf(peer, 'nodeSelector', peer.spec.nodeSelector ?? '', problems);
  return selector?.matches(node.labels) ?? false;
}

function selectorOf(peer: BGPPeer, field: string, text: string | undefined, problems: Problem[]) {
  if (text === undefined) return undefined;
  const selector = parseSelector(text);
  if (selector.ok) return selector.value;
  const resource = `BGPPeer/${peer.metadata.name}`;
  problems.push(...selector.problems.map((problem) => ({ ...problem, resource, field: `spec.${field}` })));
  return undefined;
}

function addressTarget(peer: BGPPeer, text: string): readonly Target[] {
  const parsed = parsePeerAddress(text);
  if (parsed === undefined || peer.spec.asNumber === undefined) return [];
  return [
    {
      name: peer.metadata.name,
      address: parsed.address,
      port: parsed.port ?? 179,
      asn: peer.spec.asNumber,
      node: undefined,
      peer,
      mutual: false,
    },
  ];
}

/** One session per IP version that both ends have. */
function nodeTargets(
  self: Identity,
  node: Identity,
  peer: BGPPeer | undefined,
  mutual: boolean,
): readonly Target[] {
  const targets: Target[] = [];
  for (const version of [4, 6] as const) {
    const address = node.addresses[version];
    if (address === undefined || self.addresses[version] === undefined) continue;
    const name = `${peer?.metadata.name ?? 'mesh'}-${node.name}${version === 6 ? '-v6' : ''}`;
    targets.push({ name, address, port: node.port, asn: node.asn, node, peer, mutual });
  }
  return targets;
}

/** On unless switched off; route reflectors take no part (calico-data-model §19). */
function meshTargets(
  self: Identity,
  nodes: readonly Identity[],
  resources: ClusterResources,
): readonly Target[] {
  const enabled = configuration(resources, 'default')?.nodeToNodeMeshEnabled ?? true;
  if (!enabled || self.clusterId !== undefined) return [];
  return nodes
    .filter((node) => node.name !== self.name && node.clusterId === undefined)
    .flatMap((node) => nodeTargets(self, node, undefined, true));
}

/** Two sessions to one address would be one too many: the first stays, a BGPPeer before the mesh. */
function withoutDoubles(targets: readonly Target[], problems: Problem[]): readonly Target[] {
  const byEnd = new Map<string, Target>();
  const kept: Target[] = [];
  for (const target of targets) {
    const end = `${target.address.toString()} ${target.port}`;
    const first = byEnd.get(end);
    if (first === undefined) {
      byEnd.set(end, target);
      kept.push(target);
    } else if (target.peer !== undefined && target.peer !== first.peer) problems.push(double(target, first));
  }
  return kept;
}

function double(target: Target, first: Target): Problem {
  return {
    code: 'PEER_DOUBLE',
    resource: `BGPPeer/${target.peer?.metadata.name ?? ''}`,
    field: 'spec.peerIP',
    value: target.address.toString(),
    what: `${target.address.toString()} is a peer of this node already, by ${first.name}`,
    remedy: 'remove one of the two, or bind them to different nodes',
  };
}
