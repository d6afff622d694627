/**
 * We reflect between a BIRD and an FRR, clients of ours both: each has a feeder outside the AS, and prints what the other's
 * feeder said, with the marks of RFC 4456 §8, next hop and everything else as it was.
 */
import { expect } from 'chai';
import { ACCEPT_ALL } from '../../bgpd/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { ROUTERS } from './matrix/cells.ts';
import { Fabric, place } from './matrix/fabric.ts';
import type { Router } from './matrix/router.ts';
import { passedOn, routesOf } from './matrix/routes.ts';
import { differences, type Shown } from './matrix/shown.ts';

const ASN = 65_010;
const REFLECTOR = place(10);
const CLIENTS = ROUTERS.filter(({ name }) => name === 'bird' || name === 'frr').map((row, i) => ({
  row,
  asn: ASN,
  at: place(0x100 + i),
  feeder: { asn: 64_990 + i, at: place(20 + i), routes: routesOf(i) },
}));

describeOnKernel('a reflector between a BIRD and an FRR', function () {
  this.timeout(400_000);

  const fabric = new Fabric();
  const routers = new Map<string, Router>();

  before(async () => {
    await fabric.open();
    const reflector = await fabric.speaker(ASN, REFLECTOR);
    for (const { row, at, feeder } of CLIENTS) {
      const router = await fabric.router(row.kind, row.name, at);
      routers.set(row.name, router);
      const ours = await fabric.speaker(feeder.asn, feeder.at);
      await router.start({
        asn: ASN,
        routerId: at.v4,
        ...at,
        holdSeconds: 90,
        neighbours: [
          { address: REFLECTOR.v4, asn: ASN },
          { address: feeder.at.v4, asn: feeder.asn },
        ],
        feed: { asn: feeder.asn, ...feeder.at, routes: feeder.routes },
      });
      ours.configure([{ name: row.name, address: at.v4, asn: ASN }], feeder.routes);
    }
    reflector.configure(
      CLIENTS.map(({ row, at }) => ({ name: row.name, address: at.v4, asn: ASN, reflectorClient: true })),
      [],
      ACCEPT_ALL,
    );
  });

  after(() => fabric.close());

  for (const [i, { row }] of CLIENTS.entries()) {
    const other = CLIENTS[1 - i];
    if (other === undefined) continue;
    it(`${row.version} prints what ${other.row.version} has learned outside`, async () => {
      const want = other.feeder.routes.map(
        (route): Shown => ({
          ...passedOn(other, other.feeder, { asn: ASN, at: REFLECTOR }, REFLECTOR.v4, route),
          originatorId: other.at.v4,
          clusterList: REFLECTOR.v4,
        }),
      );
      const until = performance.now() + 60_000;
      for (;;) {
        const routes = (await routers.get(row.name)?.routes()) ?? [];
        const differing = differences(
          want,
          routes.filter(({ from }) => from === REFLECTOR.v4),
          { localPref: true, unknown: false },
        );
        if (differing.length === 0) return;
        if (performance.now() > until) expect.fail(differing.join('\n'));
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    });
  }
});
