/** What becomes of attachments when the agent is killed or its datastore is out of reach. */
import { expect } from 'chai';
import { unwrap } from '../../api/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { reach } from './reach.ts';
import { B, CniWorld } from './world.ts';

describeOnKernel('CNI: crashes', function () {
  this.timeout(120_000);
  const world = new CniWorld();

  describe('when the datastore is out of reach', () => {
    it('says so to ADD, CHECK and STATUS, and owes DEL', async () => {
      await world.add();
      await world.node.kill();
      await world.node.start({ datastore: '/proc/nowhere/datastore.db', ready: false });
      for (const [command, code] of [
        ['ADD', 11],
        ['CHECK', 11],
        ['STATUS', 50],
      ] as const) {
        const error = await world.refused(
          world.attach({ command, containerId: B, netns: world.other.path() }),
        );
        expect(error.code, command).to.equal(code);
        expect(error.msg, command).to.contain('datastore');
      }
      expect((await world.node.call(world.attach({ command: 'DEL' }))).exitCode).to.equal(0);
      expect(world.node.owed()).to.equal(1);
      await world.node.kill();
      await world.node.start();
      expect(world.node.owed()).to.equal(0);
      await world.expectNothingLeft();
    });
  });

  describe('when the agent dies', () => {
    it('answers ADD at once, promises DEL, and keeps the promise before anything else', async () => {
      await world.add();
      await world.node.kill();
      const started = performance.now();
      const error = await world.refused(world.attach({ containerId: B, netns: world.other.path() }));
      expect(error.code).to.equal(11);
      expect(error.msg).to.contain('check that it runs');
      // Far below what a runtime waits, however busy the machine.
      expect(performance.now() - started).to.be.lessThan(30_000);
      expect((await world.node.call(world.attach({ command: 'DEL' }))).exitCode).to.equal(0);
      expect(world.node.owed()).to.equal(1);
      await world.node.start();
      expect(world.node.owed()).to.equal(0);
      await world.expectNothingLeft();
    });

    it('keeps every attachment over kill -9 and restart', async () => {
      const before = await world.add();
      await world.node.kill();
      await world.node.start();
      const address = before.ips[0]?.address.split('/')[0] ?? '';
      expect(await reach(world.host.path(), world.pod.path(), address)).to.equal('hello');
      expect(
        (
          await world.node.call(
            world.attach({ command: 'CHECK', conf: world.node.conf({ prevResult: before }) }),
          )
        ).stdout,
      ).to.equal('');
    });

    it('frees what a namespace took with it while the agent was away, and repairs what others took from the host', async () => {
      const kept = await world.add();
      await world.add({ containerId: B, netns: world.other.path(), args: '' });
      await world.node.kill();
      await world.other.ip('link', 'del', 'eth0');
      await world.host.ip('route', 'del', kept.ips[0]?.address ?? '');
      await world.node.start();
      expect((await world.endpoints()).map(({ spec }) => spec.pod)).to.deep.equal(['web-0']);
      expect(await world.addressesHeld()).to.have.members(
        kept.ips.map(({ address }) => address.split('/')[0]),
      );
      expect(await world.host.ip('route', 'show', kept.ips[0]?.address ?? '')).to.contain('cali');
    });

    it('removes a cable and addresses that no endpoint is recorded for, but nothing that is not its own', async () => {
      await world.add();
      const { client, ipam } = await world.node.open();
      unwrap(await client.delete('WorkloadEndpoint', 'n1-k8s-web--0-eth0', 'shop'));
      await world.host.ip('link', 'add', 'cali99999999999', 'type', 'veth', 'peer', 'name', 'strange');
      unwrap(
        await ipam.autoAssign({
          host: 'n1',
          handle: 'ipip-tunnel-addr-n1',
          attributes: { node: 'n1', type: 'ipipTunnelAddress' },
          v4: 1,
          v6: 0,
        }),
      );
      await world.node.kill();
      await world.node.start();
      expect(await world.cables()).to.deep.equal(['cali99999999999']);
      expect(await world.addressesHeld()).to.have.length(1);
    });

    it('leaks nothing when it is killed in the middle of eight ADDs, once it is back and they are deleted', async () => {
      const ids = Array.from({ length: 8 }, (_, index) => `k${index}`);
      const calls = ids.map((id, index) =>
        world.node.call(world.attach({ containerId: id, ifName: `e${index}`, args: '' })),
      );
      // In the middle: some are through, none is before the first.
      await Promise.race(calls);
      await world.node.kill();
      await Promise.all(calls);
      await world.node.start();
      await Promise.all(
        ids.map((id, index) =>
          world.node.call(world.attach({ command: 'DEL', containerId: id, ifName: `e${index}`, args: '' })),
        ),
      );
      await world.expectNothingLeft();
      expect((await world.pod.ip('-br', 'link')).match(/^e\d+/gm)).to.equal(null);
    });
  });
});
