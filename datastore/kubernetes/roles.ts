/**
 * What the parts of Poplin may do on an API server, as narrow as their work allows: `deploy/rbac.yaml`. Pure.
 *
 * One account a node: agent, bgpd and felix-lite run in one pod, and the CNI plugin has no account, since it asks the agent.
 * What they read and what they write are roles of their own all the same, so that whoever runs bgpd or felix-lite alone
 * binds the first only.
 */
import { type ApiResource, sourcesOf } from './resources.ts';

const READ = ['get', 'list', 'watch'] as const;
const WRITE = ['create', 'update', 'delete'] as const;

/** Mirrored by bgpd, felix-lite and the agent. */
const WORLD = [
  'BGPConfiguration',
  'BGPFilter',
  'BGPPeer',
  'BlockAffinity',
  'ClusterInformation',
  'EndpointSlice',
  'FelixConfiguration',
  'GlobalNetworkPolicy',
  'GlobalNetworkSet',
  'HostEndpoint',
  'IPAMBlock',
  'IPAMConfig',
  'IPPool',
  'IPReservation',
  'KubeControllersConfiguration',
  'KubernetesNetworkPolicy',
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
  'Namespace',
  'NetworkPolicy',
  'NetworkSet',
  'Node',
  'Pod',
  'Profile',
  'Service',
  'ServiceAccount',
  'StagedGlobalNetworkPolicy',
  'StagedKubernetesNetworkPolicy',
  'StagedNetworkPolicy',
  'Tier',
  'WorkloadEndpoint',
] as const;

/** Addresses and who has them. */
const IPAM = ['BlockAffinity', 'IPAMBlock', 'IPAMHandle'] as const;

/** Objects of Kubernetes that people write through us as they would through kubectl. */
const KUBERNETES_POLICIES = [
  'KubernetesNetworkPolicy',
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
] as const;

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

export const NAMESPACE = 'kube-system';

export function roleManifests(): readonly object[] {
  return [
    ...ROLES.map(({ name, rules }) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name },
      rules,
    })),
    ...ACCOUNTS.flatMap(({ name, roles }) => [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: NAMESPACE } },
      ...roles.map((role) => binding(name, role)),
    ]),
  ];
}

/** Holds leases, profiles and endpoints that come from no object of Kubernetes. */
const OWN_RECORDS: Rule = {
  apiGroups: ['poplin.internal'],
  resources: ['storedobjects'],
  verbs: [...READ, ...WRITE],
};

const ROLES: readonly { readonly name: string; readonly rules: readonly Rule[] }[] = [
  { name: 'poplin-read', rules: [...rulesFor(WORLD, READ), ...rulesFor(['Lease'], READ)] },
  {
    name: 'poplin-ipam',
    rules: [
      ...rulesFor([...IPAM, 'IPAMConfig', 'IPPool', 'IPReservation', 'Node', 'Namespace'], READ),
      ...rulesFor(IPAM, WRITE),
      OWN_RECORDS,
    ],
  },
  {
    name: 'poplin-node',
    rules: [
      // Addresses of a node and of a pod are annotations, written through the status: no right to the objects themselves.
      { apiGroups: [''], resources: ['nodes/status', 'pods/status'], verbs: ['patch'] },
      ...rulesFor(['CalicoNodeStatus'], [...READ, 'update']),
    ],
  },
  // For the agent that leads, where KubeControllersConfiguration asks for automatic host endpoints.
  { name: 'poplin-host-endpoints', rules: rulesFor(['HostEndpoint'], WRITE) },
  {
    name: 'poplin-admin',
    rules: [
      ...rulesFor(WORLD, READ),
      { apiGroups: ['crd.projectcalico.org'], resources: ['*'], verbs: [...READ, ...WRITE] },
      ...rulesFor(KUBERNETES_POLICIES, WRITE),
      { apiGroups: [''], resources: ['nodes/status', 'pods/status'], verbs: ['patch'] },
      OWN_RECORDS,
    ],
  },
];

const ACCOUNTS: readonly { readonly name: string; readonly roles: readonly string[] }[] = [
  { name: 'poplin-node', roles: ['poplin-read', 'poplin-ipam', 'poplin-node', 'poplin-host-endpoints'] },
  { name: 'poplin-controller', roles: ['poplin-read', 'poplin-ipam'] },
];

function binding(account: string, role: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: account === role ? account : `${account}:${role}` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace: NAMESPACE }],
  };
}

/** One rule a group. */
function rulesFor(kinds: readonly string[], verbs: readonly string[]): Rule[] {
  const resources = kinds.flatMap((kind) => sourcesOf(kind).map(({ resource }): ApiResource => resource));
  return [...Map.groupBy(resources, ({ group }) => group)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, ofGroup]) => ({
      apiGroups: [group],
      resources: [...new Set(ofGroup.map(({ plural }) => plural))].toSorted(),
      verbs,
    }));
}
