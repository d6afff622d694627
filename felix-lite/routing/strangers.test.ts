/**
 * Whatever strangers have in the kernel stays: any routes of theirs, in any table, with any protocol and metric, beside any
 * plans of ours one after another. What is ours is where it should be, unless a stranger stands there.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { formatRoute, makeRoute, Netlink, type Route, routeKey, TABLE_MAIN } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { applyRoutes, PROTOCOL_FELIX, routeOf } from './kernel.ts';
import type { RouteWish, RoutingPlan } from './plan.ts';
import { routingSettings } from './settings.ts';
import { WorkloadRoutes } from './workload-routes.ts';

const p = (text: string): Prefix => Prefix.parse(text) ?? expect.fail(text);
const at = (text: string): Address => Address.parse(text) ?? expect.fail(text);

const PREFIXES = ['10.1.0.0/26', '10.1.0.64/26', '10.1.0.5/32', 'fd00:1::/122', 'fd00:1::5/128'].map(p);
const GATEWAYS = { 4: ['192.0.2.2', '192.0.2.3'].map(at), 6: ['2001:db8::2', '2001:db8::3'].map(at) };
const OTHER_TABLE = 77;
/** Static, and two that are in nobody's list. */
const STRANGERS = [4, 99, 186];

/** By gateway 0 or 1; 2: a blackhole. */
const place = fc.record({ prefix: fc.constantFrom(...PREFIXES), way: fc.integer({ min: 0, max: 2 }) });

const stranger = fc
  .record({
    place,
    table: fc.constantFrom(TABLE_MAIN, OTHER_TABLE),
    protocol: fc.constantFrom(...STRANGERS),
    metric: fc.constantFrom(0, 50),
  })
  .map(({ place: { prefix, way }, ...rest }): Route => {
    const gateway = GATEWAYS[prefix.version][way];
    return gateway === undefined
      ? makeRoute({ destination: prefix, ...rest, type: 'blackhole' })
      : makeRoute({ destination: prefix, ...rest, nextHops: [{ gateway }] });
  });

/** Of one prefix there is one wish. */
const plan = fc.uniqueArray(place, { selector: ({ prefix }) => prefix.toString() }).map((places) =>
  places.map(({ prefix, way }): RouteWish => {
    const gateway = GATEWAYS[prefix.version][way];
    return gateway === undefined ? { prefix } : { prefix, gateway };
  }),
);

const planOf = (routes: readonly RouteWish[]): RoutingPlan => ({
  pools: [],
  tunnels: [],
  vteps: new Map(),
  routes,
  handedOver: new Set(),
  unneeded: [],
  problems: [],
});

describeOnKernel('routes of strangers', function () {
  this.timeout(120_000);
  const here = freshNamespace();

  it('stay as they are beside any plans of ours', async () => {
    using kernel = Netlink.open({ netns: here.path() });
    await kernel.createVeth({ name: 'eth0', up: true, peer: { name: 'eth1' } });
    await kernel.setLink('eth1', { up: true });
    await here.ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
    await here.ip('address', 'add', '2001:db8::1/64', 'dev', 'eth0', 'nodad');
    const workloads = new WorkloadRoutes(kernel);
    const settings = routingSettings({});

    /** The kernel's own left out: it adds and removes them itself. */
    const list = async (ours: boolean): Promise<Route[]> =>
      (await kernel.listRoutes()).filter(
        ({ protocol }) => protocol !== 2 && (protocol === PROTOCOL_FELIX) === ours,
      );
    const remove = async (routes: readonly Route[]): Promise<unknown> =>
      kernel.applyRoutes(routes.map((route) => ({ op: 'delete', route })));

    await fc.assert(
      fc.asyncProperty(
        fc.array(stranger, { maxLength: 8 }),
        fc.array(plan, { maxLength: 4 }),
        async (theirs, plans) => {
          try {
            // Of two in one place the kernel takes the first.
            await kernel.applyRoutes(theirs.map((route) => ({ op: 'add', route })));
            const before = (await list(false)).map(formatRoute).sort();
            const taken = new Set((await list(false)).map(routeKey));
            for (const wishes of plans) {
              const { missing } = await applyRoutes(kernel, planOf(wishes));
              await workloads.apply([], settings, 0);
              expect((await list(false)).map(formatRoute).sort()).to.deep.equal(before);
              const wanted = wishes.map(routeOf);
              const free = wanted.filter((route) => !taken.has(routeKey(route)));
              expect((await list(true)).map(routeKey).sort()).to.deep.equal(free.map(routeKey).sort());
              expect(missing).to.equal(wanted.length - free.length);
            }
            await applyRoutes(kernel, planOf([]));
            expect(await list(true)).to.deep.equal([]);
            expect((await list(false)).map(formatRoute).sort()).to.deep.equal(before);
          } finally {
            await remove(await list(true));
            await remove(await list(false));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
