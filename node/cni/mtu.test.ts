import { expect } from 'chai';
import { Address } from '../../net/addr/index.ts';
import { Netlink } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { uplinkMtu } from './mtu.ts';

describeOnKernel('the MTU of the uplink', () => {
  const here = freshNamespace();

  it('is the smallest of the interfaces that mtuIfacePattern describes, if they are on', async () => {
    using kernel = Netlink.open({ netns: here.path() });
    const own = Address.parse('192.0.2.1') ?? expect.fail();
    for (const [name, mtu] of [
      ['eth0', 1500],
      ['wan0', 1400],
      ['wan1', 1300],
    ] as const) {
      await kernel.createVeth({ name, mtu, up: name !== 'wan1', peer: { name: `${name}p` } });
      await kernel.setLink(`${name}p`, { up: true });
    }
    await kernel.addAddress('eth0', own, 24);
    expect(await uplinkMtu(kernel, [own])).to.equal(1500);
    expect(await uplinkMtu(kernel, [own], '^wan.*')).to.equal(1400);
    expect(await uplinkMtu(kernel, [own], '^none'), 'none is like that').to.equal(1500);
    expect(await uplinkMtu(kernel, [own], '('), 'no pattern').to.equal(1500);
    await kernel.setLink('wan1', { up: true });
    expect(await uplinkMtu(kernel, [own], '^wan.*')).to.equal(1300);
  });
});
