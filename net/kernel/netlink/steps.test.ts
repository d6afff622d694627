/** Several changes in one send, and interfaces that go together. */
import { expect } from 'chai';
import { closeSync, openSync } from 'node:fs';
import { Address, Prefix } from '../../addr/index.ts';
import { readSysctl } from '../sysctl.ts';
import { describeOnKernel, freshNamespace } from '../testing.ts';
import { Netlink } from './netlink.ts';
import { makeRoute, PROTOCOL_BOOT } from './route.ts';

describeOnKernel('netlink: steps', () => {
  const here = freshNamespace();
  const there = freshNamespace();

  it('makes a veth with its settings, and all of the other end, in a send for each namespace', async () => {
    using near = Netlink.open({ netns: here.path() });
    using far = Netlink.open({ netns: there.path() });
    const netnsFd = openSync(there.path(), 'r');
    const [link] = await near.perform([
      { type: 'veth', end: { name: 'a0' }, peer: { name: 'b0', netnsFd } },
      {
        type: 'link',
        link: 'a0',
        change: {
          alias: 'ours',
          up: true,
          ipv4: { forwarding: 1, proxy_arp: 1, rp_filter: 1, route_localnet: 1 },
        },
      },
      { type: 'look', link: 'a0' },
    ]);
    closeSync(netnsFd);
    expect(link).to.include({ name: 'a0', alias: 'ours', up: true, kind: 'veth' });
    for (const name of ['forwarding', 'proxy_arp', 'rp_filter', 'route_localnet'])
      expect(readSysctl(`net/ipv4/conf/a0/${name}`, here.path()), name).to.equal('1');
    expect(readSysctl('net/ipv4/conf/a0/send_redirects', here.path())).to.equal('1');
    const index = link?.peerIndex ?? 0;
    const address = known('10.1.2.3');
    const gateway = known('169.254.1.1');
    const [end] = await far.perform([
      { type: 'address', link: index, address, prefixLength: 32 },
      { type: 'link', link: index, change: { up: true } },
      { type: 'neighbour', link: index, address: gateway, mac: 'ee:ee:ee:ee:ee:ee' },
      {
        type: 'route',
        route: makeRoute({
          destination: Prefix.of(known('0.0.0.0'), 0),
          protocol: PROTOCOL_BOOT,
          nextHops: [{ gateway, interface: index, onlink: true }],
        }),
      },
      { type: 'look', link: index },
    ]);
    expect(end).to.include({ name: 'b0', up: true });
    expect(await there.ip('route')).to.contain('default via 169.254.1.1 dev b0');
    expect(await there.ip('neighbour')).to.contain('ee:ee:ee:ee:ee:ee PERMANENT');
  });

  it('names the step that failed', async () => {
    using near = Netlink.open({ netns: here.path() });
    const failed = await near
      .perform([
        { type: 'veth', end: { name: 'a0' }, peer: { name: 'a1' } },
        { type: 'veth', end: { name: 'a0' }, peer: { name: 'a2' } },
      ])
      .catch((error: unknown) => String(error));
    expect(failed).to.contain('RTM_NEWLINK a0').and.contain('EEXIST');
  });

  it('removes interfaces together, and says which were there', async () => {
    using near = Netlink.open({ netns: here.path() });
    const names = Array.from({ length: 100 }, (_, i) => `c${i}`);
    await near.perform(names.map((name) => ({ type: 'veth', end: { name }, peer: { name: `p${name}` } })));
    await near.createVeth({ name: 'stays', peer: { name: 'stays-too' } });
    const answers = await near.deleteLinks([...names, 'never-was']);
    expect(answers).to.deep.equal([...names.map(() => true), false]);
    const left = (await near.listLinks()).map(({ name }) => name);
    expect(left).to.include.members(['stays', 'stays-too']);
    expect(left.filter((name) => /^p?c\d/.test(name))).to.deep.equal([]);
    expect(await near.deleteLinks(['never-was'])).to.deep.equal([false]);
  });
});

function known(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(text);
  return address;
}
