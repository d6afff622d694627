/** The policies of Kubernetes, as cases for packets. What upstream's own tests ask is in `conformance.ts`. */
import type { Case, Me } from './case.ts';

type Direction = Case['direction'];

function kubernetes(
  it: string,
  direction: Direction,
  spec: object,
  more: Omit<Partial<Case>, 'it' | 'direction'> = {},
): Case {
  return { it: `Kubernetes: ${it}`, direction, resources: (me) => [kubernetesPolicy(me, spec)], ...more };
}

export function kubernetesPolicy(me: Me, spec: object): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: me.id, namespace: 'prod' },
    spec: { podSelector: me.podSelector, ...spec },
  };
}

export const from = (...peers: readonly object[]): object => ({ ingress: [{ from: peers }] });
const to = (...peers: readonly object[]): object => ({ policyTypes: ['Egress'], egress: [{ to: peers }] });
export const WEB = { podSelector: { matchLabels: { role: 'web' } } };
const TEST = { namespaceSelector: { matchLabels: { name: 'test' } } };
const BLOCK = { ipBlock: { cidr: '10.65.0.0/16', except: ['10.65.0.3/32'] } };
const BLOCK6 = { ipBlock: { cidr: 'fd65::/64', except: ['fd65::3/128'] } };

const OTHERS = { matchExpressions: [{ key: 'name', operator: 'NotIn', values: ['prod'] }] };
const BOTH = {
  policyTypes: ['Ingress', 'Egress'],
  ingress: [{ from: [WEB] }],
  egress: [{ ports: [{ port: 8080 }] }],
};
const OUT_8080 = { policyTypes: ['Egress'], egress: [{ ports: [{ port: 8080 }] }] };

function expression(key: string, operator: string, values: readonly string[]): object {
  return { podSelector: { matchExpressions: [{ key, operator, values }] } };
}

/** For a second policy of the same pod. */
function second(me: Me): Me {
  return { ...me, id: `${me.id}-more` };
}

/** Named after what Kubernetes' own tests of network plugins ask. */
const conformance: readonly Case[] = [
  kubernetes('default deny of ingress', 'ingress', { policyTypes: ['Ingress'] }),
  kubernetes('default deny of egress', 'egress', { policyTypes: ['Egress'] }),
  kubernetes('default deny of both leaves no way in', 'ingress', { policyTypes: ['Ingress', 'Egress'] }),
  kubernetes('deny of egress leaves ingress open', 'ingress', { policyTypes: ['Egress'] }),
  kubernetes('allow all ingress', 'ingress', { ingress: [{}] }),
  kubernetes('allow all egress', 'egress', { policyTypes: ['Egress'], egress: [{}] }),
  kubernetes('from pods', 'ingress', from(WEB)),
  kubernetes(
    'from pods by expressions',
    'ingress',
    from({ podSelector: { matchExpressions: [{ key: 'role', operator: 'NotIn', values: ['web'] }] } }),
  ),
  kubernetes(
    'from pods with a label of any value',
    'ingress',
    from({ podSelector: { matchExpressions: [{ key: 'role', operator: 'Exists' }] } }),
  ),
  kubernetes(
    'from pods without a label',
    'ingress',
    from({ podSelector: { matchExpressions: [{ key: 'role', operator: 'DoesNotExist' }] } }),
  ),
  kubernetes('from all pods of the namespace', 'ingress', from({ podSelector: {} })),
  kubernetes('from a namespace', 'ingress', from(TEST)),
  kubernetes('from all namespaces', 'ingress', from({ namespaceSelector: {} })),
  kubernetes('from pods of a namespace', 'ingress', from({ ...WEB, ...TEST })),
  kubernetes('from pods or a namespace', 'ingress', from(WEB, TEST)),
  kubernetes('from a block with an exception', 'ingress', from(BLOCK)),
  kubernetes('from a block of IPv6 with an exception', 'ingress', from(BLOCK6)),
  kubernetes('to pods', 'egress', to(WEB)),
  kubernetes('to a namespace', 'egress', to(TEST)),
  kubernetes('to pods of a namespace', 'egress', to({ ...WEB, ...TEST })),
  kubernetes('to a block with an exception', 'egress', to(BLOCK)),
  kubernetes('to a block of IPv6 with an exception', 'egress', to(BLOCK6)),
  kubernetes('a port', 'ingress', { ingress: [{ ports: [{ port: 8080 }] }] }),
  kubernetes('a port of UDP', 'ingress', { ingress: [{ ports: [{ protocol: 'UDP', port: 8080 }] }] }),
  kubernetes('a port by name', 'ingress', { ingress: [{ ports: [{ port: 'http' }] }] }),
  kubernetes('ports up to endPort', 'ingress', { ingress: [{ ports: [{ port: 8000, endPort: 8100 }] }] }),
  kubernetes('several ports', 'ingress', { ingress: [{ ports: [{ port: 8080 }, { port: 9090 }] }] }),
  kubernetes('a port of some pods', 'ingress', { ingress: [{ from: [WEB], ports: [{ port: 9090 }] }] }),
  kubernetes('a port for all and another for some', 'ingress', {
    ingress: [{ ports: [{ port: 8080 }] }, { from: [WEB], ports: [{ port: 9090 }] }],
  }),
  kubernetes('SCTP alone stops TCP and UDP', 'ingress', {
    ingress: [{ ports: [{ protocol: 'SCTP', port: 8080 }] }],
  }),
  kubernetes('ports by name on the way out', 'egress', {
    policyTypes: ['Egress'],
    egress: [{ ports: [{ port: 'http' }] }],
  }),
  kubernetes('an update of the rules', 'ingress', from(WEB), {
    changed: (me) => [kubernetesPolicy(me, from(TEST))],
  }),
  kubernetes(
    'an update of the ports',
    'ingress',
    { ingress: [{ ports: [{ port: 8080 }] }] },
    { changed: (me) => [kubernetesPolicy(me, { ingress: [{ ports: [{ port: 9090 }] }] })] },
  ),
  kubernetes('a removal', 'ingress', { policyTypes: ['Ingress'] }, { changed: () => [] }),
  kubernetes('a removal on the way out', 'egress', { policyTypes: ['Egress'] }, { changed: () => [] }),
  kubernetes(
    'a pod that it no longer selects',
    'ingress',
    {},
    {
      labels: { phase: 'one' },
      resources: (me) => [
        kubernetesPolicy({ ...me, podSelector: { matchLabels: { case: me.id, phase: 'one' } } }, {}),
      ],
      changedLabels: { phase: 'two' },
    },
  ),
  kubernetes(
    'a pod that it comes to select',
    'ingress',
    {},
    {
      labels: { phase: 'one' },
      resources: (me) => [
        kubernetesPolicy({ ...me, podSelector: { matchLabels: { case: me.id, phase: 'two' } } }, {}),
      ],
      changedLabels: { phase: 'two' },
    },
  ),
  kubernetes(
    'peers whose labels change',
    'ingress',
    from({ podSelector: { matchLabels: { mood: 'good' } } }),
  ),
  kubernetes(
    'namespaces whose labels change',
    'ingress',
    from({ namespaceSelector: { matchLabels: { mood: 'good' } } }),
  ),
  kubernetes('default deny of both leaves no way out', 'egress', { policyTypes: ['Ingress', 'Egress'] }),
  kubernetes(
    'a way in for one besides a deny for all',
    'ingress',
    {},
    {
      resources: (me) => [
        kubernetesPolicy(me, {}),
        kubernetesPolicy(second(me), from({ podSelector: {}, namespaceSelector: {} })),
      ],
    },
  ),
  kubernetes('from pods by a list of values', 'ingress', from(expression('role', 'In', ['web', 'db']))),
  kubernetes('from namespaces by a list of values', 'ingress', from({ namespaceSelector: OTHERS })),
  kubernetes('from pods or other namespaces', 'ingress', from({ namespaceSelector: OTHERS }, WEB)),
  kubernetes('from pods of other namespaces', 'ingress', from({ namespaceSelector: OTHERS, ...WEB })),
  kubernetes(
    'from pods of other namespaces, both by lists',
    'ingress',
    from({ namespaceSelector: OTHERS, ...expression('role', 'In', ['web', 'lb']) }),
  ),
  kubernetes(
    'from any of several pods',
    'ingress',
    from(WEB, { podSelector: { matchLabels: { role: 'lb' } } }),
  ),
  kubernetes(
    'from pods with several labels',
    'ingress',
    from({ podSelector: { matchLabels: { role: 'lb', mood: 'good' } } }),
  ),
  kubernetes('a port of a namespace', 'ingress', { ingress: [{ from: [TEST], ports: [{ port: 8080 }] }] }),
  kubernetes('a port by name of a namespace', 'ingress', {
    ingress: [{ from: [TEST], ports: [{ port: 'http' }] }],
  }),
  kubernetes(
    'a second policy for a second port',
    'ingress',
    { ingress: [{ from: [TEST], ports: [{ port: 9090 }] }] },
    {
      changed: (me) => [
        kubernetesPolicy(me, { ingress: [{ from: [TEST], ports: [{ port: 9090 }] }] }),
        kubernetesPolicy(second(me), { ingress: [{ from: [TEST], ports: [{ port: 8080 }] }] }),
      ],
    },
  ),
  kubernetes(
    'from all allowed to all denied',
    'ingress',
    { ingress: [{}] },
    {
      changed: (me) => [kubernetesPolicy(me, { ingress: [] })],
    },
  ),
  kubernetes('both directions in one policy, the way in', 'ingress', BOTH),
  kubernetes('both directions in one policy, the way out', 'egress', BOTH),
  kubernetes('any port of a protocol', 'ingress', { ingress: [{ ports: [{ protocol: 'TCP' }] }] }),
  kubernetes('any port of SCTP', 'ingress', { ingress: [{ ports: [{ protocol: 'SCTP' }] }] }),
  kubernetes('ports up to endPort of SCTP', 'ingress', {
    ingress: [{ ports: [{ protocol: 'SCTP', port: 8000, endPort: 8100 }] }],
  }),
  kubernetes('a port of UDP and one of TCP', 'ingress', {
    ingress: [
      {
        ports: [
          { protocol: 'UDP', port: 8080 },
          { protocol: 'TCP', port: 9090 },
        ],
      },
    ],
  }),
  kubernetes('pods of a namespace by UDP', 'ingress', {
    ingress: [{ from: [{ ...WEB, ...TEST }], ports: [{ protocol: 'UDP', port: 8080 }] }],
  }),
  kubernetes('pods of a namespace by SCTP', 'ingress', {
    ingress: [{ from: [{ ...WEB, ...TEST }], ports: [{ protocol: 'SCTP', port: 8080 }] }],
  }),
  kubernetes(
    'one port, and a second policy for all',
    'ingress',
    { ingress: [{ ports: [{ port: 8080 }] }] },
    {
      changed: (me) => [
        kubernetesPolicy(me, { ingress: [{ ports: [{ port: 8080 }] }] }),
        kubernetesPolicy(second(me), { ingress: [{}] }),
      ],
    },
  ),
  kubernetes('one port out, and a second policy for all', 'egress', OUT_8080, {
    changed: (me) => [
      kubernetesPolicy(me, OUT_8080),
      kubernetesPolicy(second(me), { policyTypes: ['Egress'], egress: [{}] }),
    ],
  }),
  kubernetes('an exception that another policy allows', 'egress', to(BLOCK), {
    changed: (me) => [
      kubernetesPolicy(me, to(BLOCK)),
      kubernetesPolicy(second(me), to({ ipBlock: { cidr: '10.65.0.3/32' } })),
    ],
  }),
  kubernetes('an exception that an update allows', 'egress', to(BLOCK), {
    changed: (me) => [kubernetesPolicy(me, to({ ipBlock: { cidr: '10.65.0.3/32' } }))],
  }),
  kubernetes(
    'all out and none in, the way in',
    'ingress',
    {},
    {
      resources: (me) => [
        kubernetesPolicy(me, { policyTypes: ['Egress'], egress: [{}] }),
        kubernetesPolicy(second(me), { policyTypes: ['Ingress'] }),
      ],
    },
  ),
  kubernetes(
    'all out and none in, the way out',
    'egress',
    {},
    {
      resources: (me) => [
        kubernetesPolicy(me, { policyTypes: ['Egress'], egress: [{}] }),
        kubernetesPolicy(second(me), { policyTypes: ['Ingress'] }),
      ],
    },
  ),
  kubernetes('policyTypes that its rules imply', 'egress', { egress: [{ to: [WEB] }] }),
  kubernetes('policies that add up', 'ingress', from(WEB), {
    resources: (me) => [
      kubernetesPolicy(me, from(WEB)),
      kubernetesPolicy({ ...me, id: `${me.id}-more` }, { podSelector: me.podSelector, ...from(TEST) }),
    ],
  }),
];

export const KUBERNETES_CASES: readonly Case[] = conformance;
