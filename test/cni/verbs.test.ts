/** Bad input, CHECK, GC and STATUS, by the real executable and agent. */
import { expect } from 'chai';
import { unwrap } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { setReady } from '../../datastore/migrate/index.ts';
import { temporaryStore } from '../../datastore/testing.ts';
import { Address } from '../../net/addr/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { pool, type Call } from './runtime.ts';
import { A, B, CniWorld, type Result } from './world.ts';

describeOnKernel('CNI: what is refused, checked and collected', function () {
  this.timeout(120_000);
  const world = new CniWorld();

  describe('with bad input', () => {
    const cases: readonly { it: string; call: () => Call; code: number; says: string }[] = [
      {
        it: 'a configuration that is not JSON',
        call: () => world.attach({ stdin: '{"cniVersion": "1.0.0", ' }),
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
        call: () => world.attach({ conf: world.node.conf({ cniVersion: '2.0.0' }) }),
        code: 1,
        says: '2.0.0',
      },
      {
        it: 'an interface name that is too long',
        call: () => world.attach({ ifName: 'sixteen-letters-' }),
        code: 4,
        says: 'CNI_IFNAME',
      },
      {
        it: 'a container id with a slash',
        call: () => world.attach({ containerId: 'a/b' }),
        code: 4,
        says: 'CNI_CONTAINERID',
      },
      {
        it: 'a namespace that is not there',
        call: () => world.attach({ netns: '/run/netns/not-there' }),
        code: 8,
        says: 'not-there',
      },
      {
        it: 'a namespace that is a file',
        call: () => world.attach({ netns: '/etc/hostname' }),
        code: 8,
        says: '/etc/hostname',
      },
      {
        it: "the host's own namespace",
        call: () => world.attach({ netns: world.host.path() }),
        code: 8,
        says: "host's own",
      },
      {
        it: 'an MTU that is a word',
        call: () => world.attach({ conf: world.node.conf({ mtu: 'big' }) }),
        code: 7,
        says: 'mtu',
      },
      {
        it: 'a pool that does not exist',
        call: () => world.attach({ conf: world.node.conf({ ipam: { ipv4_pools: ['nope'] } }) }),
        code: 101,
        says: 'nope',
      },
      {
        it: 'an address outside every pool',
        call: () => world.attach({ conf: world.node.conf({ runtimeConfig: { ips: ['192.0.2.1'] } }) }),
        code: 101,
        says: '192.0.2.1',
      },
      {
        it: 'a pod name that can name nothing',
        call: () => world.attach({ args: 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=-' }),
        code: 4,
        says: 'no workload endpoint',
      },
      {
        it: 'a label that is none',
        call: () =>
          world.attach({ conf: world.node.conf({ args: { cni: { labels: [{ key: 'a b', value: '' }] } } }) }),
        code: 7,
        says: 'a b',
      },
      {
        it: 'CHECK without a previous result',
        call: () => world.attach({ command: 'CHECK' }),
        code: 7,
        says: 'prevResult',
      },
      {
        it: 'CHECK in a version that had none',
        call: () => world.attach({ command: 'CHECK', conf: world.node.conf({ cniVersion: '0.3.1' }) }),
        code: 1,
        says: '0.4.0',
      },
      {
        it: 'GC in a version that had none',
        call: () => ({ command: 'GC', conf: world.node.conf({ cniVersion: '1.0.0' }) }),
        code: 1,
        says: '1.1.0',
      },
    ];
    it(`answers the specified code and a sentence, and changes nothing: ${cases.length} cases`, async () => {
      for (const { it: title, call, code, says } of cases) {
        const error = await world.refused(call());
        expect(error.code, `${title}: ${JSON.stringify(error)}`).to.equal(code);
        expect(JSON.stringify(error), title).to.contain(says);
        await world.expectNothingLeft();
      }
    });

    it('says that the pool is full, and what to do', async () => {
      const { client } = await world.node.open();
      for (const name of ['lab-v4', 'lab-v6']) unwrap(await client.delete('IPPool', name));
      await world.node.apply(pool('tiny', '10.66.0.0/31', 31));
      // The agent hears of the pools in its own time.
      for (;;) {
        const { ips } = await world.add({ args: '', ifName: 'a0' });
        if (ips[0]?.address.startsWith('10.66.') === true) break;
        await world.node.call(world.attach({ command: 'DEL', args: '', ifName: 'a0' }));
      }
      await world.add({ args: '', ifName: 'a1' });
      const error = await world.refused(world.attach({ args: '', ifName: 'a2' }));
      expect(error.code).to.equal(101);
      expect(error.msg).to.contain('tiny').and.contain('add an IPPool');
    });
  });

  describe('CHECK', () => {
    let prevResult: Result;
    beforeEach(async () => {
      prevResult = await world.add();
    });
    const check = (): Call => world.attach({ command: 'CHECK', conf: world.node.conf({ prevResult }) });

    it('says nothing when all is as ADD left it', async () => {
      const answer = await world.node.call(check());
      expect([answer.exitCode, answer.stdout]).to.deep.equal([0, '']);
    });

    const v4 = (): string => prevResult.ips[0]?.address ?? '';
    const faults: readonly { it: string; break: () => Promise<unknown>; says: string }[] = [
      {
        it: 'the pod lost its address',
        break: () => world.pod.ip('address', 'del', v4(), 'dev', 'eth0'),
        says: 'eth0 lacks 10.65.0',
      },
      {
        it: 'the pod lost its default route',
        break: () => world.pod.ip('route', 'del', 'default'),
        says: 'lacks the route to 0.0.0.0/0',
      },
      {
        it: 'the pod interface is down',
        break: () => world.pod.ip('link', 'set', 'eth0', 'down'),
        says: 'eth0 is down',
      },
      {
        it: 'the pod interface has another MAC',
        break: () => world.pod.ip('link', 'set', 'eth0', 'address', '02:00:00:00:00:99'),
        says: '02:00:00:00:00:99',
      },
      {
        it: 'the host lost its route',
        break: () => world.host.ip('route', 'del', v4()),
        says: 'the host has no route to 10.65.0',
      },
      {
        it: 'the cable is gone',
        break: () => world.pod.ip('link', 'del', 'eth0'),
        says: 'has no interface eth0',
      },
      {
        it: 'the endpoint is gone from the store',
        break: async () =>
          (await world.node.open()).client.delete('WorkloadEndpoint', 'n1-k8s-web--0-eth0', 'shop'),
        says: 'no WorkloadEndpoint shop/n1-k8s-web--0-eth0',
      },
      {
        it: 'the address is not held any more',
        break: async () => (await world.node.open()).ipam.release([parse(v4().split('/')[0] ?? '')]),
        says: 'is held by nobody',
      },
    ];
    for (const fault of faults) {
      it(`tells that ${fault.it}`, async () => {
        await fault.break();
        const error = await world.refused(check());
        expect(error.code).to.equal(100);
        expect(error.details).to.contain(fault.says);
      });
    }
  });

  describe('GC and STATUS', () => {
    it('frees what the runtime does not know any more, of this network only', async () => {
      await world.add();
      await world.add({
        containerId: B,
        netns: world.other.path(),
        args: '',
        conf: world.node.conf({ name: 'second' }),
      });
      await world.add({ ifName: 'net1', args: '' });
      const gc = await world.node.call({
        command: 'GC',
        conf: world.node.conf({ 'cni.dev/valid-attachments': [{ containerID: A, ifname: 'net1' }] }),
      });
      expect([gc.exitCode, gc.stdout]).to.deep.equal([0, '']);
      expect((await world.endpoints()).map(({ metadata }) => metadata.name)).to.have.members([
        `n1-cni-${A}-net1`,
        `n1-cni-${B}-eth0`,
      ]);
      expect(await world.cables()).to.have.length(2);
      expect(await world.addressesHeld()).to.have.length(4);
    });

    it('frees nothing when the list is missing, and everything of the network when it is empty', async () => {
      await world.add();
      await world.node.call({ command: 'GC', conf: world.node.conf() });
      expect(await world.endpoints()).to.have.length(1);
      await world.node.call({ command: 'GC', conf: world.node.conf({ 'cni.dev/valid-attachments': [] }) });
      await world.expectNothingLeft();
    });

    it('is ready, and says why when it is not', async () => {
      expect((await world.node.call({ command: 'STATUS' })).exitCode).to.equal(0);
      const { client } = await world.node.open();
      for (const name of ['lab-v4', 'lab-v6']) unwrap(await client.delete('IPPool', name));
      const error = await world.untilStatus('no enabled IPPool');
      expect(error?.code).to.equal(50);
    });
  });

  describe('under the lock of a migration', () => {
    it('attaches and collects nothing, lets go, and goes on after the unlock', async () => {
      await world.add();
      const store = await temporaryStore(world.node.datastore);
      await setReady(store, new SystemClock(), false);
      // A moment of an import: the endpoint is not written yet.
      const key = { kind: 'WorkloadEndpoint', scope: 'shop', name: 'n1-k8s-web--0-eth0' };
      const written = await store.get(key);
      await store.commit([{ type: 'delete', key, expect: 'present' }]);
      await world.untilStatus('locked by a migration');
      const added = await world.refused(
        world.attach({ containerId: B, netns: world.other.path(), args: '' }),
      );
      expect(added).to.deep.include({ code: 11 });
      expect(added.msg).to.contain('locked by a migration');
      const gc = { command: 'GC', conf: world.node.conf({ 'cni.dev/valid-attachments': [] }) };
      expect(await world.refused(gc)).to.deep.include({ code: 11 });
      expect(await world.cables(), 'the cable stays').to.have.length(1);
      expect(await world.addressesHeld()).to.have.length(2);
      await store.commit([{ type: 'put', key, value: written?.value, expect: 'absent' }]);
      expect((await world.node.call(world.attach({ command: 'DEL' }))).exitCode).to.equal(0);
      await world.expectNothingLeft();
      await setReady(store, new SystemClock(), true);
      await world.untilStatus();
      await world.add();
    });
  });
});

function parse(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(text);
  return address;
}
