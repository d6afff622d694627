/**
 * Sessions and attributes with every router, over either IP version, iBGP and eBGP, 2- and 4-octet AS numbers on each
 * side: what it prints of our routes, and what we hear of those that it passes on, compared attribute by attribute.
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import {
  FEEDER_ASN,
  oldSession,
  ROUTER_ASNS,
  ROUTERS,
  SESSIONS,
  type RouterRow,
  type SessionRow,
} from './matrix/cells.ts';
import { Fabric, place, type OurPeer, type OurSpeaker, type Place } from './matrix/fabric.ts';
import { ipv6, type Announced, type Router } from './matrix/router.ts';
import { passedOn, routesOf, toldBy } from './matrix/routes.ts';
import { differences, type Shown } from './matrix/shown.ts';
import { eventually } from './peers/eventually.ts';

/** A router under one of its AS numbers. */
interface Instance {
  readonly row: RouterRow;
  readonly name: string;
  readonly asn: number;
  readonly at: Place;
  readonly sessions: readonly SessionRow[];
}

const INSTANCES: readonly Instance[] = ROUTERS.flatMap((row, r) =>
  ROUTER_ASNS.map((asn, a) => ({
    row,
    name: `${row.name}${a}`,
    asn,
    at: place(0x100 + r * 16 + a),
    sessions: [...SESSIONS, ...(a === 0 ? [oldSession(row)] : [])].filter((each) => each !== undefined),
  })),
);

const FEEDER = { asn: FEEDER_ASN, oldSession, at: place(10), routes: routesOf(0) };

/** The routers pass on what our other speakers say, too. */
const FED = new Set(FEEDER.routes.map(({ prefix }) => prefix));

const asnOf = (session: SessionRow, router: number): number =>
  session.ours === 'internal' ? router : session.ours;
const addressOf = (session: SessionRow, at: Place): string => (session.over === 'IPv6' ? at.v6 : at.v4);
/** Sessions of the same kind with all routers share a speaker of ours, but for those with old ones. */
const speakerKey = (session: SessionRow, router: number, name: string): string =>
  `${session.over} ${asnOf(session, router)}${session.old === true ? ` ${name}` : ''}`;

describeOnKernel('the matrix of routers', function () {
  this.timeout(400_000);

  const fabric = new Fabric();
  const routers = new Map<string, Router>();
  const speakers = new Map<string, { readonly ours: OurSpeaker; readonly number: number }>();

  before(async () => {
    await fabric.open();
    const feeder = await fabric.speaker(FEEDER.asn, FEEDER.at);
    const peers = new Map<OurSpeaker, OurPeer[]>();
    for (const { name, asn, at, sessions, row } of INSTANCES) {
      routers.set(name, await fabric.router(row.kind, name, at));
      for (const session of sessions) {
        const key = speakerKey(session, asn, name);
        const number = speakers.get(key)?.number ?? speakers.size + 1;
        const ours =
          speakers.get(key)?.ours ?? (await fabric.speaker(asnOf(session, asn), place(10 + number)));
        speakers.set(key, { ours, number });
        peers.set(ours, [...(peers.get(ours) ?? []), { name, address: addressOf(session, at), asn }]);
      }
    }
    await Promise.all(INSTANCES.map(start));
    feeder.configure(
      INSTANCES.map(({ name, asn, at }) => ({ name, address: at.v4, asn })),
      FEEDER.routes,
    );
    for (const { name, row, asn, sessions } of INSTANCES)
      for (const session of sessions) {
        const { ours, number } = speakerOf(session, asn, name);
        ours.configure(peers.get(ours) ?? [], announced(row, session, number));
      }
  });

  after(() => fabric.close());

  async function start({ name, asn, at, sessions }: Instance): Promise<void> {
    await routerOf(name).start({
      asn,
      routerId: at.v4,
      ...at,
      holdSeconds: 90,
      neighbours: [
        { address: FEEDER.at.v4, asn: FEEDER.asn },
        ...sessions.map((session) => {
          const { ours } = speakerOf(session, asn, name);
          return { address: addressOf(session, ours.at), asn: ours.asn, old: session.old ?? false };
        }),
      ],
      feed: { asn: FEEDER.asn, ...FEEDER.at, routes: FEEDER.routes },
    });
  }

  function routerOf(name: string): Router {
    return routers.get(name) as Router;
  }

  function speakerOf(
    session: SessionRow,
    router: number,
    name: string,
  ): { readonly ours: OurSpeaker; readonly number: number } {
    return speakers.get(speakerKey(session, router, name)) as { ours: OurSpeaker; number: number };
  }

  for (const { row, name, asn, at, sessions } of INSTANCES)
    describe(`${row.version}, AS ${asn}`, () => {
      for (const session of sessions) {
        const ourAsn = asnOf(session, asn);
        const internal = ourAsn === asn;
        const old = session.old === true;
        const title = `${internal ? 'iBGP' : `eBGP, our AS ${ourAsn}`}${old ? ', 2-octet AS numbers only' : ''}, over ${session.over}`;
        it(title, async () => {
          const { ours, number } = speakerOf(session, asn, name);
          const from = addressOf(session, ours.at);
          await eventually(
            'established on our side',
            () => `${ours.session(name).state} ${ours.session(name).lastError ?? ''}`,
            (state) => state.startsWith('Established'),
          );
          expect(ours.session(name).negotiated).to.deep.include({
            peerAsn: asn,
            internal,
            fourOctetAs: !old,
          });
          await eventually(
            'established on theirs',
            () => routerOf(name).established(from),
            (established) => established,
          );
          const router = { asn, at };

          const print = announced(row, session, number)
            .filter(({ prefix }) => carried(row, session, prefix))
            .map((route) => misread(row, session, toldBy(ours, router, from, route)));
          await same(print, internal, async () =>
            (await routerOf(name).routes()).filter((route) => route.from === from),
          );
          const hear = FEEDER.routes
            .filter(({ prefix }) => carried(row, session, prefix))
            .map((route) => passedOn(router, FEEDER, ours, addressOf(session, at), route));
          await same(hear, internal, () => ours.heard(name).filter(({ prefix }) => FED.has(prefix)));
        });
      }
    });

  describe('what breaks a session for good', () => {
    for (const { row, name, asn, sessions } of INSTANCES)
      for (const session of sessions) {
        const { readOldAggregator } = row.cannot;
        if (session.old !== true || readOldAggregator === undefined) continue;
        it(`${row.version} cannot read AGGREGATOR from us when old: ${readOldAggregator}`, async () => {
          const { ours, number } = speakerOf(session, asn, name);
          ours.announce(routesOf(number));
          await eventually(
            'its complaint',
            () => ours.session(name).lastError ?? '',
            (text) => text.includes('Attribute Length Error (3/5)'),
          );
        });
      }
  });
});

/** What we say on this session. */
function announced({ cannot }: RouterRow, { old }: SessionRow, number: number): readonly Announced[] {
  const routes = routesOf(number);
  return old === true && cannot.readOldAggregator !== undefined
    ? routes.filter(({ attributes }) => attributes.aggregator === undefined)
    : routes;
}

function carried({ cannot }: RouterRow, { old }: SessionRow, prefix: string): boolean {
  return !(old === true && cannot.ipv6WhenOld !== undefined && ipv6(prefix));
}

/** What an old router makes of a route where it gets it wrong. */
function misread({ cannot }: RouterRow, { old }: SessionRow, route: Shown): Shown {
  if (old !== true) return route;
  if (cannot.mergeAs4Path !== undefined) return { ...route, asPath: withoutWide(route.asPath) };
  if (route.aggregator === undefined) return route;
  const [asn = '', address] = route.aggregator.split(' ');
  const wide = Number(asn) > 65_535;
  if (wide && cannot.readAs4Aggregator !== undefined)
    return { ...route, aggregator: `${Number(asn) >>> 16} ${address}` };
  if (wide || cannot.mergeBesideAggregator === undefined) return route;
  return { ...route, asPath: withoutWide(route.asPath) };
}

function withoutWide(asPath: string): string {
  return asPath.replaceAll(/\d+/g, (number) => (Number(number) > 65_535 ? '23456' : number));
}

/** Waits until both tables are the same, and shows the difference where they never are. */
async function same(
  want: readonly Shown[],
  localPref: boolean,
  got: () => readonly Shown[] | Promise<readonly Shown[]>,
): Promise<void> {
  const until = performance.now() + 60_000;
  for (;;) {
    const routes = await got();
    const unknown = routes.every((route) => route.unknown !== undefined);
    const differing = differences(want, routes, { localPref, unknown });
    if (differing.length === 0) return;
    if (performance.now() > until) expect.fail(differing.join('\n'));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
