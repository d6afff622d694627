/** Attributes of every size around the limit of a message: nothing is too long, and no prefix is left as it was. */
import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import { decodeMessage } from './message.ts';
import { encodeUpdates, maxMessageLength } from './encode-update.ts';
import { EXTERNAL } from './testing/octets.ts';
import type { Family, Negotiated, PathAttributes } from './types.ts';
import { UpdatePacker, encodeRoute } from './update-packer.ts';
import { Writer } from './writer.ts';

const PREFIXES: Readonly<Record<Family, readonly Prefix[]>> = {
  'ipv4-unicast': [32, 24, 8, 0].map((length) => Prefix.of(Address.v4(0xc612_0001), length)),
  'ipv6-unicast': [128, 64, 32, 0].map((length) => Prefix.of(Address.v6(0x2001_0db8, 0, 0, 1), length)),
};
const HOPS: Readonly<Record<Family, Address>> = {
  'ipv4-unicast': Address.v4(0x0a00_0901),
  'ipv6-unicast': Address.v6(0x2001_0db8, 9, 0, 1),
};

function attributes(octets: number): PathAttributes {
  return {
    origin: 'IGP',
    asPath: [{ type: 'sequence', asns: [65001] }],
    unknown: [{ flags: 0xe0, code: 99, value: new Uint8Array(octets) }],
  };
}

describe('an UPDATE near the limit', () => {
  for (const family of ['ipv4-unicast', 'ipv6-unicast'] as const) {
    for (const session of [EXTERNAL, { ...EXTERNAL, extendedMessages: true }]) {
      const limit = maxMessageLength(session);
      it(`of ${limit} octets, ${family}: announces or withdraws every prefix, whatever room is left`, () => {
        const ends = new Set<string>();
        for (let octets = limit - 120; octets <= limit; octets++) ends.add(sent(family, octets, session));
        expect([...ends]).to.deep.equal(['announced', 'withdrawn']);
      });
    }
  }
});

describe('an UPDATE that is too long for a peer without extended messages (RFC 8654 §4)', () => {
  const aggregator = { asn: 65001, address: Address.v4(0x0a00_0901) };
  for (const family of ['ipv4-unicast', 'ipv6-unicast'] as const) {
    const nextHop = { address: HOPS[family] };
    const nlri = PREFIXES[family].map((prefix) => ({ prefix }));
    /** What reaches the peer, with so many octets of an attribute nobody knows: by both encoders. */
    const told = (octets: number): (PathAttributes | undefined)[] => {
      const given = { ...attributes(octets), aggregator, atomicAggregate: true, partial: [7] } as const;
      const update = {
        type: 'update',
        unreach: [],
        reach: [{ family, nextHop, nlri }],
        attributes: given,
      } as const;
      const w = new Writer();
      const length = encodeRoute(w.u8(0), family, given, nextHop, EXTERNAL);
      const packer = new UpdatePacker(family, EXTERNAL);
      if (length >= 0) {
        packer.announce(w.view(), 1, length);
        for (const { prefix } of nlri) packer.add(prefix.length, prefix.w0, prefix.w1, prefix.w2, prefix.w3);
      }
      const [first] = encodeUpdates(update, EXTERNAL);
      return [first ?? expect.fail(), packer.take()].map((bytes) => {
        const decoded = decodeMessage(
          bytes.subarray(0, ((bytes[16] ?? 0) << 8) | (bytes[17] ?? 0)),
          EXTERNAL,
        );
        return decoded.ok && decoded.message?.type === 'update' ? decoded.message.attributes : undefined;
      });
    };
    /** The most octets that leave room for the longest prefix beside everything. */
    const most = (): number => {
      for (let octets = 4096; ; octets--)
        if (told(octets).every((each) => each?.aggregator !== undefined)) return octets;
    };

    it(`${family}: goes without AGGREGATOR first, with all else, then is withdrawn`, () => {
      const whole = most();
      const seen = new Set<string>();
      for (let octets = whole; octets < whole + 20; octets++)
        for (const one of told(octets)) {
          const { aggregator: left, partial, ...rest } = one ?? {};
          if (one !== undefined) expect(rest).to.deep.equal({ ...attributes(octets), atomicAggregate: true });
          expect(partial === undefined).to.equal(left === undefined);
          seen.add(one === undefined ? 'withdrawn' : left === undefined ? 'without' : 'whole');
        }
      expect([...seen]).to.deep.equal(['whole', 'without', 'withdrawn']);
    });
  }
});

function sent(family: Family, octets: number, session: Negotiated): string {
  const nlri = PREFIXES[family].map((prefix) => ({ prefix }));
  const reach = [{ family, nextHop: { address: HOPS[family] }, nlri }];
  const announced: string[] = [];
  const withdrawn: string[] = [];
  for (const bytes of encodeUpdates(
    { type: 'update', unreach: [], reach, attributes: attributes(octets) },
    session,
  )) {
    expect(bytes.length).to.be.at.most(maxMessageLength(session));
    const decoded = decodeMessage(bytes, session);
    if (!decoded.ok || decoded.message?.type !== 'update') throw new Error('what we encode we cannot read');
    announced.push(...decoded.message.reach.flatMap((one) => one.nlri.map(({ prefix }) => String(prefix))));
    withdrawn.push(...decoded.message.unreach.flatMap((one) => one.nlri.map(({ prefix }) => String(prefix))));
  }
  expect([...announced, ...withdrawn]).to.have.members(PREFIXES[family].map(String));
  expect(announced.length === 0 || withdrawn.length === 0).to.equal(true);
  return announced.length > 0 ? 'announced' : 'withdrawn';
}
