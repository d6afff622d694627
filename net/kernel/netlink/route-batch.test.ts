/** Held against the encoder of single routes: a batch says in octets what it says. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../addr/index.ts';
import { MessageWriter, splitDatagram } from './message.ts';
import { type NextHop, makeRoute, type Route, type RouteOperation } from './route.ts';
import { RouteBatch, RouteTemplate } from './route-batch.ts';
import { encodeRoute } from './route-codec.ts';

const word = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const v4 = word.map((w) => Address.v4(w));
const v6 = fc.tuple(word, word, word, word).map((words) => Address.v6(...words));
const indexOf = (name: string | number): number => (typeof name === 'number' ? name : name.length);

interface Change {
  readonly op: RouteOperation;
  readonly route: Route;
}

function changes(version: 4 | 6): fc.Arbitrary<Change> {
  const address = version === 4 ? v4 : v6;
  const prefix = fc
    .tuple(address, fc.integer({ min: 0, max: version === 4 ? 32 : 128 }))
    .map(([base, length]) => Prefix.of(base, length));
  const hop = fc.oneof(
    address.map((gateway): NextHop => ({ gateway })),
    v6.map((gateway): NextHop => ({ gateway })),
    address.map((gateway): NextHop => ({ gateway, interface: 'tunl0', onlink: true })),
  );
  const unicast = fc.record({
    op: fc.constantFrom<RouteOperation>('add', 'replace', 'delete'),
    route: fc
      .tuple(prefix, fc.array(hop, { maxLength: 3 }), fc.nat(4000))
      .map(([destination, nextHops, metric]) =>
        makeRoute({ destination, protocol: 80, metric, scope: 'universe', nextHops }),
      ),
  });
  const blackhole = fc.record({
    op: fc.constantFrom<RouteOperation>('add', 'delete'),
    route: prefix.map((destination) => makeRoute({ destination, protocol: 80, type: 'blackhole' })),
  });
  return fc.oneof(unicast, blackhole);
}

describe('a batch of routes', () => {
  it('is octet for octet what the routes are one by one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(changes(4), changes(6)), { minLength: 1, maxLength: 40 }),
        fc.nat(0xffff),
        (all, first) => {
          const writer = new MessageWriter();
          const batch = new RouteBatch();
          // Used before, for something longer.
          for (const { op, route } of [...all, ...all]) add(batch, op, route);
          batch.finish(1, true);
          batch.clear();
          for (const { op, route } of all) {
            encodeRoute(writer, op, route, indexOf);
            add(batch, op, route);
          }
          expect(batch.count).to.equal(all.length);
          const octets = batch.finish(first, true);
          expect(octets).to.deep.equal(writer.finish(first, true));
          expect(splitDatagram(octets, octets.length)).to.have.lengthOf(all.length);
          for (const [i, { route }] of all.entries())
            expect(batch.destination(i).toString()).to.equal(route.destination.toString());
        },
      ),
    );
  });

  it('asks for one acknowledgement, of the last, also when it is used again', () => {
    const NLM_F_ACK = 4;
    const batch = new RouteBatch();
    const route = makeRoute({ destination: Prefix.of(Address.v4(0), 8), protocol: 80, type: 'blackhole' });
    for (const many of [3, 5, 1]) {
      for (let i = 0; i < many; i++) add(batch, 'add', route);
      const octets = batch.finish(7, true);
      const messages = splitDatagram(octets, octets.length);
      expect(messages.map(({ sequence }) => sequence)).to.deep.equal(
        Array.from({ length: many }, (_, i) => 7 + i),
      );
      expect(messages.map(({ flags }) => (flags & NLM_F_ACK) !== 0)).to.deep.equal(
        Array.from({ length: many }, (_, i) => i === many - 1),
      );
      batch.clear();
    }
  });
});

function add(batch: RouteBatch, op: RouteOperation, { destination, ...route }: Route): void {
  batch.add(new RouteTemplate(op, destination.version, route, indexOf), destination);
}
