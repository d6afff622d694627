/** Links, addresses and neighbours on the real kernel, in namespaces of the tests' own, with iproute2 as the judge. */
import { expect } from 'chai';
import { Address, Prefix } from '../../addr/index.ts';
import { isKernelError } from '../errors.ts';
import { run } from '../process.ts';
import { describeOnKernel, freshNamespace, textLines } from '../testing.ts';
import { Netlink } from './netlink.ts';
import { makeRoute } from './route.ts';

const address = (text: string) => Address.parse(text) ?? expect.fail(`not an address: ${text}`);
const prefix = (text: string) => Prefix.parse(text) ?? expect.fail(`not a prefix: ${text}`);

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'done';
  } catch (error) {
    return isKernelError(error) ? error.code : String(error);
  }
}

describeOnKernel('Netlink: links, addresses, neighbours', () => {
  const here = freshNamespace();
  const there = freshNamespace();
  let kernel: Netlink;
  let far: Netlink;
  beforeEach(() => {
    kernel = Netlink.open({ netns: here.path() });
    far = Netlink.open({ netns: there.path() });
  });
  afterEach(() => {
    kernel.close();
    far.close();
  });

  const wire = () =>
    kernel.createVeth({
      name: 'cali0',
      mtu: 1440,
      mac: 'ee:ee:ee:ee:ee:ee',
      up: true,
      peer: { name: 'eth0', netns: there.path(), mtu: 1440, mac: '02:00:00:00:00:07' },
    });

  it('wires a pair whose other end is born in another namespace', async () => {
    await wire();
    const [near] = JSON.parse(await here.ip('-j', '-d', 'link', 'show', 'cali0')) as Record<
      string,
      unknown
    >[];
    expect(near).to.deep.include({ mtu: 1440, address: 'ee:ee:ee:ee:ee:ee' });
    expect(near?.['linkinfo']).to.deep.include({ info_kind: 'veth' });
    const [peer] = JSON.parse(await there.ip('-j', 'link', 'show', 'eth0')) as Record<string, unknown>[];
    expect(peer).to.deep.include({ mtu: 1440, address: '02:00:00:00:00:07', operstate: 'DOWN' });

    expect(await kernel.getLink('cali0')).to.include({ up: true, carrier: false, kind: 'veth' });
    await far.setLink('eth0', { up: true });
    const link = await kernel.getLink('cali0');
    const other = await far.getLink('eth0');
    expect(link).to.include({ up: true, carrier: true, mtu: 1440, mac: 'ee:ee:ee:ee:ee:ee' });
    expect(link?.peerIndex).to.equal(other?.index);
    expect(other?.peerIndex).to.equal(link?.index);
    expect((await kernel.listLinks()).map(({ name }) => name)).to.have.members(['lo', 'cali0']);
  });

  it('refuses a name that is taken, on either side', async () => {
    await wire();
    expect(await refusal(wire())).to.equal('EEXIST');
    expect(
      await refusal(kernel.createVeth({ name: 'cali1', peer: { name: 'eth0', netns: there.path() } })),
    ).to.equal('EEXIST');
    expect(await kernel.getLink('cali1')).to.equal(undefined);
  });

  it('changes what is given and leaves the rest', async () => {
    await wire();
    await kernel.setLink('cali0', { mtu: 1300, alias: 'web-0' });
    expect(await kernel.getLink('cali0')).to.include({ mtu: 1300, up: true, alias: 'web-0' });
    await kernel.setLink('cali0', { up: false });
    await kernel.setLink('cali0', { name: 'cali9', mac: '02:00:00:00:00:09' });
    expect(await kernel.getLink('cali9')).to.include({ mtu: 1300, up: false, mac: '02:00:00:00:00:09' });
    await kernel.setLink('cali9', { netns: there.path(), name: 'moved' });
    expect(await kernel.getLink('cali9')).to.equal(undefined);
    expect((await far.listLinks()).map(({ name }) => name)).to.have.members(['lo', 'eth0', 'moved']);
    expect(await refusal(kernel.setLink('cali9', { up: true }))).to.equal('ENODEV');
    expect(await refusal(far.setLink('moved', { mtu: 10 }))).to.equal('EINVAL');
  });

  it('deletes an interface once', async () => {
    await wire();
    expect(await kernel.deleteLink('cali0')).to.equal(true);
    expect(await kernel.deleteLink('cali0')).to.equal(false);
    expect(await far.getLink('eth0')).to.equal(undefined);
  });

  for (const { at, other, length } of [
    { at: '10.65.0.1', other: '10.65.0.2', length: 24 },
    { at: 'fd00:65::1', other: 'fd00:65::2', length: 64 },
  ])
    it(`sets ${at}/${length} once, and neighbours`, async () => {
      await wire();
      await far.setLink('eth0', { up: true });
      const add = () => kernel.addAddress('cali0', address(at), length, { noDuplicateDetection: true });
      expect(await add()).to.equal(true);
      expect(await add()).to.equal(false);
      expect(await here.ip('addr', 'show', 'dev', 'cali0')).to.contain(`${at}/${length}`);
      const mine = (await kernel.listAddresses('cali0')).find((one) => one.address.toString() === at);
      expect(mine).to.include({ prefixLength: length, scope: 0, permanent: true, tentative: false });

      const entry = { link: 'cali0', address: address(other), mac: '02:00:00:00:00:07' };
      await kernel.replaceNeighbour({ ...entry, mac: '02:00:00:00:00:01' });
      await kernel.replaceNeighbour(entry);
      expect(textLines(await here.ip('neigh', 'show', other, 'dev', 'cali0'))).to.deep.equal([
        `${other} lladdr 02:00:00:00:00:07 PERMANENT`,
      ]);
      const found = (await kernel.listNeighbours('cali0')).find((one) => one.address.toString() === other);
      expect(found).to.include({ mac: entry.mac, state: 'permanent' });
      expect(await kernel.deleteNeighbour(entry)).to.equal(true);
      expect(await kernel.deleteNeighbour(entry)).to.equal(false);

      expect(await kernel.deleteAddress('cali0', address(at), length)).to.equal(true);
      expect(await kernel.deleteAddress('cali0', address(at), length)).to.equal(false);
    });

  it('gives a workload its way out: /32 and /128, gateway by permanent neighbour', async () => {
    await wire();
    await far.setLink('eth0', { up: true });
    await kernel.replaceNeighbour({ link: 'cali0', address: address('10.65.0.2'), mac: '02:00:00:00:00:07' });
    await far.addAddress('eth0', address('10.65.0.2'), 32);
    await far.replaceNeighbour({ link: 'eth0', address: address('169.254.1.1'), mac: 'ee:ee:ee:ee:ee:ee' });
    const gateway = address('169.254.1.1');
    const outcomes = await far.applyRoutes([
      {
        op: 'replace',
        route: makeRoute({
          destination: prefix('169.254.1.1/32'),
          protocol: 3,
          nextHops: [{ interface: 'eth0' }],
        }),
      },
      {
        op: 'replace',
        route: makeRoute({
          destination: prefix('0.0.0.0/0'),
          protocol: 3,
          nextHops: [{ gateway, interface: 'eth0' }],
        }),
      },
    ]);
    expect(outcomes.map(({ errno }) => errno)).to.deep.equal([0, 0]);
    await kernel.setLink('lo', { up: true });
    await kernel.addAddress('lo', address('192.0.2.1'), 32);
    await kernel.applyRoutes([
      {
        op: 'replace',
        route: makeRoute({
          destination: prefix('10.65.0.2/32'),
          protocol: 3,
          nextHops: [{ interface: 'cali0' }],
        }),
      },
    ]);
    // Nobody listens: a refusal is the answer of a host that was reached, silence would run into the deadline.
    const knock = run('bash', ['-c', 'exec 3<>/dev/tcp/192.0.2.1/9'], {
      netns: there.path(),
      deadlineMs: 3000,
    });
    expect(await knock.catch((error: unknown) => String(error))).to.contain('Connection refused');
  });
});
