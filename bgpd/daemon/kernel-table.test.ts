import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import {
  formatRoute,
  KernelError,
  type KernelEvent,
  makeRoute,
  type Route,
  type RouteChange,
} from '../../net/kernel/index.ts';
import { KernelTable, PROTOCOL_BGPD } from './kernel-table.ts';

const p = (text: string): Prefix => Prefix.parse(text) ?? expect.fail(text);
const at = (text: string): Address => Address.parse(text) ?? expect.fail(text);
const A = p('10.1.0.0/24');

class FakeNetlink {
  routes: Route[] = [];
  readonly changes: string[] = [];
  errno = 0;
  listener: (event: KernelEvent) => void = () => {};

  listRoutes(): Promise<Route[]> {
    return Promise.resolve(this.routes);
  }
  applyRoutes(changes: readonly RouteChange[]) {
    this.changes.push(...changes.map(({ op, route }) => `${op} ${formatRoute(route)}`));
    const refusal = this.errno === 0 ? {} : { error: new KernelError(this.errno, 'route', 'said so') };
    return Promise.resolve(changes.map((change) => ({ change, errno: this.errno, ...refusal })));
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
    await new KernelTable(netlink).apply([
      { op: 'add', prefix: A, entry },
      { op: 'delete', prefix: A, entry },
      { op: 'add', prefix: A, entry: { type: 'blackhole' } },
      { op: 'delete', prefix: A, entry: { type: 'blackhole' } },
    ]);
    expect(netlink.changes).to.deep.equal([
      'add 10.1.0.0/24 nexthop via 192.0.2.1 nexthop via 192.0.2.2 proto 80',
      'delete 10.1.0.0/24 proto 80',
      'add blackhole 10.1.0.0/24 proto 80',
      'delete blackhole 10.1.0.0/24 proto 80',
    ]);
  });

  for (const [errno, cause] of [
    [17, 'exists'],
    [3, 'absent'],
    [101, 'refused'],
  ] as const)
    it(`calls errno ${errno} "${cause}", in the kernel's words`, async () => {
      const netlink = new FakeNetlink();
      netlink.errno = errno;
      const [outcome] = await new KernelTable(netlink).apply([
        { op: 'add', prefix: A, entry: { type: 'blackhole' } },
      ]);
      expect(outcome).to.deep.include({ ok: false, cause });
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
