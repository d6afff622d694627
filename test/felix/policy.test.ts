/** Packets between real workloads: what arrives is what the evaluator says, and what no policy is asked about. */
import { expect } from 'chai';
import type { Resource } from '../../api/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { configurationOf } from './backends.ts';
import { FEW_CASES, np, STRANGER, WORKLOADS } from './few-cases.ts';
import { matrix } from './matrix.ts';
import { UPLINK } from './network.ts';
import { TestNode, addressesOf, endpointOf, interfaceOf, openProfile, valid } from './node.ts';

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

  for (const each of FEW_CASES) {
    it(each.it, async () => {
      await node.put(...each.resources);
      try {
        await node.settled();
        const [measured, expected] = await matrix(node, WORKLOADS, [...world, ...each.resources.map(valid)]);
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
