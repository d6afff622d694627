/**
 * While policy changes all the time, some things hold in every state of it: one flow is allowed, others are
 * denied. A packet that met a half-built policy would show here.
 */
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { TestNode, type Workload, addressesOf, endpointOf, openProfile } from './node.ts';
import { Stream, expectUnbroken } from './stream.ts';

const WEB: Workload = { name: 'web', namespace: 'prod', labels: { role: 'web' }, index: 1 };
const DB: Workload = { name: 'db', namespace: 'prod', labels: { role: 'db' }, index: 2 };
const OTHER: Workload = { name: 'other', namespace: 'test', labels: { role: 'web' }, index: 3 };

const FROM_WEB = { action: 'Allow', protocol: 'TCP', source: { selector: "role == 'web'" } } as const;

function np(name: string, order: number, ingress: readonly object[]): object {
  const metadata = { name, namespace: 'prod' };
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata,
    spec: { order, selector: "role == 'db'", ingress },
  };
}

/** Different ways to say the same: web may, nobody else may. Going from one to the next changes chains and sets. */
const STATES: readonly (readonly object[])[] = [
  [np('db', 1, [FROM_WEB])],
  [np('db', 1, [{ ...FROM_WEB, source: { selector: "role in {'web', 'lb'}" } }])],
  [np('db', 1, [{ action: 'Log' }, { ...FROM_WEB, destination: { ports: [8080] } }, { action: 'Deny' }])],
  [np('db', 1, [{ ...FROM_WEB, destination: { ports: ['http'] } }])],
  [
    np('guard', 0, [
      { action: 'Deny', source: { nets: ['198.51.100.0/24'] } },
      { action: 'Deny', source: { nets: ['fd99::/64'] } },
    ]),
    np('db', 1, [FROM_WEB]),
  ],
  [
    np('db', 1, [
      { action: 'Allow', source: { nets: ['10.65.0.1/32', '192.0.2.0/24'] } },
      { action: 'Allow', source: { nets: ['fd65::1/128', '2001:db8::/32'] } },
    ]),
  ],
  [1, 2, 3, 4, 5, 6, 7].map((order) =>
    np(`p${order}`, order, order === 6 ? [FROM_WEB] : [{ action: 'Log', protocol: 'UDP' }]),
  ),
  [
    { ...np('db', 1, [FROM_WEB]), kind: 'GlobalNetworkPolicy', metadata: { name: 'db' } },
    np('own', 2, []),
  ].map((each, index) =>
    index === 0
      ? {
          ...each,
          spec: {
            selector: "role == 'db'",
            ingress: [
              { ...FROM_WEB, source: { selector: "role == 'web' && projectcalico.org/namespace == 'prod'" } },
            ],
          },
        }
      : each,
  ),
];

/** Each state comes three times. */
const ROUNDS = 24;

for (const [backend, settings] of Object.entries(BACKENDS)) {
  describeOnKernel(`while policy changes, ${backend}`, function () {
    this.timeout(180_000);
    let node: TestNode;

    before(async () => {
      node = await TestNode.create([WEB, DB, OTHER]);
      const configuration = configurationOf({ ...settings, iptablesRefreshInterval: '70ms' });
      await node.put(
        configuration,
        openProfile('prod'),
        openProfile('test'),
        ...[WEB, DB, OTHER].map(endpointOf),
        ...(STATES[0] ?? []),
      );
      await node.startFelix();
    });
    after(() => node.remove());

    it('always lets pass what every state allows and never what every state denies', async () => {
      const stream = await Stream.start(
        node.network,
        ([4, 6] as const).flatMap((version) =>
          (['web', 'outside', 'other'] as const).map((from) =>
            node.network.flow(from, addressesOf(2)[version], 8080, from === 'web'),
          ),
        ),
      );
      for (let round = 0; round < ROUNDS; round++) {
        const before = STATES[round % STATES.length] ?? [];
        const after = STATES[(round + 1) % STATES.length] ?? [];
        await node.exchange(before, after);
        if (round % 3 === 0)
          await node.put({
            ...endpointOf(OTHER),
            metadata: { ...endpointOf(OTHER).metadata, labels: { role: `r${round}` } },
          });
        await node.settled();
      }
      expectUnbroken(await stream.stop());
    });
  });
}
