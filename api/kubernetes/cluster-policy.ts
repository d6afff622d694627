/**
 * ClusterNetworkPolicy and its forerunners to GlobalNetworkPolicy, each in a tier of its own.
 *
 * A rule that we cannot express fails closed, as its authors ask: where it would have let traffic through it is left out,
 * and where it would have stopped some, or handed it to the next tier, it stops all.
 */
import { formatPath } from '../schema/path.ts';
import type {
  AdminNetworkPolicy,
  AdminPolicyPort,
  BaselineAdminNetworkPolicy,
} from '../kinds/admin-network-policy.ts';
import type {
  ClusterEgressPeer,
  ClusterIngressPeer,
  ClusterNetworkPolicy,
  ClusterPolicyProtocol,
  ClusterSubject,
} from '../kinds/cluster-network-policy.ts';
import type { GlobalNetworkPolicy } from '../kinds/global-network-policy.ts';
import { API_VERSION } from '../kinds/kind.ts';
import { TIER_LABEL } from '../kinds/policy.ts';
import type { Action, EntityRule, Rule } from '../kinds/rule.ts';
import type { Problem } from '../problem.ts';
import { MADE_PREFIXES, madeMetadata } from './identity.ts';
import { type Made, plainEntity, plainRule } from './made.ts';
import { byProtocol, type PortOfProtocol, rangePort } from './ports.ts';
import { namespaceSelectorText, podSelectorText } from './selectors.ts';

/** Named `kcnp.kube-admin.<name>` or `kcnp.kube-baseline.<name>`; the priority is its order. */
export function clusterPolicyOf(policy: ClusterNetworkPolicy): Made<GlobalNetworkPolicy> {
  const admin = policy.spec.tier === 'Admin';
  return made(policy, {
    prefix: admin ? MADE_PREFIXES.clusterAdmin : MADE_PREFIXES.clusterBaseline,
    tier: admin ? 'kube-admin' : 'kube-baseline',
    order: policy.spec.priority,
    ingress: (policy.spec.ingress ?? []).map(({ from, protocols, ...rule }) => ({
      ...rule,
      peers: from,
      ports: (protocols ?? []).flatMap(portsOfProtocol),
    })),
    egress: (policy.spec.egress ?? []).map(({ to, protocols, ...rule }) => ({
      ...rule,
      peers: to,
      ports: (protocols ?? []).flatMap(portsOfProtocol),
    })),
  });
}

/** Named `kanp.adminnetworkpolicy.<name>`. */
export function adminPolicyOf(policy: AdminNetworkPolicy): Made<GlobalNetworkPolicy> {
  return made(policy, {
    prefix: MADE_PREFIXES.adminNetworkPolicy,
    tier: 'adminnetworkpolicy',
    order: policy.spec.priority,
    ...adminRules(policy),
  });
}

/** Named `kbanp.baselineadminnetworkpolicy.<name>`; there is one in a cluster. */
export function baselinePolicyOf(policy: BaselineAdminNetworkPolicy): Made<GlobalNetworkPolicy> {
  return made(policy, {
    prefix: MADE_PREFIXES.baselineAdminNetworkPolicy,
    tier: 'baselineadminnetworkpolicy',
    order: 1000,
    ...adminRules(policy),
  });
}

interface Wanted {
  readonly name?: string;
  readonly action: 'Accept' | 'Allow' | 'Deny' | 'Pass';
  readonly peers: readonly (ClusterIngressPeer | ClusterEgressPeer)[];
  readonly ports: readonly PortOfProtocol[];
}

interface Plan {
  readonly prefix: string;
  readonly tier: string;
  readonly order: number;
  readonly ingress: readonly Wanted[];
  readonly egress: readonly Wanted[];
}

type Policy = ClusterNetworkPolicy | AdminNetworkPolicy | BaselineAdminNetworkPolicy;

function adminRules({
  spec,
}: AdminNetworkPolicy | BaselineAdminNetworkPolicy): Pick<Plan, 'ingress' | 'egress'> {
  return {
    ingress: (spec.ingress ?? []).map(({ from, ports, ...rule }) => ({
      ...rule,
      peers: from,
      ports: (ports ?? []).map(adminPort),
    })),
    egress: (spec.egress ?? []).map(({ to, ports, ...rule }) => ({
      ...rule,
      peers: to,
      ports: (ports ?? []).map(adminPort),
    })),
  };
}

function made(policy: Policy, plan: Plan): Made<GlobalNetworkPolicy> {
  const problems: Problem[] = [];
  const rulesFor = (direction: 'ingress' | 'egress'): Rule[] =>
    plan[direction].flatMap((wanted, index) => {
      const strange = wanted.peers.findIndex((peer) => entityOf(peer) === undefined);
      if (strange < 0) return rulesOf(wanted, direction);
      const closed = wanted.action === 'Deny' || wanted.action === 'Pass';
      const side = direction === 'ingress' ? 'from' : 'to';
      problems.push(
        unsupported(policy, ['spec', direction, index, side, strange], wanted.peers[strange], closed),
      );
      return closed ? [{ action: 'Deny' as const }] : [];
    });
  const ingress = rulesFor('ingress');
  const egress = rulesFor('egress');
  const { prefix, tier, order } = plan;
  // These tiers pass on what they do not decide: a direction without rules need not be taken part in.
  const types = [
    ...(ingress.length === 0 ? [] : (['Ingress'] as const)),
    ...(egress.length === 0 ? [] : (['Egress'] as const)),
  ];
  return {
    problems,
    resource: {
      apiVersion: API_VERSION,
      kind: 'GlobalNetworkPolicy',
      metadata: {
        ...madeMetadata(policy.metadata, `${prefix}${policy.metadata.name}`),
        labels: { [TIER_LABEL]: tier },
      },
      spec: {
        tier,
        order,
        ...subjectOf(policy.spec.subject),
        types: types.length === 0 ? ['Ingress'] : types,
        ...(ingress.length === 0 ? {} : { ingress }),
        ...(egress.length === 0 ? {} : { egress }),
      },
    },
  };
}

/** Pods, never hosts: a subject of namespaces alone still asks for the mark of pods. */
function subjectOf({ namespaces, pods }: ClusterSubject): { selector: string; namespaceSelector: string } {
  return {
    selector: podSelectorText(pods?.podSelector),
    namespaceSelector: namespaceSelectorText(pods?.namespaceSelector ?? namespaces),
  };
}

function rulesOf({ name, action, peers, ports }: Wanted, direction: 'ingress' | 'egress'): Rule[] {
  const head: Pick<Rule, 'action' | 'metadata'> = {
    action: ACTIONS[action],
    ...(name === undefined || name === '' ? {} : { metadata: { annotations: { name } } }),
  };
  return byProtocol(ports).flatMap(({ protocol, ports }) =>
    peers.map((peer) => {
      const entity = entityOf(peer) ?? {};
      const target = plainEntity({ ports });
      return plainRule({
        ...head,
        ...(protocol === undefined ? {} : { protocol }),
        ...(direction === 'ingress'
          ? { source: entity, destination: target }
          : { destination: { ...entity, ...target } }),
      });
    }),
  );
}

const ACTIONS: Readonly<Record<Wanted['action'], Action>> = {
  Accept: 'Allow',
  Allow: 'Allow',
  Deny: 'Deny',
  Pass: 'Pass',
};

/** Undefined for peers that we cannot express: nodes by their labels, names of domains, what is to come. */
function entityOf(peer: ClusterIngressPeer | ClusterEgressPeer): EntityRule | undefined {
  if (peer.pods !== undefined) {
    return plainEntity({
      selector: podSelectorText(peer.pods.podSelector),
      namespaceSelector: namespaceSelectorText(peer.pods.namespaceSelector),
    });
  }
  if (peer.namespaces !== undefined)
    return plainEntity({ namespaceSelector: namespaceSelectorText(peer.namespaces) });
  if ('networks' in peer && peer.networks !== undefined) return plainEntity({ nets: peer.networks });
  return undefined;
}

/** A named port is meant with whatever protocol the container gives it, so it is looked for with each. */
function portsOfProtocol(match: ClusterPolicyProtocol): PortOfProtocol[] {
  const { tcp, udp, sctp, destinationNamedPort: port } = match;
  if (port !== undefined) return (['TCP', 'UDP', 'SCTP'] as const).map((protocol) => ({ protocol, port }));
  for (const [protocol, transport] of [
    ['TCP', tcp],
    ['UDP', udp],
    ['SCTP', sctp],
  ] as const) {
    if (transport === undefined) continue;
    const { number, range } = transport.destinationPort ?? {};
    if (number !== undefined) return [{ protocol, port: number }];
    return [range === undefined ? { protocol } : { protocol, port: rangePort(range.start, range.end) }];
  }
  return [];
}

/** The API gives named ports no protocol; Calico reads them as TCP. */
function adminPort({ portNumber, portRange, namedPort }: AdminPolicyPort): PortOfProtocol {
  if (portNumber !== undefined) return { protocol: portNumber.protocol, port: portNumber.port };
  if (portRange !== undefined)
    return { protocol: portRange.protocol, port: rangePort(portRange.start, portRange.end) };
  return namedPort === undefined ? { protocol: 'TCP' } : { protocol: 'TCP', port: namedPort };
}

function unsupported(
  policy: Policy,
  path: readonly (string | number)[],
  peer: object | undefined,
  closed: boolean,
): Problem {
  const what = Object.keys(peer ?? {}).join(', ') || 'nothing';
  return {
    code: 'POLICY_UNSUPPORTED',
    resource: `${policy.kind}/${policy.metadata.name}`,
    field: formatPath(path),
    what: `peers by ${what} cannot be matched; the rule ${closed ? 'stops everything' : 'lets nothing through'} instead`,
    remedy: 'use namespaces, pods or networks',
  };
}
