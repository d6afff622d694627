/** Tunnel devices and the entries that lead through them, on the real kernel. */
import { expect } from 'chai';
import { Address } from '../../addr/index.ts';
import { describeOnKernel, freshNamespace } from '../testing.ts';
import { Netlink } from './netlink.ts';

const address = (text: string) => Address.parse(text) ?? expect.fail(`not an address: ${text}`);

describeOnKernel('Netlink: tunnels', () => {
  const here = freshNamespace();
  let kernel: Netlink;
  let parent = 0;
  beforeEach(async () => {
    kernel = Netlink.open({ netns: here.path() });
    await kernel.createVeth({ name: 'eth0', up: true, peer: { name: 'eth1' } });
    parent = (await kernel.getLink('eth0'))?.index ?? expect.fail('no eth0');
  });
  afterEach(() => kernel.close());

  for (const local of ['192.0.2.1', '2001:db8::1'])
    it(`makes a VXLAN device over ${local}, and reads back what it is`, async () => {
      const vxlan = { kind: 'vxlan', name: 'vxlan.calico', vni: 4096, port: 4789 } as const;
      const made = { ...vxlan, mtu: 1400, mac: '66:3b:10:aa:bb:cc', local: address(local), parent };
      expect(await kernel.createTunnel(made)).to.equal(true);
      expect(await kernel.createTunnel(made), 'again').to.equal(false);
      const link = (await kernel.getLink('vxlan.calico')) ?? expect.fail('no device');
      expect(link).to.include({ kind: 'vxlan', mtu: 1400, mac: '66:3b:10:aa:bb:cc', up: false });
      expect(link.vxlan).to.deep.equal({
        vni: 4096,
        port: 4789,
        learning: false,
        local: address(local),
        parent,
      });
      const shown = await here.ip('-d', 'link', 'show', 'vxlan.calico');
      expect(shown).to.match(/vxlan id 4096 local \S+ dev eth0 .*dstport 4789 nolearning/);
    });

  it('sets, replaces, lists and removes who is behind which outer address', async () => {
    const local = address('192.0.2.1');
    await kernel.createTunnel({ kind: 'vxlan', name: 'vx', vni: 7, port: 8472, local, parent });
    const link = (await kernel.getLink('vx'))?.index ?? expect.fail('no device');
    const mac = '66:00:00:00:00:01';
    const entry = (remote: string) => ({ link, mac, remote: address(remote) });
    const inner = { link, address: address('10.0.0.1'), mac };
    const refused = await kernel.applyNeighbours([
      { type: 'forwarding', op: 'replace', entry: entry('192.0.2.2') },
      { type: 'forwarding', op: 'replace', entry: entry('192.0.2.3') },
      { type: 'neighbour', op: 'replace', entry: inner },
    ]);
    expect(refused).to.deep.equal([]);
    expect(await kernel.listForwarding(link)).to.deep.equal([entry('192.0.2.3')]);
    expect(await kernel.listNeighbours(link)).to.deep.include({ ...inner, state: 'permanent' });
    const removals = [
      { type: 'forwarding', op: 'delete', entry: entry('192.0.2.3') },
      { type: 'neighbour', op: 'delete', entry: inner },
    ] as const;
    expect(await kernel.applyNeighbours(removals)).to.deep.equal([]);
    expect(await kernel.applyNeighbours(removals), 'gone already').to.deep.equal([]);
    expect(await kernel.listForwarding(link)).to.deep.equal([]);
  });
});
