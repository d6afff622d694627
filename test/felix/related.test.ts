/**
 * What belongs to a connection passes with it, an ICMP error too, whatever policy says of ICMP; what only looks as if it
 * did, and belongs to none, passes nowhere.
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { DB, OUTSIDE, TestNode, WEB, addressesOf, endpointOf, np, openProfile } from './node.ts';
import { ICMP, ICMP6, UDP } from './probe-packet.ts';
import type { Flow, Outcome } from './wire.ts';

/** WEB takes nothing, and sends what it likes. */
const CLOSED = np('web', { selector: "role == 'web'", types: ['Ingress'], ingress: [] });
const PATIENCE_MS = 60_000;

describeOnKernel('packets that belong to others', function () {
  this.timeout(180_000);
  let node: TestNode;

  before(async () => {
    node = await TestNode.create([WEB, DB]);
    await node.put(openProfile('prod'), endpointOf(WEB), endpointOf(DB));
    await node.startFelix();
  });
  after(() => node.remove());

  for (const [backend, spec] of Object.entries(BACKENDS))
    for (const version of [4, 6] as const) {
      it(`an error about what was sent comes back, IPv${version}, ${backend}`, async () => {
        await node.put(configurationOf(spec), CLOSED);
        await node.settled();
        const { 4: web4, 6: web6 } = addressesOf(WEB.index);
        const flow: Flow = {
          from: WEB.name,
          to: DB.name,
          source: version === 4 ? web4 : web6,
          destination: addressesOf(DB.index)[version],
          protocol: UDP,
          destinationPort: 7,
          expected: true,
        };
        const deadline = performance.now() + PATIENCE_MS;
        let outcome: Outcome | undefined;
        // The kernel says only so often that nobody listens.
        while (outcome?.refused !== true && performance.now() < deadline)
          [outcome] = await node.network.wire.volley([flow]);
        expect(outcome).to.deep.equal({ arrived: true, answered: true, refused: true });
      });

      it(`an error about nothing does not, even where all is allowed, IPv${version}, ${backend}`, async () => {
        await node.put(configurationOf(spec));
        await node.delete(CLOSED);
        await node.settled();
        const flow = (icmpType: number, icmpCode: number, expected: boolean): Flow => ({
          from: 'outside',
          to: WEB.name,
          source: OUTSIDE[version],
          destination: addressesOf(WEB.index)[version],
          protocol: version === 4 ? ICMP : ICMP6,
          icmpType,
          icmpCode,
          expected,
        });
        const [echo, error] = version === 4 ? ([8, 3] as const) : ([128, 1] as const);
        const outcomes = await node.network.wire.volley([flow(echo, 0, true), flow(error, 0, false)]);
        expect(outcomes.map(({ arrived }) => arrived)).to.deep.equal([true, false]);
      });
    }
});
