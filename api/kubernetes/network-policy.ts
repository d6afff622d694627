/** NetworkPolicy of Kubernetes to NetworkPolicy of ours: in the default tier, at order 1000. */
import { API_VERSION } from '../kinds/kind.ts';
import type {
  KubernetesNetworkPolicy,
  KubernetesPeer,
  KubernetesPolicyPort,
  StagedKubernetesNetworkPolicy,
} from '../kinds/kubernetes-network-policy.ts';
import type { NetworkPolicy } from '../kinds/network-policy.ts';
import { DEFAULT_TIER, TIER_LABEL } from '../kinds/policy.ts';
import type { EntityRule, Rule } from '../kinds/rule.ts';
import type { StagedNetworkPolicy } from '../kinds/staged-policy.ts';
import { MADE_PREFIXES, madeMetadata } from './identity.ts';
import { plainEntity, plainRule } from './made.ts';
import { byProtocol, type PortOfProtocol } from './ports.ts';
import { namespaceSelectorText, podSelectorText } from './selectors.ts';

const ORDER = 1000;

type PolicySpec = Omit<KubernetesNetworkPolicy['spec'], 'policyTypes'> & {
  readonly policyTypes?: readonly ('Ingress' | 'Egress')[];
};

/** Its name is `knp.default.<name>`. A port or a peer that is absent stands for any, as in Kubernetes. */
export function networkPolicyOf(policy: KubernetesNetworkPolicy): NetworkPolicy {
  const { metadata, spec } = policy;
  return {
    apiVersion: API_VERSION,
    kind: 'NetworkPolicy',
    metadata: {
      ...madeMetadata(metadata, `${MADE_PREFIXES.networkPolicy}${metadata.name}`, metadata.namespace),
      labels: { [TIER_LABEL]: DEFAULT_TIER },
    },
    spec: policySpec(spec),
  };
}

/** The same for a policy on trial. A deletion names what goes and nothing else. */
export function stagedNetworkPolicyOf(policy: StagedKubernetesNetworkPolicy): StagedNetworkPolicy {
  const { metadata, spec } = policy;
  const { stagedAction, ...rest } = spec;
  return {
    apiVersion: API_VERSION,
    kind: 'StagedNetworkPolicy',
    metadata: {
      ...madeMetadata(metadata, `${MADE_PREFIXES.networkPolicy}${metadata.name}`, metadata.namespace),
      labels: { [TIER_LABEL]: DEFAULT_TIER },
    },
    spec:
      stagedAction === 'Delete'
        ? { stagedAction, tier: DEFAULT_TIER }
        : { stagedAction, ...policySpec(rest) },
  };
}

function policySpec(spec: PolicySpec): NetworkPolicy['spec'] {
  const ingress = (spec.ingress ?? []).flatMap(({ from = [], ports = [] }) =>
    rulesOf(from, ports, (peer, target) => ({ source: peer, destination: target })),
  );
  const egress = (spec.egress ?? []).flatMap(({ to = [], ports = [] }) =>
    rulesOf(to, ports, (peer, target) => ({ destination: { ...peer, ...target } })),
  );
  // Policies from before there were types, when all were of ingress, have none.
  const types = (['Ingress', 'Egress'] as const).filter((type) => spec.policyTypes?.includes(type));
  return {
    tier: DEFAULT_TIER,
    order: ORDER,
    selector: podSelectorText(spec.podSelector),
    types: types.length === 0 ? ['Ingress'] : types,
    ...(ingress.length === 0 ? {} : { ingress }),
    ...(egress.length === 0 ? {} : { egress }),
  };
}

/** One rule for each protocol and peer. */
function rulesOf(
  peers: readonly KubernetesPeer[],
  ports: readonly KubernetesPolicyPort[],
  placed: (peer: EntityRule, target: EntityRule) => { source?: EntityRule; destination: EntityRule },
): Rule[] {
  const everybody: readonly (KubernetesPeer | undefined)[] = peers.length === 0 ? [undefined] : peers;
  return byProtocol(ports.map(portOf)).flatMap(({ protocol, ports }) =>
    everybody.map((peer) =>
      plainRule({
        action: 'Allow',
        ...(protocol === undefined ? {} : { protocol }),
        ...placed(entityOf(peer), plainEntity({ ports })),
      }),
    ),
  );
}

function portOf({ protocol, port, endPort }: KubernetesPolicyPort): PortOfProtocol {
  if (port === undefined) return { protocol };
  return { protocol, port: endPort === undefined || endPort === port ? port : `${port}:${endPort}` };
}

function entityOf(peer: KubernetesPeer | undefined): EntityRule {
  if (peer === undefined) return {};
  if (peer.ipBlock !== undefined)
    return plainEntity({ nets: [peer.ipBlock.cidr], notNets: peer.ipBlock.except ?? [] });
  return plainEntity({
    selector: podSelectorText(peer.podSelector),
    namespaceSelector: namespaceSelectorText(peer.namespaceSelector),
  });
}
