/**
 * What happens to a session with every router: routes taken back, route refresh both ways, words at the end of a session
 * both ways, a router that stops and one that is killed. A step runs with all routers at once; each has its own result.
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { FEEDER_ASN, ROUTERS, type RouterRow } from './matrix/cells.ts';
import type { ExabgpRouter } from './matrix/exabgp.ts';
import { Fabric, place, type OurSpeaker } from './matrix/fabric.ts';
import type { Router, RouterSetup } from './matrix/router.ts';
import { routesOf } from './matrix/routes.ts';
import { eventually } from './peers/eventually.ts';

const ROUTER_ASN = 65_010;
const OURS = { asn: 4_200_000_101, at: place(11) };
const FEED = { asn: FEEDER_ASN, ...place(10), routes: routesOf(0) };
const TOLD = routesOf(1);
/** The least there is, so that a router that has stopped is noticed soon. */
const HOLD_SECONDS = 3;

/**
 * Loses what our speaker says. Acknowledgements pass, which have no payload and 52 octets: without them Nagle's algorithm
 * would keep the router's own messages back.
 */
const DEAF = `table inet deaf { chain input { type filter hook input priority 0; ip saddr ${OURS.at.v4} ip length > 66 drop; }; }`;

describeOnKernel('events with every router', function () {
  this.timeout(400_000);

  const fabric = new Fabric();
  const routers = new Map<string, { readonly router: Router; readonly setup: RouterSetup }>();
  let ours: OurSpeaker;

  before(async () => {
    await fabric.open();
    const feeder = await fabric.speaker(FEED.asn, FEED);
    ours = await fabric.speaker(OURS.asn, OURS.at);
    for (const [i, { name, kind }] of ROUTERS.entries()) {
      const at = place(0x100 + i);
      const setup: RouterSetup = {
        asn: ROUTER_ASN,
        routerId: at.v4,
        ...at,
        holdSeconds: 90,
        neighbours: [FEED, { address: OURS.at.v4, asn: OURS.asn }].map((each) =>
          'address' in each ? each : { address: each.v4, asn: each.asn },
        ),
        feed: FEED,
      };
      routers.set(name, { router: await fabric.router(kind, name, at), setup });
    }
    await Promise.all([...routers.values()].map(({ router, setup }) => router.start(setup)));
    const peers = [...routers].map(([name, { setup }]) => ({ name, address: setup.v4, asn: ROUTER_ASN }));
    feeder.configure(peers, FEED.routes);
    ours.configure(
      peers.map((peer) => ({ ...peer, holdSeconds: HOLD_SECONDS })),
      TOLD,
    );
    await Promise.all(ROUTERS.map(settled));
  });

  after(() => fabric.close());

  /** Up, and everything told both ways. */
  async function settled({ name, version }: RouterRow): Promise<void> {
    await eventually(
      `${version} and we have told each other everything`,
      async () => {
        const state = ours.session(name).state;
        return `${state}, heard ${heard(name)}, told ${state === 'Established' ? await told(name) : 0}`;
      },
      (text) => text === `Established, heard ${FEED.routes.length}, told ${TOLD.length}`,
      40_000,
    );
  }

  function heard(name: string): number {
    return ours.heard(name).filter(({ prefix }) => FEED.routes.some((route) => route.prefix === prefix))
      .length;
  }

  async function told(name: string): Promise<number> {
    return (await routerOf(name).routes()).filter(({ from }) => from === OURS.at.v4).length;
  }

  function routerOf(name: string): Router {
    return (routers.get(name) as { router: Router }).router;
  }

  function step(title: string, run: (row: RouterRow, router: Router) => Promise<void>): void {
    describe(title, () => {
      const results = new Map<string, Promise<void>>();
      before(() => {
        for (const row of ROUTERS) {
          const result = run(row, routerOf(row.name));
          // Reported by its own test; until then nobody waits for it.
          result.catch(() => undefined);
          results.set(row.name, result);
        }
      });
      for (const { name, version } of ROUTERS) it(version, () => results.get(name));
    });
  }

  step('has forgotten what we take back', async ({ name }) => {
    ours.announce(TOLD.slice(2));
    await eventually(
      'fewer',
      () => told(name),
      (count) => count === TOLD.length - 2,
    );
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    ours.announce(TOLD);
    await settled(ROUTERS.find((row) => row.name === name) as RouterRow);
  });

  step('asks us for our routes, and has them afterwards', async (row, router) => {
    const happened = ours.happened.get(row.name);
    const { updatesOut } = ours.session(row.name).counters;
    await router.refresh(OURS.at.v4);
    if (row.cannot.askRefresh !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(happened?.refreshes, row.cannot.askRefresh).to.equal(0);
      return;
    }
    await eventually(
      'asked for both families',
      () => happened?.refreshes,
      (count) => count === 2,
    );
    await eventually(
      'told again',
      () => ours.session(row.name).counters.updatesOut,
      (count) => count > updatesOut,
    );
    await settled(row);
  });

  step('tells us its routes again when we ask', async (row) => {
    const session = ours.session(row.name);
    const { updatesIn } = session.counters;
    session.requestRefresh('ipv4-unicast');
    session.requestRefresh('ipv6-unicast');
    if (row.cannot.answerRefresh !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(session.counters.updatesIn, row.cannot.answerRefresh).to.be.below(updatesIn + 3);
    } else
      await eventually(
        'told again',
        () => session.counters.updatesIn,
        (count) => count > updatesIn + 2,
      );
    await settled(row);
  });

  step('reads why we end the session', async (row, router) => {
    const session = ours.session(row.name);
    session.stop(2, 'new disks');
    const expected = row.cannot.hearWords === undefined ? 'new disks' : 'can not decode';
    await eventually(
      'its words',
      () => router.lastWords(OURS.at.v4),
      (text) => text.includes(expected),
    );
    await router.open(OURS.at.v4);
    session.start();
    await settled(row);
  });

  step('is read when it ends the session', async (row, router) => {
    const session = ours.session(row.name);
    await router.shut(OURS.at.v4, 'maintenance until noon');
    const words = await eventually(
      'its words',
      () => session.lastError ?? '',
      (text) => text.includes('received Cease / Administrative Shutdown (6/2)'),
    );
    if (row.cannot.sendWords === undefined) expect(words).to.include('"maintenance until noon"');
    else expect(words, row.cannot.sendWords).to.not.include('noon');
    await router.open(OURS.at.v4);
    await settled(row);
  });

  it('ExaBGP refuses words with its teardown, as the matrix says', async () => {
    const { cannot } = ROUTERS.find(({ name }) => name === 'exabgp') as RouterRow;
    const before = ours.happened.get('exabgp')?.downs.length;
    await (routerOf('exabgp') as ExabgpRouter).command(
      `neighbor ${OURS.at.v4} teardown 2 maintenance until noon`,
    );
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(ours.happened.get('exabgp')?.downs.length, cannot.sendWords).to.equal(before);
  });

  step('is hung up on when it stops, and comes back', async (row, router) => {
    const downs = ours.happened.get(row.name)?.downs ?? [];
    const before = downs.length;
    router.freeze();
    await eventually(
      'down',
      () => downs.length,
      (count) => count > before,
      2 * HOLD_SECONDS * 1000,
    );
    expect(downs.at(-1)).to.deep.equal({ cause: 'hold-timer-expired' });
    await eventually(
      'its routes are gone',
      () => heard(row.name),
      (count) => count === 0,
    );
    router.thaw();
    await router.open(OURS.at.v4);
    await settled(row);
  });

  step('hangs up on us when it hears nothing more, and takes us back', async (row, router) => {
    const downs = ours.happened.get(row.name)?.downs ?? [];
    const before = downs.length;
    // What we send is lost on its side; what it sends comes: it must be its timer that ends the session, and not ours.
    await fabric.lab.run(row.name, 'nft', [DEAF]);
    const down = await eventually(
      'down',
      () => downs.at(before),
      (reason) => reason !== undefined,
      6 * HOLD_SECONDS * 1000,
    );
    await fabric.lab.run(row.name, 'nft', ['delete table inet deaf']);
    expect(down).to.deep.include({ cause: 'notification-received' });
    expect(down).to.have.nested.property('notification.code', 4);
    await router.open(OURS.at.v4);
    await settled(row);
  });

  step('is missed at once when it is killed, and comes back', async (row, router) => {
    const downs = ours.happened.get(row.name)?.downs ?? [];
    const before = downs.length;
    await router.kill();
    await eventually(
      'down',
      () => downs.length,
      (count) => count > before,
      2_000,
    );
    expect(downs.at(-1)).to.deep.equal({ cause: 'connection-lost' });
    await router.start((routers.get(row.name) as { setup: RouterSetup }).setup);
    await settled(row);
  });
});
