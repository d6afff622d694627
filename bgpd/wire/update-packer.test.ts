import { expect } from 'chai';
import fc from 'fast-check';
import { encodeUpdates } from './encode-update.ts';
import * as any from './testing/arbitraries.ts';
import type { Family, Nlri, UpdateMessage } from './types.ts';
import { UpdatePacker, encodeRoute } from './update-packer.ts';
import { Writer } from './writer.ts';

const FAMILIES: readonly Family[] = ['ipv4-unicast', 'ipv6-unicast'];

/** One path per prefix is told, so path ids are 0. */
function nlriOf(family: Family): fc.Arbitrary<readonly Nlri[]> {
  return fc.array(any.nlri(family, false), { minLength: 1, maxLength: 2000, size: 'max' });
}

function add(packer: UpdatePacker, nlri: readonly Nlri[]): void {
  for (const { prefix } of nlri) packer.add(prefix.length, prefix.w0, prefix.w1, prefix.w2, prefix.w3);
}

function octetsOf(messages: readonly Uint8Array[]): string {
  return Buffer.concat(messages).toString('hex');
}

describe('UpdatePacker', () => {
  for (const family of FAMILIES) {
    it(`makes the octets of encodeUpdates, ${family}`, () => {
      const cases = any.session.chain((session) =>
        fc.record({
          session: fc.constant(session),
          gone: nlriOf(family),
          come: nlriOf(family),
          attributes: any.attributes(session),
          nextHop: any.nextHop(family),
        }),
      );
      fc.assert(
        fc.property(cases, ({ session, gone, come, attributes, nextHop }) => {
          const update: UpdateMessage = {
            type: 'update',
            unreach: [{ family, nlri: gone }],
            reach: [{ family, nextHop, nlri: come }],
            attributes,
          };
          const wanted = encodeUpdates(update, session);
          const w = new Writer(4).u8(7);
          const length = encodeRoute(w, family, attributes, nextHop, session);
          const packer = new UpdatePacker(family, session);
          packer.withdraw();
          add(packer, gone);
          // Attributes that leave no room: the routes are withdrawn.
          if (length < 0) packer.withdraw();
          else packer.announce(w.view(), 1, length);
          add(packer, come);
          packer.end();
          expect(packer.messages).to.equal(wanted.length);
          expect(octetsOf([packer.take()])).to.equal(octetsOf(wanted));
          expect([packer.length, packer.messages]).to.deep.equal([0, 0]);
        }),
        { numRuns: 60 },
      );
    });
  }
});
