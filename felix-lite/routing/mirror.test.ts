/** What is known of the kernel without asking it, held against the kernel, whatever somebody does to it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import { formatRoute, type KernelEvent, Netlink, run, TABLE_MAIN } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { type KernelReads, KernelMirror } from './mirror.ts';

const TABLE = 77;
/** How long a thing may take on a busy machine; normally it is at once. */
const PATIENCE = 30_000;

const text = (values: readonly object[]): readonly string[] =>
  values.map((value) => JSON.stringify(value)).sort();

describeOnKernel('what routing knows of the kernel', function () {
  this.timeout(PATIENCE + 10_000);
  const here = freshNamespace();
  let kernel: Netlink;
  let events: KernelEvent[];
  let known: KernelMirror;

  beforeEach(async () => {
    kernel = Netlink.open({ netns: here.path() });
    for (const name of ['eth0', 'eth1']) {
      await kernel.createVeth({ name, up: true, peer: { name: `${name}-peer` } });
      await kernel.setLink(`${name}-peer`, { up: true });
    }
    await here.ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
    await here.ip('address', 'add', '2001:db8::1/64', 'dev', 'eth0', 'nodad');
    await here.ip('address', 'add', '198.51.100.1/24', 'dev', 'eth1');
    await here.ip('link', 'add', 'vx', 'type', 'vxlan', 'id', '7', 'dstport', '4789', 'dev', 'eth0');
    await here.ip('link', 'set', 'vx', 'up');
    events = [];
    known = new KernelMirror(kernel, (event) => events.push(event));
  });

  afterEach(() => {
    known.close();
    kernel.close();
  });

  async function all(reads: KernelReads): Promise<Readonly<Record<string, readonly string[]>>> {
    const vx = (await kernel.getLink('vx'))?.index ?? 0;
    // What has to do with the other end: the kernel does not always tell.
    const links = (await reads.listLinks()).map(({ index, name, kind, mac, mtu, up, alias, vxlan }) => ({
      index,
      name,
      kind,
      mac,
      mtu,
      up,
      alias,
      vxlan,
    }));
    // The kernel tells of an address of IPv6 when nobody else has turned out to have it.
    const addresses = (await reads.listAddresses()).filter(({ tentative }) => !tentative);
    const routes = await Promise.all([TABLE_MAIN, TABLE].map((table) => reads.listRoutes({ table })));
    return {
      links: text(links),
      addresses: text(addresses),
      routes: routes.flat().map(formatRoute).sort(),
      neighbours:
        vx === 0 ? [] : text((await reads.listNeighbours(vx)).filter(({ state }) => state === 'permanent')),
      forwarding: vx === 0 ? [] : text(await reads.listForwarding(vx)),
    };
  }

  /** The kernel does some of it later, in a turn of its own (addresses of IPv6), and so between two questions. */
  async function agree(when: string): Promise<void> {
    const end = performance.now() + PATIENCE;
    for (;;) {
      const [ours, its] = [await all(known), await all(kernel)];
      if (isDeepStrictEqual(ours, its)) return;
      if (performance.now() > end) expect(ours, when).to.deep.equal(its);
      await sleep(10);
    }
  }

  const bridge = (...args: readonly string[]) => run('bridge', args, { netns: here.path() });

  /** `ambiguous`: the kernel has to be asked, or may be. */
  const deeds: readonly {
    readonly it: string;
    readonly does: readonly string[];
    readonly ambiguous?: true;
  }[] = [
    {
      it: 'a route comes',
      does: ['route add 10.1.0.0/16 via 192.0.2.9', 'route add 10.2.0.0/16 via 198.51.100.9'],
    },
    { it: 'one of another metric comes', does: ['route add 10.1.0.0/16 via 192.0.2.8 metric 5'] },
    { it: 'a route is replaced', does: ['route replace 10.1.0.0/16 via 192.0.2.7'] },
    { it: 'a blackhole comes', does: ['route add blackhole 10.3.0.0/16'] },
    { it: 'a route of another table comes', does: [`route add 10.4.0.0/16 via 192.0.2.9 table ${TABLE}`] },
    { it: 'a route goes', does: ['route del 10.1.0.0/16 metric 5'] },
    {
      it: 'a route of IPv6 comes',
      does: ['-6 route add fd00:1::/64 via 2001:db8::9', '-6 route add blackhole fd00:2::/64'],
    },
    { it: 'a route of IPv6 is replaced', does: ['-6 route replace fd00:1::/64 via 2001:db8::8'] },
    { it: 'a second next hop comes', does: ['-6 route append fd00:1::/64 via 2001:db8::7'], ambiguous: true },
    { it: 'a next hop goes', does: ['-6 route del fd00:1::/64 via 2001:db8::8'], ambiguous: true },
    {
      it: 'a route over several links comes',
      does: ['route add 10.5.0.0/16 nexthop via 192.0.2.9 nexthop via 198.51.100.9'],
    },
    { it: 'another is appended', does: ['route append 10.2.0.0/16 via 192.0.2.9'], ambiguous: true },
    { it: 'a link goes down', does: ['link set eth1 down'], ambiguous: true },
    { it: 'a link comes up', does: ['link set eth1 up'] },
    {
      it: 'a link is called otherwise',
      does: ['link set eth1 down', 'link set eth1 name eth9', 'link set eth9 up'],
      ambiguous: true,
    },
    { it: 'a link is changed', does: ['link set eth9 mtu 1400', 'link set eth9 alias hello'] },
    { it: 'an address comes', does: ['address add 203.0.113.1/24 dev eth9'] },
    { it: 'a route with a source comes', does: ['route add 10.6.0.0/16 via 192.0.2.9 src 203.0.113.1'] },
    {
      it: 'an address goes, and takes routes along',
      does: ['address del 203.0.113.1/24 dev eth9'],
      ambiguous: true,
    },
    {
      it: 'neighbours come',
      does: [
        'neigh add 10.244.1.1 lladdr 66:00:00:00:00:01 dev vx nud permanent',
        'neigh add 10.244.1.2 lladdr 66:00:00:00:00:02 dev vx nud permanent',
      ],
    },
    {
      it: 'a neighbour is changed',
      does: ['neigh replace 10.244.1.1 lladdr 66:00:00:00:00:03 dev vx nud permanent'],
    },
    { it: 'a neighbour goes', does: ['neigh del 10.244.1.2 dev vx'] },
    {
      it: 'entries come',
      does: [
        'fdb add 66:00:00:00:00:01 dev vx dst 192.0.2.9',
        'fdb add 66:00:00:00:00:02 dev vx dst 192.0.2.8',
      ],
    },
    { it: 'an entry is changed', does: ['fdb replace 66:00:00:00:00:01 dev vx dst 192.0.2.7'] },
    { it: 'an entry goes', does: ['fdb del 66:00:00:00:00:02 dev vx dst 192.0.2.8'] },
    {
      it: 'a workload comes',
      does: [
        'link add cali9 type veth peer name cali9-peer',
        'link set cali9 up',
        'route add 10.7.0.1/32 dev cali9',
        '-6 route add fd00:7::1 dev cali9',
      ],
    },
    { it: 'a workload goes', does: ['link del cali9'] },
    { it: 'a link goes away', does: ['link del eth9'], ambiguous: true },
    { it: 'the tunnel goes away', does: ['link del vx'] },
  ];

  it('is what the kernel has after whatever somebody does, and is asked of it only where an event leaves a doubt', async () => {
    await agree('at the start');
    for (const { it, does, ambiguous } of deeds) {
      const before = known.reads;
      for (const line of does) {
        const words = line.split(' ');
        if (words[0] === 'fdb') await bridge(...words);
        else await here.ip(...words);
      }
      await agree(it);
      if (ambiguous === undefined) expect(known.reads, `${it}: full reads`).to.equal(before);
    }
  });

  it('knows of what was written a moment ago, without a turn of the event loop between', async () => {
    await known.listRoutes({ table: TABLE_MAIN });
    const { reads } = known;
    for (let i = 0; i < 50; i++) {
      await here.ip('route', 'add', `10.9.${i}.0/24`, 'via', '192.0.2.9');
      const routes = await known.listRoutes({ table: TABLE_MAIN });
      expect(routes.map(formatRoute)).to.include(`10.9.${i}.0/24 via 192.0.2.9 dev eth0 proto 3`);
    }
    expect(known.reads).to.equal(reads);
  });
});
