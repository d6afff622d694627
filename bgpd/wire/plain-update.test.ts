import { expect } from 'chai';
import fc from 'fast-check';
import { Prefix, Address } from '../../net/addr/index.ts';
import { decodeCanonical, encodeCanonical } from './canonical.ts';
import { decodeUpdate } from './decode-update.ts';
import { encodeUpdates } from './encode-update.ts';
import type { NlriCursor } from './nlri-cursor.ts';
import { readPlainUpdate, type PlainUpdate } from './plain-update.ts';
import { attributes, nextHop, nlri, session } from './testing/arbitraries.ts';
import { EXTERNAL, INTERNAL, update } from './testing/octets.ts';
import type { Family, Negotiated, Nlri, UpdateMessage } from './types.ts';

function listOf(cursor: NlriCursor | undefined, addPath: boolean): Nlri[] {
  const list: Nlri[] = [];
  while (cursor?.next() === true) {
    const { w0, w1, w2, w3, length, pathId } = cursor;
    const address = cursor.version === 4 ? Address.v4(w0) : Address.v6(w0, w1, w2, w3);
    const prefix = Prefix.of(address, length);
    list.push(addPath ? { prefix, pathId } : { prefix });
  }
  return list;
}

/** What the fast way says, in the words of the other. */
function messageOf(plain: PlainUpdate, peer: Negotiated): UpdateMessage {
  const read = (family: Family | undefined, cursor: NlriCursor | undefined): Nlri[] =>
    listOf(cursor, family !== undefined && peer.addPathReceive.includes(family));
  const { withdrawnFamily, announcedFamily, nextHop: via } = plain;
  const withdrawn = read(withdrawnFamily, plain.withdrawnNlri());
  const announced = read(announcedFamily, plain.announcedNlri());
  const announces = announcedFamily !== undefined && via !== undefined;
  return {
    type: 'update',
    unreach: withdrawnFamily === undefined ? [] : [{ family: withdrawnFamily, nlri: withdrawn }],
    reach: announces ? [{ family: announcedFamily, nextHop: via, nlri: announced }] : [],
    attributes: announces ? attributesOf(plain) : undefined,
  };
}

function attributesOf({ attributeField: { bytes, at, end } }: PlainUpdate): UpdateMessage['attributes'] {
  const kept: number[] = [];
  for (let start = at; start < end; ) {
    const long = ((bytes[start] ?? 0) & 0x10) !== 0;
    const length = long ? ((bytes[start + 2] ?? 0) << 8) | (bytes[start + 3] ?? 0) : (bytes[start + 2] ?? 0);
    const next = start + (long ? 4 : 3) + length;
    if (![3, 14, 15].includes(bytes[start + 1] ?? 0)) kept.push(...bytes.subarray(start, next));
    start = next;
  }
  const decoded = decodeCanonical(Uint8Array.from(kept), 0, kept.length);
  expect([...encodeCanonical(decoded)], 'the octets are canonical').to.deep.equal(kept);
  return decoded;
}

const anyUpdate = session.chain((peer) =>
  fc.constantFrom<Family>('ipv4-unicast', 'ipv6-unicast').chain((family) => {
    const list = fc.array(nlri(family, peer.addPathReceive.length > 0), { minLength: 1, maxLength: 8 });
    return fc.record({
      peer: fc.constant(peer),
      octets: fc
        .record({
          announces: fc.boolean(),
          via: nextHop(family),
          attributes: attributes(peer),
          list,
        })
        .map(({ announces, via, attributes: values, list: prefixes }) => {
          const message: UpdateMessage = announces
            ? {
                type: 'update',
                unreach: [],
                reach: [{ family, nextHop: via, nlri: prefixes }],
                attributes: values,
              }
            : { type: 'update', unreach: [{ family, nlri: prefixes }], reach: [], attributes: undefined };
          return encodeUpdates(message, peer)[0] ?? new Uint8Array();
        }),
    });
  }),
);

/** One octet behind the header is another, or the message has lost its end; the length field stays true. */
const damage = fc.record({ at: fc.nat(400), value: fc.nat(255), cut: fc.oneof(fc.constant(0), fc.nat(12)) });

function damaged(
  octets: Uint8Array,
  { at, value, cut }: { at: number; value: number; cut: number },
): Uint8Array {
  const copy = octets.slice(0, Math.max(23, octets.length - cut));
  const where = 19 + (at % Math.max(1, copy.length - 19));
  copy[where] = value;
  copy[16] = copy.length >> 8;
  copy[17] = copy.length & 255;
  return copy;
}

describe('PlainUpdate', () => {
  it('says of what is plain the same as the decoder, which finds no fault in it', () => {
    let plain = 0;
    fc.assert(
      fc.property(anyUpdate, fc.option(damage), ({ peer, octets }, harm) => {
        const bytes = harm === null ? octets : damaged(octets, harm);
        const fast = readPlainUpdate(bytes, peer);
        if (fast === undefined) return;
        plain++;
        const slow = decodeUpdate(bytes, peer);
        expect(slow.faults).to.deep.equal([]);
        expect(slow.ok && slow.message).to.deep.equal(messageOf(fast, peer));
        expect(fast.values()).to.deep.equal(slow.ok && slow.message);
      }),
      { numRuns: 3000 },
    );
    expect(plain).to.be.greaterThan(150);
  });

  const route = '40 01 01 00 40 02 06 02 01 0000fde9 40 03 04 0a000002';

  const cases = [
    {
      it: 'takes a route with what is mandatory',
      plain: true,
      message: { attributes: route, nlri: '18 0af400' },
    },
    { it: 'takes a withdrawal', plain: true, message: { withdrawn: '18 0af400' } },
    { it: 'leaves End-of-RIB', plain: false, message: {} },
    {
      it: 'leaves a length of 2 octets where 1 would do',
      plain: false,
      message: { attributes: `50 01 0001 00 ${route.slice(12)}`, nlri: '18 0af400' },
    },
    {
      it: 'leaves what it does not know',
      plain: false,
      message: { attributes: `${route} c0 63 01 00`, nlri: '18 0af400' },
    },
    {
      it: 'leaves a prefix that runs past the end',
      plain: false,
      message: { attributes: route, nlri: '18 0af4' },
    },
    {
      it: 'leaves a next hop that is no host',
      plain: false,
      message: { attributes: route.replace('0a000002', 'e0000001'), nlri: '18 0af400' },
    },
    {
      it: 'leaves LOCAL_PREF from outside',
      plain: false,
      message: { attributes: `${route} 40 05 04 00000064`, nlri: '18 0af400' },
    },
    { it: 'leaves attributes without prefixes', plain: false, message: { attributes: route } },
    {
      it: 'leaves AS 0',
      plain: false,
      message: { attributes: route.replace('0000fde9', '00000000'), nlri: '18 0af400' },
    },
  ];
  for (const { it: what, plain, message } of cases)
    it(what, () => expect(readPlainUpdate(update(message), EXTERNAL) !== undefined).to.equal(plain));

  it('leaves a route without LOCAL_PREF from inside', () => {
    const bytes = update({ attributes: route, nlri: '18 0af400' });
    expect(readPlainUpdate(bytes, INTERNAL)).to.equal(undefined);
  });
});
