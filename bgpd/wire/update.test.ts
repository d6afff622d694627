import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { encodeEndOfRib, encodeUpdates, maxMessageLength } from './encode-update.ts';
import { decodeMessage } from './message.ts';
import * as arbitrary from './testing/arbitraries.ts';
import { EXTERNAL, INTERNAL, text, update } from './testing/octets.ts';
import {
  isEndOfRib,
  type Family,
  type Negotiated,
  type Nlri,
  type PathAttributes,
  type UpdateMessage,
} from './types.ts';

function decoded(bytes: Uint8Array, session: Negotiated = EXTERNAL): UpdateMessage {
  const answer = decodeMessage(bytes, session);
  if (!answer.ok || answer.message?.type !== 'update') throw new Error(JSON.stringify(answer));
  expect(answer.faults).to.deep.equal([]);
  return answer.message;
}

function nlri(...cidrs: readonly string[]): Nlri[] {
  return cidrs.map((cidr) => ({ prefix: Prefix.parse(cidr) as Prefix }));
}

const address = (one: string): Address => Address.parse(one) as Address;
const PATH = [{ type: 'sequence', asns: [65001] }] as const;

describe('UPDATE', () => {
  const vectors: readonly {
    it: string;
    bytes: Uint8Array;
    value: Omit<UpdateMessage, 'type'>;
    session?: Negotiated;
  }[] = [
    {
      it: 'announces IPv4 in the classic fields',
      bytes: update({
        attributes: '40 01 01 00  40 02 06 02 01 0000fde9  40 03 04 c0000201',
        nlri: '1a 0af40040  00',
      }),
      value: {
        unreach: [],
        reach: [
          {
            family: 'ipv4-unicast',
            nextHop: { address: address('192.0.2.1') },
            nlri: nlri('10.244.0.64/26', '0.0.0.0/0'),
          },
        ],
        attributes: { origin: 'IGP', asPath: PATH },
      },
    },
    {
      it: 'announces IPv6 in MP_REACH_NLRI, which comes first, with a link-local next hop',
      bytes: update({
        attributes: `90 0e 0036 0002 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00
          7a fd00001002440000000000000000 0040  40 01 01 00  40 02 06 02 01 0000fde9`,
      }),
      value: {
        unreach: [],
        reach: [
          {
            family: 'ipv6-unicast',
            nextHop: { address: address('2001:db8::1'), linkLocal: address('fe80::1') },
            nlri: nlri('fd00:10:244::40/122'),
          },
        ],
        attributes: { origin: 'IGP', asPath: PATH },
      },
    },
    {
      it: 'withdraws IPv4',
      bytes: update({ withdrawn: '20 0a000001 08 0b' }),
      value: {
        unreach: [{ family: 'ipv4-unicast', nlri: nlri('10.0.0.1/32', '11.0.0.0/8') }],
        reach: [],
        attributes: undefined,
      },
    },
    {
      it: 'withdraws IPv6',
      bytes: update({ attributes: '90 0f 0008 0002 01 20 20010db8' }),
      value: {
        unreach: [{ family: 'ipv6-unicast', nlri: nlri('2001:db8::/32') }],
        reach: [],
        attributes: undefined,
      },
    },
    {
      it: 'says path ids where they were negotiated',
      bytes: update({
        attributes: '40 01 01 00  40 02 06 02 01 0000fde9  40 03 04 c0000201',
        nlri: '00000007 08 0a',
      }),
      session: { ...EXTERNAL, addPathReceive: ['ipv4-unicast'], addPathSend: ['ipv4-unicast'] },
      value: {
        unreach: [],
        reach: [
          {
            family: 'ipv4-unicast',
            nextHop: { address: address('192.0.2.1') },
            nlri: [{ prefix: Prefix.parse('10.0.0.0/8') as Prefix, pathId: 7 }],
          },
        ],
        attributes: { origin: 'IGP', asPath: PATH },
      },
    },
    {
      it: 'speaks to a peer with 2-octet AS numbers (RFC 6793 §4.2.2)',
      bytes: update({
        attributes: `40 01 01 00  40 02 06 02 02 5ba0 fde9  40 03 04 c0000201  c0 07 06 5ba0 c0000201
          c0 11 0a 02 02 fa56ea01 0000fde9  c0 12 08 fa56ea01 c0000201`,
        nlri: '08 0a',
      }),
      session: { ...EXTERNAL, fourOctetAs: false },
      value: {
        unreach: [],
        reach: [
          { family: 'ipv4-unicast', nextHop: { address: address('192.0.2.1') }, nlri: nlri('10.0.0.0/8') },
        ],
        attributes: {
          origin: 'IGP',
          asPath: [{ type: 'sequence', asns: [4_200_000_001, 65001] }],
          aggregator: { asn: 4_200_000_001, address: address('192.0.2.1') },
        },
      },
    },
  ];
  for (const { it: title, bytes, value, session = EXTERNAL } of vectors) {
    it(`${title}: octets to value and back`, () => {
      expect(decoded(bytes, session)).to.deep.equal({ type: 'update', ...value });
      expect(encodeUpdates({ type: 'update', ...value }, session).map(text)).to.deep.equal([text(bytes)]);
    });
  }

  it('clears the bits of a prefix beyond its length', () => {
    const message = decoded(update({ withdrawn: '09 0aff' }));
    expect(message.unreach[0]?.nlri).to.deep.equal(nlri('10.128.0.0/9'));
  });

  it('reads IPv4 routes from MP_REACH_NLRI too', () => {
    const attributes = '80 0e 0b 0001 01 04 c0000201 00 08 0a  40 01 01 00  40 02 06 02 01 0000fde9';
    expect(decoded(update({ attributes })).reach).to.deep.equal([
      { family: 'ipv4-unicast', nextHop: { address: address('192.0.2.1') }, nlri: nlri('10.0.0.0/8') },
    ]);
  });

  it('takes the link-local address where BIRD leaves the global one empty', () => {
    const nextHops = `${'00'.repeat(16)} fe80 ${'00'.repeat(13)} 01`;
    const attributes = `80 0e 27 0002 01 20 ${nextHops} 00 08 20  40 01 01 00  40 02 06 02 01 0000fde9`;
    expect(decoded(update({ attributes })).reach[0]?.nextHop).to.deep.equal({ address: address('fe80::1') });
  });

  it('lets an old aggregator invalidate both AS4 attributes (RFC 6793 §4.2.3)', () => {
    const attributes = `40 01 01 00  40 02 06 02 02 fde9 5ba0  40 03 04 c0000201  c0 07 06 fde9 c0000201
      c0 11 0a 02 02 fa56ea01 fa56ea02  c0 12 08 fa56ea01 c0000202`;
    const message = decoded(update({ attributes, nlri: '08 0a' }), { ...EXTERNAL, fourOctetAs: false });
    expect(message.attributes?.asPath).to.deep.equal([{ type: 'sequence', asns: [65001, 23456] }]);
    expect(message.attributes?.aggregator).to.deep.equal({ asn: 65001, address: address('192.0.2.1') });
  });

  it('passes on what it does not know if transitive, marked partial, and forgets the rest', () => {
    const attributes = `40 01 01 00  40 02 06 02 01 0000fde9  40 03 04 c0000201
      c0 63 02 abcd  80 64 01 00  e0 80 01 01`;
    const message = decoded(update({ attributes, nlri: '08 0a' }));
    expect(message.attributes?.unknown).to.deep.equal([
      { flags: 0xe0, code: 99, value: Uint8Array.of(0xab, 0xcd) },
      { flags: 0xe0, code: 128, value: Uint8Array.of(1) },
    ]);
  });

  it('leaves the partial bit of attributes that it knows as somebody has set it (RFC 4271 §5)', () => {
    const attributes = `40 01 01 00  40 02 06 02 01 0000fde9  40 03 04 c0000201
      c0 07 08 0000fde9 c0000201  e0 08 04 fde90001  e0 10 08 0002fde900000001  e0 20 0c 0000fde90000000100000002`;
    const bytes = update({ attributes, nlri: '08 0a' });
    const message = decoded(bytes);
    expect(message.attributes?.partial).to.deep.equal([8, 16, 32]);
    expect(encodeUpdates(message, EXTERNAL).map(text)).to.deep.equal([text(bytes)]);
    // What goes out without the attribute goes out without its mark.
    const { communities: _, ...rest } = message.attributes ?? expect.fail();
    const without = encodeUpdates({ ...message, attributes: rest }, EXTERNAL);
    expect(without.map(text).join()).to.not.include('e00804').and.to.include('e01008');
  });

  describe('End-of-RIB', () => {
    for (const family of ['ipv4-unicast', 'ipv6-unicast'] as const) {
      it(`of ${family} there and back`, () => {
        const bytes = encodeEndOfRib(family, EXTERNAL);
        expect(isEndOfRib(decoded(bytes))).to.equal(family);
        const value = {
          type: 'update',
          unreach: [{ family, nlri: [] }],
          reach: [],
          attributes: undefined,
        } as const;
        expect(encodeUpdates(value, EXTERNAL).map(text)).to.deep.equal([text(bytes)]);
      });
    }
    it('of IPv4 is an empty UPDATE', () =>
      expect(encodeEndOfRib('ipv4-unicast', EXTERNAL)).to.have.length(23));
    it('of IPv4 may also come as an empty MP_UNREACH_NLRI', () =>
      expect(isEndOfRib(decoded(update({ attributes: '80 0f 03 0001 01' })))).to.equal('ipv4-unicast'));

    const not = [
      {
        it: 'an empty MP_UNREACH_NLRI beside a withdrawal',
        bytes: update({ withdrawn: '08 0a', attributes: '80 0f 03 0002 01' }),
      },
      { it: 'one beside another attribute', bytes: update({ attributes: '80 0f 03 0002 01 40 01 01 00' }) },
      { it: 'attributes without routes', bytes: update({ attributes: '40 01 01 00' }) },
    ];
    for (const { it: title, bytes } of not)
      it(`is not ${title}`, () => expect(isEndOfRib(decoded(bytes))).to.equal(undefined));

    it('is not an MP_UNREACH_NLRI of a family that was not negotiated', () => {
      const answer = decodeMessage(update({ attributes: '80 0f 03 0019 46' }), EXTERNAL);
      expect(answer.ok && answer.message?.type === 'update' && isEndOfRib(answer.message)).to.equal(
        undefined,
      );
    });
    it('of IPv4 means nothing where only IPv6 was negotiated', () => {
      const message = decoded(update({}), { ...EXTERNAL, families: ['ipv6-unicast'] });
      expect(isEndOfRib(message)).to.equal(undefined);
    });
  });

  describe('packing', () => {
    const nextHopOf = {
      'ipv4-unicast': { address: address('192.0.2.1') },
      'ipv6-unicast': { address: address('2001:db8::1') },
    };

    for (const [limit, extendedMessages] of [
      [4096, false],
      [65535, true],
    ] as const) {
      it(`fills messages up to ${limit} octets and never beyond`, () => {
        const session = { ...EXTERNAL, extendedMessages };
        const prefixes = Array.from({ length: 20_000 }, (_, i) => ({
          prefix: Prefix.of(Address.v4(0x0a00_0000 + i * 256), 24),
        }));
        const reach = [
          { family: 'ipv4-unicast', nextHop: nextHopOf['ipv4-unicast'], nlri: prefixes },
        ] as const;
        const messages = encodeUpdates(
          { type: 'update', unreach: [], reach, attributes: { origin: 'IGP', asPath: PATH } },
          session,
        );
        expect(Math.max(...messages.map(({ length }) => length))).to.be.within(limit - 3, limit);
        expect(messages.flatMap((bytes) => decoded(bytes, session).reach[0]?.nlri)).to.deep.equal(prefixes);
        expect(messages).to.have.length(Math.ceil(20_000 / Math.floor((limit - 23 - 20) / 4)));
      });
    }

    it('hits the limit to the octet, whatever room the attributes leave', () => {
      for (const family of ['ipv4-unicast', 'ipv6-unicast'] as const) {
        const host = (i: number): Prefix =>
          Prefix.host(family === 'ipv4-unicast' ? Address.v4(i) : Address.v6(0x2001_0db8, 0, 0, i));
        const size = family === 'ipv4-unicast' ? 5 : 17;
        const reach = [
          {
            family,
            nextHop: nextHopOf[family],
            nlri: Array.from({ length: 1000 }, (_, i) => ({ prefix: host(i + 1) })),
          },
        ];
        const lengths = Array.from({ length: size }, (_, padding) => {
          const unknown = [{ flags: 0xe0, code: 99, value: new Uint8Array(padding) }];
          const messages = encodeUpdates(
            { type: 'update', unreach: [], reach, attributes: { origin: 'IGP', asPath: PATH, unknown } },
            EXTERNAL,
          );
          return messages[0]?.length ?? 0;
        });
        expect(new Set(lengths), family).to.deep.equal(
          new Set(Array.from({ length: size }, (_, i) => 4096 - i)),
        );
      }
    });

    it('and with withdrawals too', () => {
      // 4096 - 23 = 4073 octets: 814 host routes of 5 octets, and 3 to spare.
      const hosts = Array.from({ length: 815 }, (_, i) => ({ prefix: Prefix.host(Address.v4(i + 1)) }));
      const lengths = (count: number): number[] =>
        encodeUpdates(
          {
            type: 'update',
            unreach: [{ family: 'ipv4-unicast', nlri: hosts.slice(0, count) }],
            reach: [],
            attributes: undefined,
          },
          EXTERNAL,
        ).map(({ length }) => length);
      expect(lengths(814)).to.deep.equal([4093]);
      expect(lengths(815)).to.deep.equal([4093, 28]);
    });

    it('withdraws what no message can hold any more', () => {
      const attributes: PathAttributes = {
        origin: 'IGP',
        asPath: PATH,
        communities: Array.from({ length: 1015 }, (_, i) => i),
      };
      for (const family of ['ipv4-unicast', 'ipv6-unicast'] as const) {
        const one = family === 'ipv4-unicast' ? nlri('10.0.0.0/8') : nlri('2001:db8::/32');
        const messages = encodeUpdates(
          {
            type: 'update',
            unreach: [],
            reach: [{ family, nextHop: nextHopOf[family], nlri: one }],
            attributes,
          },
          EXTERNAL,
        );
        expect(messages.map((bytes) => decoded(bytes))).to.deep.equal([
          { type: 'update', unreach: [{ family, nlri: one }], reach: [], attributes: undefined },
        ]);
      }
    });

    it('sends withdrawals first', () => {
      const both = {
        type: 'update',
        unreach: [{ family: 'ipv6-unicast', nlri: nlri('2001:db8::/32') }],
        reach: [{ family: 'ipv4-unicast', nextHop: nextHopOf['ipv4-unicast'], nlri: nlri('10.0.0.0/8') }],
        attributes: { origin: 'IGP', asPath: PATH },
      } as const;
      const [first, second] = encodeUpdates(both, EXTERNAL).map((bytes) => decoded(bytes));
      expect(first?.unreach).to.have.length(1);
      expect(second?.reach).to.have.length(1);
    });
  });

  describe('property', () => {
    it('decode(encode(x)) = x, within the size of the session', () => {
      const routes = arbitrary.session.chain((session) =>
        fc.constantFrom<Family>('ipv4-unicast', 'ipv6-unicast').chain((family) =>
          fc.record({
            session: fc.constant(session),
            family: fc.constant(family),
            attributes: arbitrary.attributes(session),
            nextHop: arbitrary.nextHop(family),
            reachable: fc.array(arbitrary.nlri(family, session.addPathSend.length > 0), {
              minLength: 1,
              maxLength: 900,
            }),
            withdrawn: fc.array(arbitrary.nlri(family, session.addPathSend.length > 0), { maxLength: 900 }),
          }),
        ),
      );
      fc.assert(
        fc.property(routes, ({ session, family, attributes, nextHop, reachable, withdrawn }) => {
          const unreach = withdrawn.length > 0 ? [{ family, nlri: withdrawn }] : [];
          const value: UpdateMessage = {
            type: 'update',
            unreach,
            reach: [{ family, nextHop, nlri: reachable }],
            attributes,
          };
          const messages = encodeUpdates(value, session);
          for (const { length } of messages) expect(length).to.be.at.most(maxMessageLength(session));
          const back = messages.map((bytes) => decoded(bytes, session));
          expect(back.flatMap((one) => one.unreach.flatMap((part) => part.nlri))).to.deep.equal(withdrawn);
          expect(back.flatMap((one) => one.reach.flatMap((part) => part.nlri))).to.deep.equal(reachable);
          for (const one of back.filter(({ reach }) => reach.length > 0)) {
            expect(one.reach).to.have.length(1);
            expect(one.reach[0]).to.deep.include({ family, nextHop });
            expect(one.attributes).to.deep.equal(attributes);
          }
        }),
        { numRuns: 150 },
      );
    }).timeout(30_000);

    it('any two attributes may come in any order', () => {
      const parts = [
        '40 01 01 00',
        '40 02 06 02 01 0000fde9',
        '40 03 04 c0000201',
        '80 04 04 00000005',
        'c0 08 04 00010002',
        'c0 11 06 0201fa56ea01',
        'c0 63 01 ff',
      ];
      const reference = decodeMessage(update({ attributes: parts.join(''), nlri: '08 0a' }), EXTERNAL);
      fc.assert(
        fc.property(fc.shuffledSubarray(parts, { minLength: parts.length }), (order) => {
          const answer = decodeMessage(update({ attributes: order.join(''), nlri: '08 0a' }), EXTERNAL);
          expect(answer.ok && answer.message).to.deep.equal(reference.ok && reference.message);
        }),
      );
    });
  });

  it('keeps no view of the octets it has read', () => {
    const bytes = update({
      attributes: '40 01 01 00  40 02 00  40 05 04 00000064  40 03 04 c0000201  c0 63 02 abcd',
      nlri: '08 0a',
    });
    const message = decoded(bytes, INTERNAL);
    const before = JSON.stringify(message);
    bytes.fill(0);
    expect(JSON.stringify(message)).to.equal(before);
  });
});
