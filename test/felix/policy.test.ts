/** Packets between real workloads under real iptables: what arrives is what the evaluator says. */
import { expect } from 'chai';
import type { Resource } from '../../api/index.ts';
import { judge } from '../../felix-lite/explain/evaluate.ts';
import { World } from '../../felix-lite/explain/world.ts';
import { Address } from '../../net/addr/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { configurationOf } from './backends.ts';
import { UPLINK } from './network.ts';
import type { Flow } from './wire.ts';
import {
  OUTSIDE,
  PORTS,
  TestNode,
  type Workload,
  addressesOf,
  endpointOf,
  interfaceOf,
  openProfile,
  valid,
} from './node.ts';

const STRANGER: Workload = { name: 'stranger', namespace: 'test', labels: { role: 'web' }, index: 3 };
const WORKLOADS: readonly Workload[] = [
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

const np = (name: string, spec: object): object => policy('NetworkPolicy', name, spec, 'prod');
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

const cases: readonly {
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

describeOnKernel('felix-lite with packets', function () {
  this.timeout(180_000);
  let node: TestNode;
  const world: readonly Resource[] = [
    ...WORKLOADS.map(endpointOf),
    ...['prod', 'test'].map(openProfile).map(valid),
  ];

  before(async () => {
    node = await TestNode.create(WORKLOADS);
    await node.put(...world);
    await node.startFelix();
  });
  after(() => node.remove());

  for (const each of cases) {
    it(each.it, async () => {
      await node.put(...each.resources);
      try {
        await node.settled();
        const [measured, expected] = await matrix(node, [...world, ...each.resources.map(valid)]);
        expect(measured).to.deep.equal(expected);
        if (each.allowed !== undefined)
          expect(Object.values(measured).filter(Boolean)).to.have.length(each.allowed);
        expect(node.felix.status().problems).to.deep.equal([]);
      } finally {
        await node.delete(...each.resources);
        await node.settled();
      }
    });
  }

  it('keeps an established connection when policy turns against it, as Calico does', async () => {
    const connection = await node.prober('web').open(addressesOf(2)[4], 8080);
    if (connection === undefined) throw new Error('could not connect');
    const deny = np('deny', { selector: "role == 'db'", ingress: [{ action: 'Deny' }] });
    await node.put(deny);
    await node.settled();
    expect(await node.prober('web').ping(connection, true)).to.equal(true);
    expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, false)).to.equal(false);
    await node.delete(deny);
    await node.settled();
  });

  it('lets no workload speak to the node itself, unless told to', async () => {
    const toNode = async (expected: boolean): Promise<boolean> =>
      node.network.wire.reach(node.network.flow('web', UPLINK[4], 8080, expected));
    expect(await toNode(false)).to.equal(false);
    await node.put(configurationOf({ defaultEndpointToHostAction: 'Accept' }));
    await node.settled();
    expect(await toNode(true)).to.equal(true);
    await node.put(configurationOf({}));
    await node.settled();
    expect(await toNode(false)).to.equal(false);
  });

  it('lets no workload use an address that is routed elsewhere', async () => {
    const route = ['route', 'replace', `${addressesOf(3)[4]}/32`, 'scope', 'link', 'dev'];
    await node.run('ip', ...route, 'up0');
    try {
      expect(await node.prober('stranger').reach('udp', addressesOf(2)[4], 8080, false)).to.equal(false);
    } finally {
      await node.run('ip', ...route, interfaceOf(3));
    }
    expect(await node.prober('stranger').reach('udp', addressesOf(2)[4], 8080, true)).to.equal(true);
  });

  it('drops what an endpoint without a known profile sends or should get', async () => {
    await node.delete(openProfile('test'));
    await node.settled();
    expect(await node.prober('stranger').reach('tcp', addressesOf(1)[4], 8080, false)).to.equal(false);
    expect(await node.prober('web').reach('tcp', addressesOf(3)[6], 8080, false)).to.equal(false);
    await node.put(openProfile('test'));
    await node.settled();
    expect(await node.prober('web').reach('tcp', addressesOf(3)[6], 8080, true)).to.equal(true);
  });

  it('drops what comes through an interface that no endpoint owns', async () => {
    const endpoint = endpointOf(STRANGER);
    await node.delete(endpoint);
    await node.settled();
    expect(await node.prober('stranger').reach('tcp', addressesOf(1)[4], 8080, false)).to.equal(false);
    await node.put(endpoint);
    await node.settled();
    expect(await node.prober('stranger').reach('tcp', addressesOf(1)[4], 8080, true)).to.equal(true);
  });
});

type Matrix = Readonly<Record<string, boolean>>;

/** Everyone to everyone, TCP on two ports and UDP on one, both families: measured, and as the evaluator says. */
async function matrix(node: TestNode, resources: readonly Resource[]): Promise<readonly [Matrix, Matrix]> {
  const world = new World(resources);
  const parties = [
    ...WORKLOADS.map(({ name, index }) => ({
      name,
      addresses: addressesOf(index),
      endpoint: world.workloads.find(({ spec }) => spec.pod === name),
    })),
    { name: 'outside', addresses: OUTSIDE, endpoint: undefined },
  ];
  const probes = parties.flatMap((from) =>
    parties
      .filter((to) => to !== from)
      .flatMap((to) =>
        ([4, 6] as const).flatMap((version) =>
          [
            { protocol: 'tcp', port: PORTS[0] } as const,
            { protocol: 'tcp', port: PORTS[1] } as const,
            { protocol: 'udp', port: PORTS[0] } as const,
          ].map((what) => ({ from, to, version, ...what })),
        ),
      ),
  );
  const expected: Record<string, boolean> = {};
  const flows = probes.map(({ from, to, version, protocol, port }): Flow => {
    const name = `${from.name} -> ${to.name} ${protocol}/${port} IPv${version}`;
    const packet = {
      source: parse(from.addresses[version]),
      destination: parse(to.addresses[version]),
      protocol: protocol === 'tcp' ? 6 : 17,
      sourcePort: 50000,
      destinationPort: port,
    };
    expected[name] =
      (from.endpoint === undefined || judge(world, from.endpoint, 'egress', packet).allowed) &&
      (to.endpoint === undefined || judge(world, to.endpoint, 'ingress', packet).allowed);
    return {
      from: from.name,
      to: to.name,
      source: from.addresses[version],
      destination: to.addresses[version],
      protocol: packet.protocol,
      destinationPort: port,
      expected: expected[name],
    };
  });
  const outcomes = await node.network.wire.volley(flows);
  const measured = Object.keys(expected).map((name, index) => {
    const { arrived, answered } = outcomes[index] ?? { arrived: false, answered: false };
    return [name, arrived && answered] as const;
  });
  return [Object.fromEntries(measured), expected];
}

function parse(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(text);
  return address;
}
