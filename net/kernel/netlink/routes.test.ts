/** Routes on the real kernel, in namespaces of the tests' own, with iproute2 as the judge. */
import { expect } from 'chai';
import { Address, Prefix } from '../../addr/index.ts';
import { describeOnKernel, freshNamespace, textLines } from '../testing.ts';
import { Netlink } from './netlink.ts';
import type { RouteChange } from './route-requests.ts';
import { formatRoute, makeRoute, type Route, type RouteOperation, sameRoute } from './route.ts';

const address = (text: string) => Address.parse(text) ?? expect.fail(`not an address: ${text}`);

for (const version of [4, 6] as const) {
  const v4 = version === 4;
  const net = (i: number, length = v4 ? 24 : 64) =>
    Prefix.of(v4 ? Address.v4(0x14000000 + i * 256) : Address.v6(0xfd100000, i, 0, 0), length);
  const near = address(v4 ? '10.0.0.2' : 'fd00::2');
  const near2 = address(v4 ? '10.0.0.3' : 'fd00::3');
  const beyond = address(v4 ? '10.99.0.1' : 'fd99::1');
  const via = (gateway: Address, i = 0, more: Partial<Route> = {}) =>
    makeRoute({ destination: net(i), protocol: 80, nextHops: [{ gateway }], ...more });

  describeOnKernel(`Netlink: IPv${version} routes`, () => {
    const here = freshNamespace();
    let kernel: Netlink;
    beforeEach(async () => {
      kernel = Netlink.open({ netns: here.path() });
      await kernel.createVeth({ name: 'eth0', up: true, peer: { name: 'eth1' } });
      await kernel.setLink('eth1', { up: true });
      await kernel.addAddress('eth0', address(v4 ? '10.0.0.1' : 'fd00::1'), v4 ? 24 : 64, {
        noDuplicateDetection: true,
      });
    });
    afterEach(() => kernel.close());

    const apply = async (...changes: readonly [RouteOperation, Route][]) =>
      (await kernel.applyRoutes(changes.map(([op, route]): RouteChange => ({ op, route })))).map(
        ({ error }) => error?.code ?? 'ok',
      );
    const shown = async (...args: readonly string[]) =>
      textLines(await here.ip(`-${version}`, 'route', 'show', ...args));
    const mine = (filter = {}) => kernel.listRoutes({ version, protocol: 80, ...filter });

    const cases: { it: string; route: Route; want: RegExp }[] = [
      { it: 'a gateway', route: via(near), want: /^\S+ via \S+2 dev eth0( metric 1024)?$/ },
      {
        it: 'an interface alone',
        route: makeRoute({
          destination: net(0, v4 ? 32 : 128),
          protocol: 3,
          nextHops: [{ interface: 'eth0' }],
        }),
        want: v4 ? /^\S+ dev eth0 scope link$/ : /^\S+ dev eth0 metric 1024$/,
      },
      {
        it: 'a gateway believed to be on the link',
        route: makeRoute({
          destination: net(0),
          protocol: 80,
          nextHops: [{ gateway: beyond, interface: 'eth0', onlink: true }],
        }),
        want: /via \S+1 dev eth0( metric 1024)? onlink$/,
      },
      {
        it: 'metric, source and MTU',
        route: via(near, 0, { metric: 32, mtu: 1400, source: address(v4 ? '10.0.0.1' : 'fd00::1') }),
        want: /via \S+2 dev eth0 src \S+1 metric 32 mtu 1400$/,
      },
      {
        it: 'a blackhole',
        route: makeRoute({ destination: net(0), protocol: 80, type: 'blackhole' }),
        want: /^blackhole /,
      },
      {
        it: 'unreachable',
        route: makeRoute({ destination: net(0), protocol: 80, type: 'unreachable' }),
        want: /^unreachable /,
      },
      {
        it: 'prohibit',
        route: makeRoute({ destination: net(0), protocol: 80, type: 'prohibit' }),
        want: /^prohibit /,
      },
      {
        it: 'throw',
        route: makeRoute({ destination: net(0), protocol: 80, type: 'throw' }),
        want: /^throw /,
      },
      {
        it: 'the default',
        route: makeRoute({ destination: net(0, 0), protocol: 80, nextHops: [{ gateway: near }] }),
        want: /^default via /,
      },
      {
        it: 'several gateways with weights',
        route: makeRoute({
          destination: net(0),
          protocol: 80,
          nextHops: [{ gateway: near }, { gateway: near2, weight: 3 }],
        }),
        want: /nexthop via \S+2 dev eth0 weight 1 nexthop via \S+3 dev eth0 weight 3$/,
      },
      ...(v4
        ? [
            {
              it: 'gateways of IPv6',
              route: makeRoute({
                destination: net(0),
                protocol: 80,
                nextHops: [
                  { gateway: address('fe80::1'), interface: 'eth0' },
                  { gateway: near, interface: 'eth0' },
                ],
              }),
              want: /nexthop via inet6 fe80::1 dev eth0 weight 1 nexthop via 10.0.0.2 dev eth0 weight 1$/,
            },
          ]
        : []),
    ];
    for (const { it: title, route, want } of cases)
      it(`installs, lists and deletes ${title}`, async () => {
        expect(await apply(['replace', route])).to.deep.equal(['ok']);
        const protocol = String(route.protocol);
        expect((await shown('proto', protocol)).join(' ')).to.match(want);
        const [found, ...more] = await kernel.listRoutes({ version, protocol: route.protocol });
        expect(more).to.deep.equal([]);
        expect(found && sameRoute(route, found), found && formatRoute(found)).to.equal(true);
        expect(await apply(['replace', route], ['delete', route], ['delete', route])).to.deep.equal([
          'ok',
          'ok',
          'ESRCH',
        ]);
        expect(await shown('proto', protocol)).to.deep.equal([]);
      });

    it('replaces one kind of route by every other, leaving one', async () => {
      const kinds = [
        via(near),
        makeRoute({ destination: net(0), protocol: 80, type: 'blackhole' }),
        makeRoute({ destination: net(0), protocol: 80, nextHops: [{ gateway: near }, { gateway: near2 }] }),
        makeRoute({ destination: net(0), protocol: 80, nextHops: [{ interface: 'eth0' }] }),
        via(near2),
      ];
      for (const from of kinds)
        for (const to of kinds) {
          expect(await apply(['replace', from], ['replace', to])).to.deep.equal(['ok', 'ok']);
          const found = await mine();
          expect(found.map(formatRoute)).to.have.length(1);
          expect(found[0] && sameRoute(to, found[0]), `${formatRoute(from)} to ${formatRoute(to)}`).to.equal(
            true,
          );
        }
    });

    it('deletes no route of another protocol, gateway or type', async () => {
      await here.ip(
        `-${version}`,
        'route',
        'add',
        net(0).toString(),
        'via',
        near.toString(),
        'proto',
        'static',
      );
      expect(await apply(['delete', via(near)])).to.deep.equal(['ESRCH']);
      expect(await apply(['delete', via(near2, 0, { protocol: 4 })])).to.deep.equal(['ESRCH']);
      expect(await shown('proto', 'static')).to.have.length(1);
      expect(await apply(['add', via(near2)])).to.deep.equal(['EEXIST']);
      expect(await shown('proto', 'static')).to.have.length(1);
      // Without next hops any will do, but never another's.
      expect(await apply(['delete', makeRoute({ destination: net(0), protocol: 4 })])).to.deep.equal(['ok']);
    });

    it('tells each refusal as a value, in order, and does the others', async () => {
      const changes = Array.from({ length: 400 }, (_, i): RouteChange => {
        if (i % 100 === 50) return { op: 'replace', route: via(beyond, i) };
        if (i % 100 === 51) return { op: 'delete', route: via(near, 1000 + i) };
        if (i % 100 === 52)
          return {
            op: 'replace',
            route: makeRoute({ destination: net(i), protocol: 80, nextHops: [{ interface: 'absent0' }] }),
          };
        return { op: 'replace', route: via(near, i) };
      });
      const outcomes = await kernel.applyRoutes(changes);
      expect(outcomes.map(({ change }) => change)).to.deep.equal(changes);
      const failed = outcomes.flatMap(({ error }, i) => (error === undefined ? [] : [[i, error.code]]));
      const unreachable = v4 ? 'ENETUNREACH' : 'EHOSTUNREACH';
      expect(failed).to.deep.equal(
        [0, 100, 200, 300].flatMap((base) => [
          [base + 50, unreachable],
          [base + 51, 'ESRCH'],
          [base + 52, 'ENODEV'],
        ]),
      );
      if (v4) expect(outcomes[50]?.error?.detail).to.equal('Nexthop has invalid gateway');
      expect(outcomes[50]?.error?.message).to.contain(
        `route replace ${net(50).toString()} via ${beyond.toString()}`,
      );
      expect(await mine()).to.have.length(400 - 12);
    });

    it('filters by table and protocol, and takes a table that nobody made as empty', async () => {
      await apply(
        ['add', via(near, 0, { table: 1000 })],
        ['add', via(near, 1)],
        ['add', via(near, 2, { protocol: 99 })],
      );
      expect((await mine({ table: 1000 })).map(({ table }) => table)).to.deep.equal([1000]);
      expect(await mine({ table: 254 })).to.have.length(1);
      expect(await mine()).to.have.length(2);
      expect(await mine({ table: 4242 })).to.deep.equal([]);
    });

    it('leaves the event loop its turn while it writes and lists many', async function () {
      this.timeout(120_000);
      const changes = Array.from(
        { length: 20_000 },
        (_, i): RouteChange => ({ op: 'replace', route: via(near, i) }),
      );
      // How often the loop turns, rather than how long each turn takes on this machine.
      let turns = 0;
      let watch = setImmediate(function turn() {
        turns++;
        watch = setImmediate(turn);
      });
      const outcomes = await kernel.applyRoutes(changes);
      const listed = await mine();
      clearImmediate(watch);
      expect(outcomes.every(({ errno }) => errno === 0)).to.equal(true);
      expect(new Set(listed.map(({ destination }) => destination.toString())).size).to.equal(changes.length);
      expect(turns).to.be.greaterThan(100);
    });

    it('answers many at once, each its own question', async () => {
      await kernel.applyRoutes([{ op: 'add', route: via(near) }]);
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? mine() : kernel.getLink('eth0'))),
      );
      for (const [i, answer] of answers.entries())
        if (i % 2 === 0) expect(answer).to.have.length(1);
        else expect(answer).to.include({ name: 'eth0' });
    });
  });
}
