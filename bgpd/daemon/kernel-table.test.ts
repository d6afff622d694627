import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import {
  KernelError,
  type KernelEvent,
  makeRoute,
  type Route,
  type RouteBatch,
} from '../../net/kernel/index.ts';
import { KernelTable, PROTOCOL_BGPD } from './kernel-table.ts';

const p = (text: string): Prefix => Prefix.parse(text) ?? expect.fail(text);
const at = (text: string): Address => Address.parse(text) ?? expect.fail(text);
const A = p('10.1.0.0/24');
const B = p('10.2.0.0/24');
const SIX = p('fd00:1:2:3::/64');
const FAR = at('203.0.113.7');

class FakeNetlink {
  routes: Route[] = [];
  readonly changes: string[] = [];
  errno = 0;
  listener: (event: KernelEvent) => void = () => {};

  listRoutes(): Promise<Route[]> {
    return Promise.resolve(this.routes);
  }
  getLink() {
    return Promise.resolve(undefined);
  }
  sendRoutes(batch: RouteBatch, describe: (index: number) => string) {
    const failures = new Map<number, KernelError>();
    for (let i = 0; i < batch.count; i++) {
      this.changes.push(describe(i));
      if (this.errno !== 0) failures.set(i, new KernelError(this.errno, describe(i), 'said so'));
    }
    return { outcome: Promise.resolve(failures), poll: () => failures };
  }
  subscribe(_groups: unknown, listener: (event: KernelEvent) => void): () => void {
    this.listener = listener;
    return () => {};
  }
}

describe('kernel table', () => {
  it('tells its own routes by protocol 80, and lists of others only those in the same place', async () => {
    const netlink = new FakeNetlink();
    netlink.routes = [
      makeRoute({
        destination: A,
        protocol: PROTOCOL_BGPD,
        nextHops: [{ gateway: at('192.0.2.1'), interface: 'eth1' }],
      }),
      makeRoute({ destination: p('10.2.0.0/26'), protocol: PROTOCOL_BGPD, type: 'blackhole' }),
      makeRoute({ destination: p('10.3.0.0/24'), protocol: 4, nextHops: [{ gateway: at('192.0.2.9') }] }),
      makeRoute({
        destination: p('10.3.0.0/24'),
        protocol: 4,
        metric: 100,
        nextHops: [{ gateway: at('192.0.2.9') }],
      }),
      makeRoute({ destination: p('10.4.0.1/32'), protocol: 3, nextHops: [{ interface: 'cali1' }] }),
      makeRoute({
        destination: p('fd00::/64'),
        protocol: 2,
        metric: 1024,
        nextHops: [{ interface: 'eth1' }],
      }),
      makeRoute({ destination: p('fd00::/64'), protocol: 2, metric: 256, nextHops: [{ interface: 'eth1' }] }),
    ];
    const { routes: listed, ways } = await new KernelTable(netlink).list();
    expect(
      listed.map(({ prefix, owner, entry }) => `${prefix.toString()} ${owner} ${entry?.type ?? '-'}`),
    ).to.deep.equal([
      '10.1.0.0/24 ours unicast',
      '10.2.0.0/26 ours blackhole',
      '10.3.0.0/24 other unicast',
      '10.4.0.1/32 other -',
      'fd00::/64 other -',
    ]);
    expect(
      ways.map(({ prefix, metric, gateways }) => `${prefix.toString()} ${metric} ${gateways.join()}`),
    ).to.deep.equal([
      '10.3.0.0/24 0 192.0.2.9',
      '10.3.0.0/24 100 192.0.2.9',
      '10.4.0.1/32 0 ',
      'fd00::/64 1024 ',
      'fd00::/64 256 ',
    ]);
  });

  it('writes routes with protocol 80, and deletes whatever next hops ours has', async () => {
    const netlink = new FakeNetlink();
    const entry = { type: 'unicast', gateways: [at('192.0.2.1'), at('192.0.2.2')] } as const;
    const batch = new KernelTable(netlink).begin();
    batch.add('add', A, entry);
    batch.add('delete', A, entry);
    batch.add('add', SIX, { type: 'blackhole' });
    batch.add('delete', SIX, { type: 'blackhole' });
    batch.add('add', B, { type: 'unicast', gateways: [], tunnel: { device: 'tunl0', gateways: [FAR] } });
    expect(await batch.send()).to.deep.equal([]);
    expect(netlink.changes).to.deep.equal([
      'route add 10.1.0.0/24 nexthop via 192.0.2.1 nexthop via 192.0.2.2 proto 80',
      'route delete 10.1.0.0/24 proto 80',
      'route add blackhole fd00:1:2:3::/64 proto 80',
      'route delete blackhole fd00:1:2:3::/64 proto 80',
      'route add 10.2.0.0/24 via 203.0.113.7 dev tunl0 onlink proto 80',
    ]);
  });

  it('refuses what no message can be made of in its place, and carries out the rest', async () => {
    const netlink = new FakeNetlink();
    const batch = new KernelTable(netlink).begin();
    const four = { type: 'unicast', gateways: [FAR] } as const;
    for (const prefix of [A, SIX, B, SIX]) batch.add('add', prefix, four);
    netlink.errno = 101;
    const refusals = await batch.send();
    expect(refusals.map(({ index, cause }) => `${index} ${cause}`)).to.deep.equal([
      '0 refused',
      '1 refused',
      '2 refused',
      '3 refused',
    ]);
    expect(refusals[1]?.reason).to.contain('an IPv6 destination cannot have the IPv4 gateway 203.0.113.7');
    expect(netlink.changes).to.have.lengthOf(2);
  });

  for (const [errno, cause] of [
    [17, 'exists'],
    [3, 'absent'],
    [101, 'refused'],
  ] as const)
    it(`calls errno ${errno} "${cause}", in the kernel's words`, async () => {
      const netlink = new FakeNetlink();
      netlink.errno = errno;
      const batch = new KernelTable(netlink).begin();
      batch.add('add', A, { type: 'blackhole' });
      const [outcome] = await batch.send();
      expect(outcome).to.deep.include({ index: 0, cause });
      expect(outcome).to.have.property('reason').that.includes('said so');
    });

  it('passes on what others do in its place, and every change of links and addresses', () => {
    const netlink = new FakeNetlink();
    const seen: string[] = [];
    new KernelTable(netlink).watch({
      observe: (prefix, owner, change) => void seen.push(`${prefix.toString()} ${owner} ${change}`),
      disturbed: () => void seen.push('disturbed'),
    });
    netlink.listener(route({}));
    netlink.listener(route({ metric: 5 }));
    netlink.listener(route({ table: 100 }));
    netlink.listener(route({ protocol: PROTOCOL_BGPD }));
    netlink.listener({ type: 'resync' });
    netlink.listener(route({ protocol: PROTOCOL_BGPD, metric: 5 }));
    expect(seen).to.deep.equal([
      '10.1.0.0/24 other new',
      '10.1.0.0/24 other new',
      '10.1.0.0/24 ours new',
      'disturbed',
    ]);
  });
});

function route(some: Partial<Route>): KernelEvent {
  return { type: 'route', change: 'new', route: makeRoute({ destination: A, protocol: 4, ...some }) };
}
