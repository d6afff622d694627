/**
 * The CNI plugin as a runtime meets it: the real executable, the real agent, real namespaces, the embedded store.
 * No felix-lite runs here, so the agent is told not to wait for it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { podInterfaceName, unwrap, type WorkloadEndpoint } from '../../api/index.ts';
import { Address } from '../../net/addr/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { reach } from './reach.ts';
import { type Answer, type Call, NODE, pool, POOLS, TestNode } from './runtime.ts';

interface Result {
  readonly interfaces: readonly { readonly name: string; readonly mac?: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly address: string; readonly interface: number }[];
}

const A = '4f1c'.padEnd(64, '0');
const B = '5e2d'.padEnd(64, '0');

describeOnKernel('the CNI plugin with a real agent', function () {
  this.timeout(60_000);
  const host = freshNamespace();
  const pod = freshNamespace();
  const other = freshNamespace();
  let node: TestNode;

  beforeEach(async () => {
    node = new TestNode(host.path());
    await node.apply(NODE, ...POOLS);
    await host.ip('link', 'set', 'lo', 'up');
    await host.ip('address', 'add', '192.0.2.1/32', 'dev', 'lo');
    await host.ip('address', 'add', '2001:db8::1/128', 'dev', 'lo', 'nodad');
    await node.start();
  });
  afterEach(() => node.remove());

  const attach = (extra: Partial<Call> = {}): Call => ({
    command: 'ADD',
    containerId: A,
    netns: pod.path(),
    ifName: 'eth0',
    args: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0',
    ...extra,
  });

  async function add(extra: Partial<Call> = {}): Promise<Result> {
    const answer = await node.call(attach(extra));
    if (answer.exitCode !== 0) throw new Error(answer.stdout);
    return answer.output as unknown as Result;
  }

  async function refused(call: Call): Promise<{ code: number; msg: string; details?: string }> {
    const answer = await node.call(call);
    expect(answer.exitCode, answer.stdout).not.to.equal(0);
    return answer.output as { code: number; msg: string };
  }

  async function endpoints(): Promise<WorkloadEndpoint[]> {
    return unwrap(await (await node.open()).client.list('WorkloadEndpoint'));
  }

  async function addressesHeld(): Promise<string[]> {
    const blocks = await (await node.open()).ipam.blocks();
    return blocks.flatMap(({ allocations }) => allocations.map(({ address }) => address.toString()));
  }

  async function cables(): Promise<string[]> {
    return (await host.ip('-br', 'link', 'show', 'type', 'veth')).match(/^cali[0-9a-f]+/gm) ?? [];
  }

  async function expectNothingLeft(): Promise<void> {
    expect(await endpoints()).to.deep.equal([]);
    expect(await addressesHeld()).to.deep.equal([]);
    expect(await cables()).to.deep.equal([]);
  }

  it('gives a pod its addresses, its cable and its endpoint, and takes all of it away again', async () => {
    const result = await add();
    expect(result.ips.map(({ address }) => address)).to.satisfy(
      ([v4 = '', v6 = '']: string[]) => /^10\.65\.0\.\d+\/32$/.test(v4) && /^fd00:10:65:.*\/128$/.test(v6),
    );
    expect(result.interfaces[0])
      .to.include({ name: podInterfaceName('shop', 'web-0') })
      .and.not.have.property('sandbox');
    expect(result.interfaces[1]).to.include({ name: 'eth0', sandbox: pod.path() });
    for (const { address } of result.ips) {
      expect(await reach(host.path(), pod.path(), address.split('/')[0] ?? ''), address).to.equal('hello');
    }
    const [endpoint] = await endpoints();
    expect(endpoint?.metadata).to.include({ name: 'n1-k8s-web--0-eth0', namespace: 'shop' });
    expect(endpoint?.spec).to.deep.include({
      node: 'n1',
      pod: 'web-0',
      profiles: ['kns.shop'],
      interfaceName: result.interfaces[0]?.name,
    });
    expect(endpoint?.spec.ipNetworks).to.deep.equal(result.ips.map(({ address }) => address));

    const del = await node.call(attach({ command: 'DEL' }));
    expect([del.exitCode, del.stdout]).to.deep.equal([0, '']);
    await expectNothingLeft();
  });

  it('answers in the version that was asked in', async () => {
    for (const cniVersion of ['0.3.1', '0.4.0', '1.0.0', '1.1.0']) {
      const answer = await node.call(attach({ conf: node.conf({ cniVersion }) }));
      expect(answer.output, answer.stdout).to.include({ cniVersion });
      expect(answer.stdout.includes('"version":"4"'), cniVersion).to.equal(cniVersion < '1.0.0');
      await node.call(attach({ command: 'DEL' }));
    }
  });

  it('puts the labels of the configuration on the endpoint', async () => {
    await add({ conf: node.conf({ args: { cni: { labels: [{ key: 'role', value: 'web' }] } } }) });
    expect((await endpoints())[0]?.metadata.labels).to.include({
      role: 'web',
      'projectcalico.org/namespace': 'shop',
      'projectcalico.org/orchestrator': 'k8s',
    });
  });

  it('takes any other container too, under a profile of its network that allows its members', async () => {
    await add({ args: '' });
    const [endpoint] = await endpoints();
    expect(endpoint?.metadata).to.include({ name: `n1-cni-${A}-eth0`, namespace: 'default' });
    expect(endpoint?.spec.profiles).to.deep.equal(['net']);
    const profile = unwrap(await (await node.open()).client.get('Profile', 'net'));
    expect(profile.spec.ingress?.[0]?.source?.selector).to.equal('has(net)');
  });

  it('gives the address that is asked for, and refuses it to the next', async () => {
    const conf = node.conf({ runtimeConfig: { ips: ['10.65.0.77'], mac: '02:00:00:00:00:77' } });
    const result = await add({ conf });
    expect(result.ips[0]?.address).to.equal('10.65.0.77/32');
    expect(result.interfaces[1]?.mac).to.equal('02:00:00:00:00:77');
    const error = await refused(attach({ containerId: B, netns: other.path(), args: '', conf }));
    expect(error.code).to.equal(101);
    expect(error.msg).to.contain('10.65.0.77 is held by');
    expect(await addressesHeld()).to.have.length(2);
  });

  it('succeeds with DEL again and again, without namespace, without arguments, and for what never was', async () => {
    await add();
    for (const call of [
      attach({ command: 'DEL', netns: '/run/netns/gone', args: '' }),
      attach({ command: 'DEL', netns: '' }),
      attach({ command: 'DEL', containerId: 'never-was' }),
      attach({ command: 'DEL', containerId: 'Odd_Name' }),
    ]) {
      const answer: Answer = await node.call(call);
      expect([answer.exitCode, answer.stdout], JSON.stringify(call)).to.deep.equal([0, '']);
    }
    await expectNothingLeft();
  });

  it('leaves the new sandbox of a pod alone when the DEL of the old one comes late', async () => {
    await add();
    await add({ containerId: B, netns: other.path() });
    expect(await addressesHeld()).to.have.length(2);
    await node.call(attach({ command: 'DEL' }));
    const [endpoint] = await endpoints();
    expect(endpoint?.spec.containerID).to.equal(B);
    expect(await cables()).to.have.length(1);
    expect(await addressesHeld()).to.have.length(2);
  });

  it('refuses the same ADD twice, and leaves the first as it is', async () => {
    const before = await add();
    const error = await refused(attach());
    expect(error.code).to.equal(102);
    expect(error.msg).to.contain('eth0');
    expect((await endpoints())[0]?.spec.ipNetworks).to.deep.equal(before.ips.map(({ address }) => address));
    expect(await cables()).to.have.length(1);
  });

  it('attaches one container twice, and detaches one of the two', async () => {
    await add();
    await add({ ifName: 'net1', conf: node.conf({ ipam: { routes: [] } }) });
    expect(await endpoints()).to.have.length(2);
    expect((await pod.ip('route')).match(/^default/gm)).to.have.length(1);
    await node.call(attach({ command: 'DEL', ifName: 'net1' }));
    expect((await endpoints()).map(({ spec }) => spec.endpoint)).to.deep.equal(['eth0']);
    expect(await addressesHeld()).to.have.length(2);
    expect(await pod.ip('-br', 'link'))
      .to.contain('eth0')
      .and.not.contain('net1');
  });

  it('passes on what earlier plugins of the chain made', async () => {
    const prevResult = {
      cniVersion: '1.1.0',
      interfaces: [{ name: 'lo', sandbox: pod.path() }],
      ips: [{ address: '127.0.0.1/8', interface: 0 }],
    };
    const result = await add({ conf: node.conf({ prevResult }) });
    expect(result.interfaces.map(({ name }) => name)).to.have.ordered.members([
      'lo',
      result.interfaces[1]?.name,
      'eth0',
    ]);
    expect(result.ips[0]?.address).to.equal('127.0.0.1/8');
    expect(result.ips[1]?.interface).to.equal(2);
  });

  it('gives out no address twice to twenty at once, and frees them all', async () => {
    const netns = pod.path();
    const ids = Array.from({ length: 20 }, (_, index) => `c${index}`);
    const answers = await Promise.all(
      ids.map((id, index) => node.call(attach({ containerId: id, netns, ifName: `e${index}`, args: '' }))),
    );
    expect(answers.filter(({ exitCode }) => exitCode !== 0).map(({ stdout }) => stdout)).to.deep.equal([]);
    const addresses = answers.flatMap(({ output }) =>
      (output as unknown as Result).ips.map(({ address }) => address),
    );
    expect(new Set(addresses).size).to.equal(40);
    await Promise.all(
      ids.map((id, index) =>
        node.call(attach({ command: 'DEL', containerId: id, netns, ifName: `e${index}`, args: '' })),
      ),
    );
    await expectNothingLeft();
  });

  describe('with bad input', () => {
    const cases: readonly { it: string; call: () => Call; code: number; says: string }[] = [
      {
        it: 'a configuration that is not JSON',
        call: () => attach({ stdin: '{"cniVersion": "1.0.0", ' }),
        code: 6,
        says: 'not JSON',
      },
      {
        it: 'no variable at all',
        call: () => ({ command: 'ADD' }),
        code: 4,
        says: 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME',
      },
      {
        it: 'a version of tomorrow',
        call: () => attach({ conf: node.conf({ cniVersion: '2.0.0' }) }),
        code: 1,
        says: '2.0.0',
      },
      {
        it: 'an interface name that is too long',
        call: () => attach({ ifName: 'sixteen-letters-' }),
        code: 4,
        says: 'CNI_IFNAME',
      },
      {
        it: 'a container id with a slash',
        call: () => attach({ containerId: 'a/b' }),
        code: 4,
        says: 'CNI_CONTAINERID',
      },
      {
        it: 'a namespace that is not there',
        call: () => attach({ netns: '/run/netns/not-there' }),
        code: 8,
        says: 'not-there',
      },
      {
        it: 'a namespace that is a file',
        call: () => attach({ netns: '/etc/hostname' }),
        code: 8,
        says: '/etc/hostname',
      },
      {
        it: "the host's own namespace",
        call: () => attach({ netns: host.path() }),
        code: 8,
        says: "host's own",
      },
      {
        it: 'an MTU that is a word',
        call: () => attach({ conf: node.conf({ mtu: 'big' }) }),
        code: 7,
        says: 'mtu',
      },
      {
        it: 'a pool that does not exist',
        call: () => attach({ conf: node.conf({ ipam: { ipv4_pools: ['nope'] } }) }),
        code: 101,
        says: 'nope',
      },
      {
        it: 'an address outside every pool',
        call: () => attach({ conf: node.conf({ runtimeConfig: { ips: ['192.0.2.1'] } }) }),
        code: 101,
        says: '192.0.2.1',
      },
      {
        it: 'a pod name that can name nothing',
        call: () => attach({ args: 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=-' }),
        code: 4,
        says: 'no workload endpoint',
      },
      {
        it: 'a label that is none',
        call: () => attach({ conf: node.conf({ args: { cni: { labels: [{ key: 'a b', value: '' }] } } }) }),
        code: 7,
        says: 'a b',
      },
      {
        it: 'CHECK without a previous result',
        call: () => attach({ command: 'CHECK' }),
        code: 7,
        says: 'prevResult',
      },
      {
        it: 'CHECK in a version that had none',
        call: () => attach({ command: 'CHECK', conf: node.conf({ cniVersion: '0.3.1' }) }),
        code: 1,
        says: '0.4.0',
      },
      {
        it: 'GC in a version that had none',
        call: () => ({ command: 'GC', conf: node.conf({ cniVersion: '1.0.0' }) }),
        code: 1,
        says: '1.1.0',
      },
    ];
    it(`answers the specified code and a sentence, and changes nothing: ${cases.length} cases`, async () => {
      for (const { it: title, call, code, says } of cases) {
        const error = await refused(call());
        expect(error.code, `${title}: ${JSON.stringify(error)}`).to.equal(code);
        expect(JSON.stringify(error), title).to.contain(says);
        await expectNothingLeft();
      }
    });

    it('says that the pool is full, and what to do', async () => {
      const { client } = await node.open();
      for (const name of ['lab-v4', 'lab-v6']) unwrap(await client.delete('IPPool', name));
      await node.apply(pool('tiny', '10.66.0.0/31', 31));
      await sleep(200);
      await add({ args: '', ifName: 'a0' });
      await add({ args: '', ifName: 'a1' });
      const error = await refused(attach({ args: '', ifName: 'a2' }));
      expect(error.code).to.equal(101);
      expect(error.msg).to.contain('tiny').and.contain('add an IPPool');
    });
  });

  describe('CHECK', () => {
    let prevResult: Result;
    beforeEach(async () => {
      prevResult = await add();
    });
    const check = (): Call => attach({ command: 'CHECK', conf: node.conf({ prevResult }) });

    it('says nothing when all is as ADD left it', async () => {
      const answer = await node.call(check());
      expect([answer.exitCode, answer.stdout]).to.deep.equal([0, '']);
    });

    const v4 = (): string => prevResult.ips[0]?.address ?? '';
    const faults: readonly { it: string; break: () => Promise<unknown>; says: string }[] = [
      {
        it: 'the pod lost its address',
        break: () => pod.ip('address', 'del', v4(), 'dev', 'eth0'),
        says: 'eth0 lacks 10.65.0',
      },
      {
        it: 'the pod lost its default route',
        break: () => pod.ip('route', 'del', 'default'),
        says: 'lacks the route to 0.0.0.0/0',
      },
      {
        it: 'the pod interface is down',
        break: () => pod.ip('link', 'set', 'eth0', 'down'),
        says: 'eth0 is down',
      },
      {
        it: 'the pod interface has another MAC',
        break: () => pod.ip('link', 'set', 'eth0', 'address', '02:00:00:00:00:99'),
        says: '02:00:00:00:00:99',
      },
      {
        it: 'the host lost its route',
        break: () => host.ip('route', 'del', v4()),
        says: 'the host has no route to 10.65.0',
      },
      { it: 'the cable is gone', break: () => pod.ip('link', 'del', 'eth0'), says: 'has no interface eth0' },
      {
        it: 'the endpoint is gone from the store',
        break: async () =>
          (await node.open()).client.delete('WorkloadEndpoint', 'n1-k8s-web--0-eth0', 'shop'),
        says: 'no WorkloadEndpoint shop/n1-k8s-web--0-eth0',
      },
      {
        it: 'the address is not held any more',
        break: async () => (await node.open()).ipam.release([parse(v4().split('/')[0] ?? '')]),
        says: 'is held by nobody',
      },
    ];
    for (const fault of faults) {
      it(`tells that ${fault.it}`, async () => {
        await fault.break();
        const error = await refused(check());
        expect(error.code).to.equal(100);
        expect(error.details).to.contain(fault.says);
      });
    }
  });

  describe('GC and STATUS', () => {
    it('frees what the runtime does not know any more, of this network only', async () => {
      await add();
      await add({ containerId: B, netns: other.path(), args: '', conf: node.conf({ name: 'second' }) });
      await add({ ifName: 'net1', args: '' });
      const gc = await node.call({
        command: 'GC',
        conf: node.conf({ 'cni.dev/valid-attachments': [{ containerID: A, ifname: 'net1' }] }),
      });
      expect([gc.exitCode, gc.stdout]).to.deep.equal([0, '']);
      expect((await endpoints()).map(({ metadata }) => metadata.name)).to.have.members([
        `n1-cni-${A}-net1`,
        `n1-cni-${B}-eth0`,
      ]);
      expect(await cables()).to.have.length(2);
      expect(await addressesHeld()).to.have.length(4);
    });

    it('frees nothing when the list is missing, and everything of the network when it is empty', async () => {
      await add();
      await node.call({ command: 'GC', conf: node.conf() });
      expect(await endpoints()).to.have.length(1);
      await node.call({ command: 'GC', conf: node.conf({ 'cni.dev/valid-attachments': [] }) });
      await expectNothingLeft();
    });

    it('is ready, and says why when it is not', async () => {
      expect((await node.call({ command: 'STATUS' })).exitCode).to.equal(0);
      const { client } = await node.open();
      for (const name of ['lab-v4', 'lab-v6']) unwrap(await client.delete('IPPool', name));
      await sleep(300);
      const error = await refused({ command: 'STATUS' });
      expect(error.code).to.equal(50);
      expect(error.msg).to.contain('no enabled IPPool');
    });
  });

  describe('when the datastore is out of reach', () => {
    it('says so to ADD, CHECK and STATUS, and owes DEL', async () => {
      await add();
      await node.kill();
      await node.start({ datastore: '/proc/nowhere/datastore.db', ready: false });
      for (const [command, code] of [
        ['ADD', 11],
        ['CHECK', 11],
        ['STATUS', 50],
      ] as const) {
        const error = await refused(attach({ command, containerId: B, netns: other.path() }));
        expect(error.code, command).to.equal(code);
        expect(error.msg, command).to.contain('datastore');
      }
      expect((await node.call(attach({ command: 'DEL' }))).exitCode).to.equal(0);
      expect(node.owed()).to.equal(1);
      await node.kill();
      await node.start();
      expect(node.owed()).to.equal(0);
      await expectNothingLeft();
    });
  });

  describe('when the agent dies', () => {
    it('answers ADD at once, promises DEL, and keeps the promise before anything else', async () => {
      await add();
      await node.kill();
      const started = performance.now();
      const error = await refused(attach({ containerId: B, netns: other.path() }));
      expect(error.code).to.equal(11);
      expect(error.msg).to.contain('check that it runs');
      expect(performance.now() - started).to.be.lessThan(2000);
      expect((await node.call(attach({ command: 'DEL' }))).exitCode).to.equal(0);
      expect(node.owed()).to.equal(1);
      await node.start();
      expect(node.owed()).to.equal(0);
      await expectNothingLeft();
    });

    it('keeps every attachment over kill -9 and restart', async () => {
      const before = await add();
      await node.kill();
      await node.start();
      const address = before.ips[0]?.address.split('/')[0] ?? '';
      expect(await reach(host.path(), pod.path(), address)).to.equal('hello');
      expect(
        (await node.call(attach({ command: 'CHECK', conf: node.conf({ prevResult: before }) }))).stdout,
      ).to.equal('');
    });

    it('frees what a namespace took with it while the agent was away, and repairs what others took from the host', async () => {
      const kept = await add();
      await add({ containerId: B, netns: other.path(), args: '' });
      await node.kill();
      await other.ip('link', 'del', 'eth0');
      await host.ip('route', 'del', kept.ips[0]?.address ?? '');
      await node.start();
      expect((await endpoints()).map(({ spec }) => spec.pod)).to.deep.equal(['web-0']);
      expect(await addressesHeld()).to.have.members(kept.ips.map(({ address }) => address.split('/')[0]));
      expect(await host.ip('route', 'show', kept.ips[0]?.address ?? '')).to.contain('cali');
    });

    it('removes a cable and addresses that no endpoint is recorded for, but nothing that is not its own', async () => {
      await add();
      const { client, ipam } = await node.open();
      unwrap(await client.delete('WorkloadEndpoint', 'n1-k8s-web--0-eth0', 'shop'));
      await host.ip('link', 'add', 'cali99999999999', 'type', 'veth', 'peer', 'name', 'strange');
      unwrap(
        await ipam.autoAssign({
          host: 'n1',
          handle: 'ipip-tunnel-addr-n1',
          attributes: { node: 'n1', type: 'ipipTunnelAddress' },
          v4: 1,
          v6: 0,
        }),
      );
      await node.kill();
      await node.start();
      expect(await cables()).to.deep.equal(['cali99999999999']);
      expect(await addressesHeld()).to.have.length(1);
    });

    it('leaks nothing when it is killed in the middle of twenty ADDs, once it is back and they are deleted', async () => {
      const ids = Array.from({ length: 20 }, (_, index) => `k${index}`);
      const calls = ids.map((id, index) =>
        node.call(attach({ containerId: id, ifName: `e${index}`, args: '' })),
      );
      await sleep(250);
      await node.kill();
      await Promise.all(calls);
      await node.start();
      await Promise.all(
        ids.map((id, index) =>
          node.call(attach({ command: 'DEL', containerId: id, ifName: `e${index}`, args: '' })),
        ),
      );
      await expectNothingLeft();
      expect((await pod.ip('-br', 'link')).match(/^e\d+/gm)).to.equal(null);
    });
  });
});

function parse(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(text);
  return address;
}
