/**
 * 50,000 routes to every router at once and back through it, of both families, five to an attribute set: its own command
 * is asked what it has of us, and what comes out on the other side is compared with what went in: over eBGP and IPv4, and
 * inside the router's own AS over IPv6.
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { ROUTERS, type RouterRow } from './matrix/cells.ts';
import { Fabric, place, type OurSpeaker } from './matrix/fabric.ts';
import { type Announced, type Router } from './matrix/router.ts';
import { passedOn, toldBy, variant } from './matrix/routes.ts';
import { differences, type Shown } from './matrix/shown.ts';
import { eventually } from './peers/eventually.ts';

const ROUTER_ASN = 65_010;
const FROM = { asn: 4_200_000_201, at: place(10) };
const TO = { asn: 64_502, at: place(11) };
/** Of the routers' own AS. */
const INSIDE = { asn: ROUTER_ASN, at: place(12) };
const EACH_FAMILY = 25_000;

/** Distinct sets: a MED, a community and a transit AS of their own, beside what the variants have. */
const ROUTES: readonly Announced[] = Array.from({ length: EACH_FAMILY }, (_, i) => {
  const set = Math.floor(i / 5);
  const base = variant(set);
  const attributes = { ...base, med: set + 1, communities: [0xfc00_0000 + set, ...(base.communities ?? [])] };
  return [
    { prefix: `20.${i >> 8}.${i & 255}.0/24`, attributes },
    { prefix: `2001:db8:${(i + 1).toString(16)}::/48`, attributes },
  ];
}).flat();

describeOnKernel('50,000 routes to and through every router', function () {
  this.timeout(400_000);

  const fabric = new Fabric();
  const routers = new Map<string, { readonly router: Router; readonly at: ReturnType<typeof place> }>();
  let to: OurSpeaker;
  let inside: OurSpeaker;

  before(async () => {
    await fabric.open();
    const from = await fabric.speaker(FROM.asn, FROM.at);
    to = await fabric.speaker(TO.asn, TO.at);
    inside = await fabric.speaker(INSIDE.asn, INSIDE.at);
    const feed = { asn: FROM.asn, ...FROM.at, routes: ROUTES };
    for (const [i, { name, kind }] of ROUTERS.entries()) {
      const at = place(0x100 + i);
      routers.set(name, { router: await fabric.router(kind, name, at), at });
    }
    await Promise.all(
      [...routers.values()].map(({ router, at }) =>
        router.start({
          asn: ROUTER_ASN,
          routerId: at.v4,
          ...at,
          holdSeconds: 90,
          neighbours: [
            ...[FROM, TO].map(({ asn, at: { v4 } }) => ({ address: v4, asn })),
            { address: INSIDE.at.v6, asn: INSIDE.asn },
          ],
          feed,
        }),
      ),
    );
    const peers = [...routers].map(([name, { at }]) => ({ name, address: at.v4, asn: ROUTER_ASN }));
    to.configure(peers, []);
    inside.configure(
      [...routers].map(([name, { at }]) => ({ name, address: at.v6, asn: ROUTER_ASN })),
      [],
    );
    from.configure(peers, ROUTES);
  });

  after(() => fabric.close());

  for (const row of ROUTERS)
    it(`${row.version}: the same, attribute by attribute`, async () => {
      const { router, at } = routers.get(row.name) as { router: Router; at: ReturnType<typeof place> };
      const hear = ROUTES.map((route) => passedOn({ asn: ROUTER_ASN, at }, FROM, TO, at.v4, route));
      await everythingBack(to, row.name);
      same(hear, to.heard(row.name));
      const print = ROUTES.map((route) => toldBy(FROM, { asn: ROUTER_ASN }, FROM.at.v4, route));
      same(print, await printed(row, router));
    });

  for (const { name, version } of ROUTERS)
    it(`${version}: the same inside its AS, over IPv6`, async () => {
      const { at } = routers.get(name) as { at: ReturnType<typeof place> };
      const hear = ROUTES.map((route) => passedOn({ asn: ROUTER_ASN, at }, FROM, INSIDE, at.v6, route));
      await everythingBack(inside, name);
      same(hear, inside.heard(name), true);
    });
});

async function everythingBack(speaker: OurSpeaker, name: string): Promise<void> {
  const { adjRibIn } = speaker.neighbour(name);
  await eventually(
    'everything back',
    () => adjRibIn['ipv4-unicast'].size + adjRibIn['ipv6-unicast'].size,
    (count) => count === ROUTES.length,
    240_000,
  );
}

async function printed(row: RouterRow, router: Router): Promise<readonly Shown[]> {
  return eventually(
    `${row.version} prints everything`,
    async () => (await router.routes()).filter(({ from }) => from === FROM.at.v4),
    (all) => all.length === ROUTES.length,
    240_000,
  );
}

function same(want: readonly Shown[], got: readonly Shown[], localPref = false): void {
  const unknown = got.every((route) => route.unknown !== undefined);
  const differing = differences(want, got, { localPref, unknown });
  if (differing.length > 0) expect.fail(`${differing.length} differ:\n${differing.slice(0, 5).join('\n')}`);
}
