/** Token buckets in a real kernel, as iproute2's tc reads them. */
import { expect } from 'chai';
import { isKernelError } from '../errors.ts';
import { run } from '../process.ts';
import { describeOnKernel, freshNamespace } from '../testing.ts';
import { Netlink } from './netlink.ts';
import { TrafficControl } from './traffic-control.ts';

describeOnKernel('netlink: traffic control', () => {
  const here = freshNamespace();
  const OURS = 0x706f_0000;

  const tc = async (...words: string[]): Promise<string> =>
    (await run('nsenter', [`--net=${here.path()}`, 'tc', ...words])).stdout;

  async function veth(): Promise<number> {
    using netlink = Netlink.open({ netns: here.path() });
    await netlink.createVeth({ name: 'a0', up: true, peer: { name: 'b0' } });
    return (await netlink.getLink('a0'))?.index ?? 0;
  }

  it('shapes what leaves, changes its mind, and lets go', async () => {
    const link = await veth();
    const control = new TrafficControl(here.path());
    await control.shape(link, OURS, { rate: 125_000, burst: 10_000, limit: 20_000 });
    expect(await tc('qdisc', 'show', 'dev', 'a0')).to.match(/tbf 706f: root .*rate 1Mbit burst/);
    const peak = { rate: 12_500_000_000, minBurst: 3000 };
    await control.shape(link, OURS, { rate: 6_250_000_000, burst: 2 ** 29, limit: 2 ** 30, peak });
    expect(await tc('qdisc', 'show', 'dev', 'a0')).to.match(
      /tbf 706f: root .*rate 50Gbit .*peakrate 100Gbit/,
    );
    const there = (await control.disciplines()).filter((one) => one.link === link);
    expect(there).to.deep.equal([{ link, kind: 'tbf', handle: OURS, isRoot: true }]);
    await control.unshape(link, OURS);
    await control.unshape(link, OURS);
    expect(await tc('qdisc', 'show', 'dev', 'a0')).not.to.contain('tbf');
    control.close();
  });

  it('leaves a stranger alone when it lets go', async () => {
    const link = await veth();
    await tc(
      'qdisc',
      'add',
      'dev',
      'a0',
      'root',
      'handle',
      '1:',
      'tbf',
      'rate',
      '1mbit',
      'burst',
      '10k',
      'latency',
      '25ms',
    );
    const control = new TrafficControl(here.path());
    await control.unshape(link, OURS);
    expect(await tc('qdisc', 'show', 'dev', 'a0')).to.contain('tbf 1: root');
    control.close();
  });

  it('sends what comes in through a device of its own, once, however often it is asked', async () => {
    const link = await veth();
    const control = new TrafficControl(here.path());
    await control.createIfb('ifbtest', 1400, 'mine');
    await control.createIfb('ifbtest', 1300, 'mine');
    using netlink = Netlink.open({ netns: here.path() });
    const through = await netlink.getLink('ifbtest');
    expect(through).to.include({ kind: 'ifb', up: true, mtu: 1300, alias: 'mine' });
    for (let time = 0; time < 2; time++) await control.redirect(link, through?.index ?? 0);
    const filters = await tc('filter', 'show', 'dev', 'a0', 'ingress');
    expect(filters.match(/Egress Redirect to device ifbtest/g)).to.have.length(1);
    await control.noRedirect(link);
    await control.noRedirect(link);
    expect(await tc('filter', 'show', 'dev', 'a0', 'ingress')).to.equal('');
    control.close();
  });

  it('says when the interface is gone, and what the kernel does not take', async () => {
    const link = await veth();
    const control = new TrafficControl(here.path());
    const bucket = { rate: 1000, burst: 2000, limit: 3000 };
    expect(isKernelError(await refused(control.shape(99_999, OURS, bucket)), 'ENODEV')).to.equal(true);
    const slow = { ...bucket, peak: { rate: 10, minBurst: 2000 } };
    expect(isKernelError(await refused(control.shape(link, OURS, slow)), 'EINVAL')).to.equal(true);
    control.close();
  });
});

const refused = (work: Promise<void>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );
