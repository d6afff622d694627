/** What policies say to one another, few of them at a time, among three workloads. */
import type { Workload } from './node.ts';

export const STRANGER: Workload = { name: 'stranger', namespace: 'test', labels: { role: 'web' }, index: 3 };
export const WORKLOADS: readonly Workload[] = [
  { name: 'web', namespace: 'prod', labels: { role: 'web' }, index: 1 },
  { name: 'db', namespace: 'prod', labels: { role: 'db' }, index: 2 },
  STRANGER,
];

function policy(kind: string, name: string, spec: object, namespace?: string): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    spec,
  };
}

export const np = (name: string, spec: object): object => policy('NetworkPolicy', name, spec, 'prod');
const gnp = (name: string, spec: object): object => policy('GlobalNetworkPolicy', name, spec);
function k8s(name: string, spec: object): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'prod' },
    spec,
  };
}

const FROM_WEB = { action: 'Allow', protocol: 'TCP', source: { selector: "role == 'web'" } };

export const FEW_CASES: readonly {
  readonly it: string;
  readonly resources: readonly object[];
  readonly allowed?: number;
}[] = [
  { it: 'lets all through where no policy is, as the profiles say', resources: [], allowed: 12 * 3 * 2 },
  {
    it: 'isolates what a policy without rules selects',
    resources: [np('none', { selector: "role == 'db'" })],
  },
  {
    it: 'allows by selector within the namespace of the policy',
    resources: [np('db', { selector: "role == 'db'", ingress: [FROM_WEB] })],
  },
  {
    it: 'allows one port',
    resources: [
      np('db', { selector: "role == 'db'", ingress: [{ ...FROM_WEB, destination: { ports: [9090] } }] }),
    ],
  },
  {
    it: 'allows a port by its name',
    resources: [
      np('db', { selector: "role == 'db'", ingress: [{ ...FROM_WEB, destination: { ports: ['http'] } }] }),
    ],
  },
  {
    it: 'allows a range of ports and one by name together',
    resources: [
      np('db', {
        selector: "role == 'db'",
        ingress: [{ action: 'Allow', protocol: 'TCP', destination: { ports: ['9000:9100', 'http'] } }],
      }),
    ],
  },
  {
    it: 'denies a port by notPorts',
    resources: [
      np('db', {
        selector: "role == 'db'",
        ingress: [{ action: 'Allow', protocol: 'TCP', destination: { notPorts: [9090] } }],
      }),
    ],
  },
  {
    it: 'selects namespaces',
    resources: [
      np('db', {
        selector: "role == 'db'",
        ingress: [{ action: 'Allow', source: { namespaceSelector: "name == 'test'" } }],
      }),
    ],
  },
  {
    it: 'subtracts by notSelector',
    resources: [
      gnp('all', {
        selector: "role == 'db'",
        ingress: [{ action: 'Allow', source: { notSelector: "role == 'web'" } }],
      }),
    ],
  },
  {
    it: 'allows by several nets less some',
    resources: [
      gnp('nets', {
        selector: "role == 'db'",
        ingress: [
          {
            action: 'Allow',
            source: { nets: ['10.65.0.0/16', '198.51.100.0/24', '192.0.2.0/24'], notNets: ['10.65.0.3/32'] },
          },
          {
            action: 'Allow',
            source: { nets: ['fd65::/64', 'fd99::/64'], notNets: ['fd65::1/128', 'fd65::9/128'] },
          },
        ],
      }),
    ],
  },
  {
    it: 'applies egress',
    resources: [
      gnp('out', {
        selector: "role == 'web'",
        types: ['Egress'],
        egress: [
          { action: 'Allow', protocol: 'UDP' },
          { action: 'Allow', destination: { selector: "role == 'db'" } },
        ],
      }),
    ],
  },
  {
    it: 'Kubernetes: isolates a whole namespace',
    resources: [k8s('all', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })],
  },
  {
    it: 'Kubernetes: opens a namespace to itself alone',
    resources: [
      k8s('own', {
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{ podSelector: {} }] }],
        egress: [{ to: [{ podSelector: {} }] }],
      }),
    ],
  },
  {
    it: 'Kubernetes: denies at the client what the server allows',
    resources: [
      k8s('client', {
        podSelector: { matchLabels: { role: 'web' } },
        policyTypes: ['Egress'],
        egress: [{ ports: [{ port: 9090 }] }],
      }),
      k8s('server', {
        podSelector: { matchLabels: { role: 'db' } },
        ingress: [{ from: [{ podSelector: { matchLabels: { role: 'web' } } }] }],
      }),
    ],
  },
  {
    it: 'asks tiers in order, Pass going on',
    resources: [
      policy('Tier', 'platform', { order: 10, defaultAction: 'Deny' }),
      gnp('guard', {
        tier: 'platform',
        selector: "role == 'db'",
        ingress: [{ action: 'Deny', source: { nets: ['198.51.100.0/24'] } }, { action: 'Pass' }],
      }),
      np('db', { selector: "role == 'db'", ingress: [{ action: 'Allow', protocol: 'TCP' }] }),
    ],
  },
  {
    it: 'ends a tier as its default says',
    resources: [
      policy('Tier', 'platform', { order: 10, defaultAction: 'Pass' }),
      gnp('guard', {
        tier: 'platform',
        selector: "role == 'db'",
        ingress: [{ action: 'Allow', protocol: 'UDP' }],
      }),
    ],
  },
  {
    it: 'asks policies in order',
    resources: [
      np('a', { order: 20, selector: 'all()', ingress: [{ action: 'Deny' }] }),
      np('b', { order: 10, selector: 'all()', ingress: [FROM_WEB] }),
    ],
  },
  {
    it: 'selects by GlobalNetworkSet',
    resources: [
      policy('GlobalNetworkSet', 'office', { nets: ['198.51.100.0/25', 'fd99::/64'] }),
      {
        ...(policy('GlobalNetworkSet', 'partners', { nets: ['198.51.100.2/32'] }) as { metadata: object }),
        metadata: { name: 'partners', labels: { kind: 'partner' } },
      },
      gnp('sets', {
        selector: "role == 'db'",
        ingress: [{ action: 'Allow', source: { selector: "kind == 'partner'" } }],
      }),
    ],
  },
  {
    it: 'logs and goes on',
    resources: [
      np('log', { selector: 'all()', ingress: [{ action: 'Log' }, { action: 'Allow', protocol: 'TCP' }] }),
    ],
  },
  {
    it: 'speaks of one family by ipVersion',
    resources: [np('six', { selector: 'all()', ingress: [{ action: 'Allow', ipVersion: 6 }] })],
  },
  {
    it: 'denies by notProtocol',
    resources: [
      np('np', { selector: 'all()', ingress: [{ action: 'Deny', notProtocol: 'UDP' }, { action: 'Allow' }] }),
    ],
  },
  {
    it: 'keeps many policies of one selector in a group',
    resources: [1, 2, 3, 4, 5, 6, 7].map((each) =>
      np(`p${each}`, {
        order: each,
        selector: "role == 'db'",
        ingress: [{ action: each === 7 ? 'Allow' : 'Log', protocol: 'TCP', destination: { ports: [9090] } }],
      }),
    ),
  },
  {
    it: 'asks nobody of a long group after the first that decides',
    resources: [1, 2, 3, 4, 5, 6, 7, 8].map((each) =>
      np(`p${each}`, {
        order: each,
        selector: "role == 'db'",
        ingress: [
          each === 2
            ? { action: 'Allow', protocol: 'TCP', destination: { ports: [9090] } }
            : { action: each > 5 ? 'Deny' : 'Log', protocol: 'TCP' },
        ],
      }),
    ),
  },
];
