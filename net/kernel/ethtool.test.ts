import { expect } from 'chai';
import { setTransmitChecksums, transmitChecksums } from './ethtool.ts';
import { Netlink } from './netlink/netlink.ts';
import { describeOnKernel, freshNamespace } from './testing.ts';

describeOnKernel('checksums left to the hardware', () => {
  const here = freshNamespace();

  it('are read, switched off and on again', async () => {
    using kernel = Netlink.open({ netns: here.path() });
    await kernel.createVeth({ name: 'eth0', peer: { name: 'eth1' } });
    expect(transmitChecksums(here.path(), 'eth0')).to.equal(true);
    expect(setTransmitChecksums(here.path(), 'eth0', false)).to.equal(true);
    expect(transmitChecksums(here.path(), 'eth0')).to.equal(false);
    expect(setTransmitChecksums(here.path(), 'eth0', true)).to.equal(true);
    expect(transmitChecksums(here.path(), 'eth0')).to.equal(true);
  });

  it('are nothing to speak of on an interface that is not there', () => {
    expect(transmitChecksums(here.path(), 'none')).to.equal(undefined);
    expect(setTransmitChecksums(here.path(), 'none', false)).to.equal(false);
  });
});
