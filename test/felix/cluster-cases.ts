/**
 * ClusterNetworkPolicy, and AdminNetworkPolicy and BaselineAdminNetworkPolicy before it, as cases for packets: every kind of
 * peer, port and subject, both directions, and how they stand to one another and to NetworkPolicy.
 */
import type { Case, Me } from './case.ts';
import { WEB, from, kubernetesPolicy } from './kubernetes-cases.ts';

type Direction = Case['direction'];

const TEST = { matchLabels: { name: 'test' } };
const PODS = { pods: { namespaceSelector: TEST, podSelector: { matchLabels: { role: 'web' } } } };
const OTHER_PODS = {
  pods: {
    namespaceSelector: {},
    podSelector: { matchExpressions: [{ key: 'role', operator: 'NotIn', values: ['web'] }] },
  },
};

interface Plan {
  readonly tier?: 'Admin' | 'Baseline';
  readonly priority?: number;
  readonly ingress?: readonly object[];
  readonly egress?: readonly object[];
}

function clusterPolicy(me: Me, { tier = 'Admin', priority = 10, ...rules }: Plan, name = me.id): object {
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name },
    spec: { tier, priority, subject: subjectOf(me), ...rules },
  };
}

function adminPolicy(me: Me, priority: number, rules: object, name = me.id): object {
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'AdminNetworkPolicy',
    metadata: { name },
    spec: { priority, subject: subjectOf(me), ...rules },
  };
}

/** There can be one only, of this name. */
function baselinePolicy(me: Me, rules: object): object {
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'BaselineAdminNetworkPolicy',
    metadata: { name: 'default' },
    spec: { subject: subjectOf(me), ...rules },
  };
}

function subjectOf({ podSelector }: Me): object {
  return { pods: { namespaceSelector: {}, podSelector } };
}

const fromTest = { from: [{ namespaces: TEST }] };
const toTest = { to: [{ namespaces: TEST }] };

/** One rule of a ClusterNetworkPolicy, in front of a NetworkPolicy that denies and one that allows. */
function cluster(it: string, direction: Direction, rule: object, below: object | undefined): Case {
  return {
    it: `ClusterNetworkPolicy: ${it}`,
    direction,
    resources: (me) => [
      clusterPolicy(me, { [direction]: [rule] }),
      ...(below === undefined ? [] : [kubernetesPolicy(me, below)]),
    ],
  };
}

const DENY_ALL = { policyTypes: ['Ingress', 'Egress'] };

const rules: readonly Case[] = [
  cluster('denies a namespace', 'ingress', { action: 'Deny', ...fromTest }, undefined),
  cluster('denies a namespace out', 'egress', { action: 'Deny', ...toTest }, undefined),
  cluster('accepts what NetworkPolicy would stop', 'ingress', { action: 'Accept', ...fromTest }, DENY_ALL),
  cluster('accepts out what NetworkPolicy would stop', 'egress', { action: 'Accept', ...toTest }, DENY_ALL),
  cluster('passes on to NetworkPolicy', 'ingress', { action: 'Pass', ...fromTest }, from(WEB)),
  cluster('accepts pods', 'ingress', { action: 'Accept', from: [PODS] }, DENY_ALL),
  cluster('denies pods by a list', 'ingress', { action: 'Deny', from: [OTHER_PODS] }, undefined),
  cluster('accepts pods out', 'egress', { action: 'Accept', to: [PODS] }, DENY_ALL),
  cluster(
    'accepts several peers',
    'ingress',
    { action: 'Accept', from: [PODS, { namespaces: { matchLabels: { name: 'shift' } } }] },
    DENY_ALL,
  ),
  cluster(
    'denies networks',
    'egress',
    { action: 'Deny', to: [{ networks: ['10.65.0.0/30', 'fd65::/126'] }] },
    undefined,
  ),
  cluster(
    'accepts a network',
    'egress',
    { action: 'Accept', to: [{ networks: ['198.51.100.0/24'] }] },
    DENY_ALL,
  ),
  ...['tcp', 'udp', 'sctp'].flatMap((protocol) => [
    cluster(
      `denies a port of ${protocol}`,
      'ingress',
      {
        action: 'Deny',
        ...fromTest,
        protocols: [{ [protocol]: { destinationPort: { number: 8080 } } }],
      },
      undefined,
    ),
    cluster(
      `accepts ports of ${protocol} out`,
      'egress',
      {
        action: 'Accept',
        ...toTest,
        protocols: [{ [protocol]: { destinationPort: { range: { start: 8000, end: 8100 } } } }],
      },
      DENY_ALL,
    ),
  ]),
  cluster(
    'denies a port by name',
    'ingress',
    { action: 'Deny', ...fromTest, protocols: [{ destinationNamedPort: 'http' }] },
    undefined,
  ),
  cluster(
    'denies several protocols',
    'ingress',
    {
      action: 'Deny',
      ...fromTest,
      protocols: [
        { tcp: { destinationPort: { number: 9090 } } },
        { udp: { destinationPort: { number: 8080 } } },
      ],
    },
    undefined,
  ),
];

const order: readonly Case[] = [
  {
    it: 'ClusterNetworkPolicy: the lower priority first',
    direction: 'ingress',
    resources: (me) => [
      clusterPolicy(me, { priority: 5, ingress: [{ action: 'Accept', ...fromTest }] }),
      clusterPolicy(me, { priority: 4, ingress: [{ action: 'Deny', from: [PODS] }] }, `${me.id}-first`),
    ],
    changed: (me) => [
      clusterPolicy(me, { priority: 3, ingress: [{ action: 'Accept', ...fromTest }] }),
      clusterPolicy(me, { priority: 4, ingress: [{ action: 'Deny', from: [PODS] }] }, `${me.id}-first`),
    ],
  },
  {
    it: 'ClusterNetworkPolicy: rules in their order',
    direction: 'ingress',
    resources: (me) => [
      clusterPolicy(me, {
        ingress: [
          { action: 'Pass', from: [PODS] },
          { action: 'Deny', ...fromTest },
        ],
      }),
    ],
    changed: (me) => [
      clusterPolicy(me, {
        ingress: [
          { action: 'Deny', ...fromTest },
          { action: 'Pass', from: [PODS] },
        ],
      }),
    ],
  },
  {
    it: 'ClusterNetworkPolicy: Admin, NetworkPolicy and Baseline, in this order',
    direction: 'ingress',
    resources: (me) => [
      clusterPolicy(me, { ingress: [{ action: 'Pass', ...fromTest }] }),
      clusterPolicy(me, { tier: 'Baseline', ingress: [{ action: 'Deny', ...fromTest }] }, `${me.id}-base`),
    ],
    changed: (me) => [
      clusterPolicy(me, { ingress: [{ action: 'Pass', ...fromTest }] }),
      clusterPolicy(me, { tier: 'Baseline', ingress: [{ action: 'Deny', ...fromTest }] }, `${me.id}-base`),
      kubernetesPolicy(me, from(WEB, { namespaceSelector: TEST })),
    ],
  },
  ...(['ingress', 'egress'] as const).map(
    (direction): Case => ({
      it: `ClusterNetworkPolicy: a baseline, ${direction}`,
      direction,
      resources: (me) => [
        clusterPolicy(me, {
          tier: 'Baseline',
          [direction]: [
            direction === 'ingress' ? { action: 'Accept', from: [PODS] } : { action: 'Accept', to: [PODS] },
            direction === 'ingress'
              ? { action: 'Deny', from: [{ namespaces: {} }] }
              : { action: 'Deny', to: [{ namespaces: {} }] },
          ],
        }),
      ],
    }),
  ),
  {
    it: 'ClusterNetworkPolicy: the way out says nothing of the way in',
    direction: 'ingress',
    resources: (me) => [clusterPolicy(me, { egress: [{ action: 'Deny', to: [{ namespaces: {} }] }] })],
  },
  {
    it: 'ClusterNetworkPolicy: a removal',
    direction: 'ingress',
    resources: (me) => [clusterPolicy(me, { ingress: [{ action: 'Deny', ...fromTest }] })],
    changed: () => [],
  },
];

const port = (protocol: string, port: number): object => ({ portNumber: { protocol, port } });

const forerunners: readonly Case[] = [
  {
    it: 'AdminNetworkPolicy allows what NetworkPolicy would stop',
    direction: 'ingress',
    resources: (me) => [
      adminPolicy(me, 20, {
        ingress: [{ action: 'Allow', ...fromTest, ports: [port('TCP', 8080), port('SCTP', 8080)] }],
      }),
      kubernetesPolicy(me, DENY_ALL),
    ],
  },
  {
    it: 'AdminNetworkPolicy denies out',
    direction: 'egress',
    resources: (me) => [
      adminPolicy(me, 20, {
        egress: [
          { action: 'Pass', to: [PODS], ports: [{ portRange: { protocol: 'UDP', start: 8000, end: 9000 } }] },
          { action: 'Deny', ...toTest },
          {
            action: 'Deny',
            to: [{ networks: ['198.51.100.0/24', 'fd99::/64'] }],
            ports: [port('TCP', 9090)],
          },
        ],
      }),
    ],
  },
  {
    it: 'AdminNetworkPolicy by priority, and a port by name',
    direction: 'ingress',
    resources: (me) => [
      adminPolicy(me, 31, { ingress: [{ action: 'Deny', ...fromTest, ports: [{ namedPort: 'http' }] }] }),
      adminPolicy(
        me,
        30,
        { ingress: [{ action: 'Allow', from: [PODS], ports: [port('TCP', 8080)] }] },
        `${me.id}-first`,
      ),
    ],
    changed: (me) => [
      adminPolicy(me, 29, { ingress: [{ action: 'Deny', ...fromTest, ports: [{ namedPort: 'http' }] }] }),
      adminPolicy(
        me,
        30,
        { ingress: [{ action: 'Allow', from: [PODS], ports: [port('TCP', 8080)] }] },
        `${me.id}-first`,
      ),
    ],
  },
  {
    it: 'BaselineAdminNetworkPolicy below AdminNetworkPolicy and NetworkPolicy',
    direction: 'ingress',
    resources: (me) => [
      baselinePolicy(me, { ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] }),
      adminPolicy(me, 40, {
        ingress: [
          { action: 'Pass', ...fromTest },
          { action: 'Allow', from: [OTHER_PODS], ports: [port('UDP', 8080)] },
        ],
      }),
    ],
    changed: (me) => [
      baselinePolicy(me, { ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] }),
      adminPolicy(me, 40, { ingress: [{ action: 'Pass', ...fromTest }] }),
      kubernetesPolicy(me, from({ namespaceSelector: TEST })),
    ],
  },
];

export const CLUSTER_CASES: readonly Case[] = [...rules, ...order, ...forerunners];
