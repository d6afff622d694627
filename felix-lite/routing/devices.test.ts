/** Tunnel devices that no mode needs any more, on the real kernel. */
import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { makeRoute, Netlink } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { offloadIsBroken, TunnelDevices } from './devices.ts';

const GRACE = 30_000;
const address = (text: string) => Address.parse(text) ?? expect.fail(text);

describeOnKernel('tunnel devices', () => {
  const here = freshNamespace();
  const clock = new SimulatedClock();
  let kernel: Netlink;
  let devices: TunnelDevices;
  beforeEach(async () => {
    kernel = Netlink.open({ netns: here.path() });
    devices = new TunnelDevices(kernel, clock, GRACE);
    await kernel.createVeth({ name: 'eth0', up: true, peer: { name: 'eth1' } });
    await kernel.addAddress('eth0', address('192.0.2.1'), 24);
    const vxlan = { vni: 4096, port: 4789, mac: '66:3b:10:aa:bb:cc' };
    const wish = { name: 'vxlan.calico', version: 4, overhead: 50, mtu: undefined, vxlan } as const;
    const { problems } = await devices.ensure([
      { ...wish, underlay: address('192.0.2.1'), inner: address('10.244.1.1') },
    ]);
    expect(problems).to.deep.equal([]);
  });
  afterEach(() => kernel.close());

  const retire = (): Promise<number> => devices.retire(['vxlan.calico']);

  it('leave checksums to the hardware or not, as they are told', async () => {
    const vxlan = { vni: 4096, port: 4789, mac: '66:3b:10:aa:bb:cc' };
    const wish = { name: 'vxlan.calico', version: 4, overhead: 50, mtu: undefined } as const;
    const ends = { underlay: address('192.0.2.1'), inner: address('10.244.1.1') };
    for (const checksumOffload of [false, true, false]) {
      await devices.ensure([{ ...wish, ...ends, vxlan: { ...vxlan, checksumOffload } }]);
      expect(kernel.transmitChecksums('vxlan.calico')).to.equal(checksumOffload);
    }
    expect(['4.19.0-27-amd64', '5.7.1', '5.8.0', '6.1.0-13'].map(offloadIsBroken)).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
  });

  it('are looked at again while routes of another daemon lead over them, and go a while after the last', async () => {
    const route = makeRoute({
      destination: Prefix.parse('10.244.2.0/26') ?? expect.fail(),
      protocol: 80,
      nextHops: [{ gateway: address('10.244.2.1'), interface: 'vxlan.calico', onlink: true }],
    });
    await kernel.applyRoutes([{ op: 'add', route }]);
    clock.advance(GRACE);
    expect(await retire()).to.equal(0);
    expect(devices.waiting, 'in use').to.equal(true);

    await kernel.applyRoutes([{ op: 'delete', route }]);
    expect(await retire()).to.equal(0);
    expect(devices.waiting, 'receiving').to.equal(true);
    clock.advance(GRACE);
    expect(await retire()).to.equal(1);
    expect(await kernel.getLink('vxlan.calico')).to.equal(undefined);
    expect(await retire()).to.equal(0);
    expect(devices.waiting, 'gone').to.equal(false);
  });
});
