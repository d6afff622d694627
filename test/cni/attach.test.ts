/** ADD and DEL as a runtime meets them: the real executable, the real agent, real namespaces, the embedded store. */
import { expect } from 'chai';
import { podInterfaceName, unwrap } from '../../api/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { reach } from './reach.ts';
import { type Answer } from './runtime.ts';
import { A, B, CniWorld, type Result } from './world.ts';

describeOnKernel('CNI: attaching and detaching', function () {
  this.timeout(120_000);
  const world = new CniWorld();

  it('gives a pod its addresses, its cable and its endpoint, and takes all of it away again', async () => {
    const result = await world.add();
    expect(result.ips.map(({ address }) => address)).to.satisfy(
      ([v4 = '', v6 = '']: string[]) => /^10\.65\.0\.\d+\/32$/.test(v4) && /^fd00:10:65:.*\/128$/.test(v6),
    );
    expect(result.interfaces[0])
      .to.include({ name: podInterfaceName('shop', 'web-0') })
      .and.not.have.property('sandbox');
    expect(result.interfaces[1]).to.include({ name: 'eth0', sandbox: world.pod.path() });
    for (const { address } of result.ips) {
      expect(await reach(world.host.path(), world.pod.path(), address.split('/')[0] ?? ''), address).to.equal(
        'hello',
      );
    }
    const [endpoint] = await world.endpoints();
    expect(endpoint?.metadata).to.include({ name: 'n1-k8s-web--0-eth0', namespace: 'shop' });
    expect(endpoint?.spec).to.deep.include({
      node: 'n1',
      pod: 'web-0',
      profiles: ['kns.shop'],
      interfaceName: result.interfaces[0]?.name,
    });
    expect(endpoint?.spec.ipNetworks).to.deep.equal(result.ips.map(({ address }) => address));

    const del = await world.node.call(world.attach({ command: 'DEL' }));
    expect([del.exitCode, del.stdout]).to.deep.equal([0, '']);
    await world.expectNothingLeft();
  });

  it('answers in the version that was asked in', async () => {
    for (const cniVersion of ['0.3.1', '0.4.0', '1.0.0', '1.1.0']) {
      const answer = await world.node.call(world.attach({ conf: world.node.conf({ cniVersion }) }));
      expect(answer.output, answer.stdout).to.include({ cniVersion });
      expect(answer.stdout.includes('"version":"4"'), cniVersion).to.equal(cniVersion < '1.0.0');
      await world.node.call(world.attach({ command: 'DEL' }));
    }
  });

  it('puts the labels of the configuration on the endpoint', async () => {
    await world.add({
      conf: world.node.conf({ args: { cni: { labels: [{ key: 'role', value: 'web' }] } } }),
    });
    expect((await world.endpoints())[0]?.metadata.labels).to.include({
      role: 'web',
      'projectcalico.org/namespace': 'shop',
      'projectcalico.org/orchestrator': 'k8s',
    });
  });

  it('takes any other container too, under a profile of its network that allows its members', async () => {
    await world.add({ args: '' });
    const [endpoint] = await world.endpoints();
    expect(endpoint?.metadata).to.include({ name: `n1-cni-${A}-eth0`, namespace: 'default' });
    expect(endpoint?.spec.profiles).to.deep.equal(['net']);
    const profile = unwrap(await (await world.node.open()).client.get('Profile', 'net'));
    expect(profile.spec.ingress?.[0]?.source?.selector).to.equal('has(net)');
  });

  it('gives the address that is asked for, and refuses it to the next', async () => {
    const conf = world.node.conf({ runtimeConfig: { ips: ['10.65.0.77'], mac: '02:00:00:00:00:77' } });
    const result = await world.add({ conf });
    expect(result.ips[0]?.address).to.equal('10.65.0.77/32');
    expect(result.interfaces[1]?.mac).to.equal('02:00:00:00:00:77');
    const error = await world.refused(
      world.attach({ containerId: B, netns: world.other.path(), args: '', conf }),
    );
    expect(error.code).to.equal(101);
    expect(error.msg).to.contain('10.65.0.77 is held by');
    expect(await world.addressesHeld()).to.have.length(2);
  });

  it('succeeds with DEL again and again, without namespace, without arguments, and for what never was', async () => {
    await world.add();
    for (const call of [
      world.attach({ command: 'DEL', netns: '/run/netns/gone', args: '' }),
      world.attach({ command: 'DEL', netns: '' }),
      world.attach({ command: 'DEL', containerId: 'never-was' }),
      world.attach({ command: 'DEL', containerId: 'Odd_Name' }),
    ]) {
      const answer: Answer = await world.node.call(call);
      expect([answer.exitCode, answer.stdout], JSON.stringify(call)).to.deep.equal([0, '']);
    }
    await world.expectNothingLeft();
  });

  it('leaves the new sandbox of a pod alone when the DEL of the old one comes late', async () => {
    await world.add();
    await world.add({ containerId: B, netns: world.other.path() });
    expect(await world.addressesHeld()).to.have.length(2);
    await world.node.call(world.attach({ command: 'DEL' }));
    const [endpoint] = await world.endpoints();
    expect(endpoint?.spec.containerID).to.equal(B);
    expect(await world.cables()).to.have.length(1);
    expect(await world.addressesHeld()).to.have.length(2);
  });

  it('refuses the same ADD twice, and leaves the first as it is', async () => {
    const before = await world.add();
    const error = await world.refused(world.attach());
    expect(error.code).to.equal(102);
    expect(error.msg).to.contain('eth0');
    expect((await world.endpoints())[0]?.spec.ipNetworks).to.deep.equal(
      before.ips.map(({ address }) => address),
    );
    expect(await world.cables()).to.have.length(1);
  });

  it('attaches one container twice, and detaches one of the two', async () => {
    await world.add();
    await world.add({ ifName: 'net1', conf: world.node.conf({ ipam: { routes: [] } }) });
    expect(await world.endpoints()).to.have.length(2);
    expect((await world.pod.ip('route')).match(/^default/gm)).to.have.length(1);
    await world.node.call(world.attach({ command: 'DEL', ifName: 'net1' }));
    expect((await world.endpoints()).map(({ spec }) => spec.endpoint)).to.deep.equal(['eth0']);
    expect(await world.addressesHeld()).to.have.length(2);
    expect(await world.pod.ip('-br', 'link'))
      .to.contain('eth0')
      .and.not.contain('net1');
  });

  it('passes on what earlier plugins of the chain made', async () => {
    const prevResult = {
      cniVersion: '1.1.0',
      interfaces: [{ name: 'lo', sandbox: world.pod.path() }],
      ips: [{ address: '127.0.0.1/8', interface: 0 }],
    };
    const result = await world.add({ conf: world.node.conf({ prevResult }) });
    expect(result.interfaces.map(({ name }) => name)).to.have.ordered.members([
      'lo',
      result.interfaces[1]?.name,
      'eth0',
    ]);
    expect(result.ips[0]?.address).to.equal('127.0.0.1/8');
    expect(result.ips[1]?.interface).to.equal(2);
  });

  it('gives out no address twice to twenty at once, and frees them all', async () => {
    const netns = world.pod.path();
    const ids = Array.from({ length: 20 }, (_, index) => `c${index}`);
    const answers = await Promise.all(
      ids.map((id, index) =>
        world.node.call(world.attach({ containerId: id, netns, ifName: `e${index}`, args: '' })),
      ),
    );
    expect(answers.filter(({ exitCode }) => exitCode !== 0).map(({ stdout }) => stdout)).to.deep.equal([]);
    const addresses = answers.flatMap(({ output }) =>
      (output as unknown as Result).ips.map(({ address }) => address),
    );
    expect(new Set(addresses).size).to.equal(40);
    await Promise.all(
      ids.map((id, index) =>
        world.node.call(
          world.attach({ command: 'DEL', containerId: id, netns, ifName: `e${index}`, args: '' }),
        ),
      ),
    );
    await world.expectNothingLeft();
  });
});
