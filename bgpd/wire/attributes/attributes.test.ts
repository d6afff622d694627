import { expect } from 'chai';
import { Address } from '../../../net/addr/index.ts';
import { decodeAttributes } from '../decode-attributes.ts';
import { encodeAttributes } from '../encode-update.ts';
import { Reader } from '../reader.ts';
import { EXTERNAL, INTERNAL, octets, text } from '../testing/octets.ts';
import type { Negotiated } from '../types.ts';
import { Writer } from '../writer.ts';
import { OUTCOMES, Refusal, type AttributeField } from './codec.ts';
import { ATTRIBUTES, UPDATE_CHECKS, codecOf, errorTable } from './table.ts';

const OLD: Negotiated = { ...EXTERNAL, fourOctetAs: false };

interface Pair {
  readonly field: AttributeField;
  readonly it: string;
  readonly bytes: string;
  readonly value: unknown;
  readonly session?: Negotiated;
  /** Lengths, shorter than the whole, at which the value is still a sound one. */
  readonly soundAt?: readonly number[];
}

const PAIRS: readonly Pair[] = [
  { field: 'origin', it: 'ORIGIN IGP', bytes: '00', value: 'IGP' },
  { field: 'origin', it: 'ORIGIN EGP', bytes: '01', value: 'EGP' },
  { field: 'origin', it: 'ORIGIN incomplete', bytes: '02', value: 'incomplete' },
  {
    field: 'asPath',
    it: 'AS_PATH with 4-octet numbers',
    bytes: '02 02 0000fde9 fa56ea01  01 02 00000001 00000002',
    value: [
      { type: 'sequence', asns: [65001, 4_200_000_001] },
      { type: 'set', asns: [1, 2] },
    ],
    soundAt: [10],
  },
  {
    field: 'asPath',
    it: 'AS_PATH with 2-octet numbers',
    bytes: '02 02 fde9 5ba0',
    value: [{ type: 'sequence', asns: [65001, 23456] }],
    session: OLD,
  },
  {
    field: 'asPath',
    it: 'AS_PATH with confederation segments, from an internal peer',
    bytes: '03 01 0000fde9 04 01 00000001',
    value: [
      { type: 'confed-sequence', asns: [65001] },
      { type: 'confed-set', asns: [1] },
    ],
    session: INTERNAL,
    soundAt: [0, 6],
  },
  { field: 'asPath', it: 'empty AS_PATH from an internal peer', bytes: '', value: [], session: INTERNAL },
  { field: 'nextHop', it: 'NEXT_HOP', bytes: 'c0000201', value: Address.parse('192.0.2.1') },
  { field: 'med', it: 'MULTI_EXIT_DISC', bytes: 'fffffffe', value: 4_294_967_294 },
  { field: 'localPref', it: 'LOCAL_PREF', bytes: '00000064', value: 100, session: INTERNAL },
  { field: 'atomicAggregate', it: 'ATOMIC_AGGREGATE', bytes: '', value: true },
  {
    field: 'aggregator',
    it: 'AGGREGATOR with a 4-octet number',
    bytes: 'fa56ea01 c0000201',
    value: { asn: 4_200_000_001, address: Address.parse('192.0.2.1') },
  },
  {
    field: 'aggregator',
    it: 'AGGREGATOR with a 2-octet number',
    bytes: 'fde9 c0000201',
    value: { asn: 65001, address: Address.parse('192.0.2.1') },
    session: OLD,
  },
  {
    field: 'communities',
    it: 'COMMUNITIES',
    bytes: 'ffffff01 fde90064',
    value: [0xffff_ff01, 0xfde9_0064],
    soundAt: [4],
  },
  { field: 'originatorId', it: 'ORIGINATOR_ID', bytes: '0a000001', value: 0x0a00_0001, session: INTERNAL },
  {
    field: 'clusterList',
    it: 'CLUSTER_LIST',
    bytes: '0a000001 0a000002',
    value: [0x0a00_0001, 0x0a00_0002],
    session: INTERNAL,
    soundAt: [4],
  },
  {
    field: 'extendedCommunities',
    it: 'EXTENDED_COMMUNITIES',
    bytes: '0002fde900000064 4004000000000001',
    value: [0x0002_fde9_0000_0064n, 0x4004_0000_0000_0001n],
    soundAt: [8],
  },
  {
    field: 'as4Path',
    it: 'AS4_PATH',
    bytes: '02 01 fa56ea01',
    value: [{ type: 'sequence', asns: [4_200_000_001] }],
    session: OLD,
  },
  {
    field: 'as4Aggregator',
    it: 'AS4_AGGREGATOR',
    bytes: 'fa56ea01 c0000201',
    value: { asn: 4_200_000_001, address: Address.parse('192.0.2.1') },
    session: OLD,
  },
  {
    field: 'aigp',
    it: 'AIGP',
    bytes: '01 000b 0000000100000002',
    value: { metric: 0x1_0000_0002n },
  },
  {
    field: 'largeCommunities',
    it: 'LARGE_COMMUNITY',
    bytes: 'fa56ea01 00000001 00000002',
    value: [{ global: 4_200_000_001, local1: 1, local2: 2 }],
  },
];

function codecFor(field: AttributeField) {
  const codec = ATTRIBUTES.find((one) => one.field === field);
  if (codec === undefined) throw new Error(`no codec for ${field}`);
  return codec;
}

describe('path attributes', () => {
  for (const { field, it: title, bytes, value, session = EXTERNAL, soundAt = [] } of PAIRS) {
    const codec = codecFor(field);
    const whole = octets(bytes);
    it(`${title}: octets to value and back`, () => {
      expect(codec.decode(new Reader(whole), session)).to.deep.equal(value);
      const w = new Writer();
      codec.encode(w, value as never, session);
      expect(text(w.finish())).to.equal(text(whole));
    });
    it(`${title}: cut short at every length`, () => {
      for (let length = 0; length < whole.length; length++) {
        const decoded = codec.decode(new Reader(whole.subarray(0, length)), session);
        expect(decoded instanceof Refusal, `at ${length}`).to.equal(!soundAt.includes(length));
      }
    });
    it(`${title}: one octet too many`, () => {
      expect(codec.decode(new Reader(Uint8Array.of(...whole, 0)), session)).to.be.instanceOf(Refusal);
    });
  }

  it('has a pair for each attribute that this file can test alone', () => {
    const alone = ATTRIBUTES.map(({ field }) => field).filter(
      (field) => field !== 'mpReach' && field !== 'mpUnreach',
    );
    expect(new Set(PAIRS.map(({ field }) => field))).to.deep.equal(new Set(alone));
  });

  it('drops repeated large communities, keeping the first place', () => {
    const value = codecFor('largeCommunities').decode(
      new Reader(
        octets('00000001 00000001 00000001  00000002 00000002 00000002  00000001 00000001 00000001'),
      ),
      EXTERNAL,
    );
    expect(value).to.deep.equal([
      { global: 1, local1: 1, local2: 1 },
      { global: 2, local1: 2, local2: 2 },
    ]);
  });

  it('orders attributes by code, unknown ones among them (RFC 4271 §5)', () => {
    const unknown = [
      { flags: 0xe0, code: 99, value: octets('ff') },
      { flags: 0xe0, code: 23, value: octets('00') },
    ];
    const encoded = encodeAttributes(
      {
        origin: 'IGP',
        asPath: [{ type: 'sequence', asns: [1] }],
        communities: [5],
        largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
        unknown,
      },
      EXTERNAL,
    );
    const { seen } = decodeAttributes(new Reader(encoded), EXTERNAL);
    expect([...seen.keys()]).to.deep.equal([1, 2, 8, 23, 32, 99]);
  });

  it('uses the extended length from 256 octets on, and not before', () => {
    const lengths = [252, 256].map((length) => {
      const encoded = encodeAttributes(
        { origin: 'IGP', asPath: [], communities: Array.from({ length: length / 4 }, () => 1) },
        INTERNAL,
      );
      return text(encoded.subarray(7, 11));
    });
    expect(lengths).to.deep.equal(['c0 08 fc 00', 'd0 08 01 00']);
  });

  it('sends no LOCAL_PREF, ORIGINATOR_ID or CLUSTER_LIST to an external peer', () => {
    const all = { origin: 'IGP', asPath: [], localPref: 1, originatorId: 2, clusterList: [3] } as const;
    expect([
      ...decodeAttributes(new Reader(encodeAttributes(all, EXTERNAL)), EXTERNAL).seen.keys(),
    ]).to.deep.equal([1, 2]);
    expect([
      ...decodeAttributes(new Reader(encodeAttributes(all, INTERNAL)), INTERNAL).seen.keys(),
    ]).to.deep.equal([1, 2, 5, 9, 10]);
  });
});

describe('the error table', () => {
  it('is in order of code, each code once', () => {
    const codes = ATTRIBUTES.map(({ code }) => code);
    expect(codes).to.deep.equal([...new Set(codes)].sort((a, b) => a - b));
    for (const codec of ATTRIBUTES) expect(codecOf(codec.code)).to.equal(codec);
  });

  it('names an outcome, a reason and a source for each error', () => {
    for (const row of errorTable()) {
      expect(OUTCOMES, row.when).to.include(row.outcome);
      expect(row.source, row.when).to.match(/RFC \d{4} §\d/);
    }
  });

  it('drops an attribute alone only where it has no say in the choice of a route, or its RFC says so', () => {
    const discards = errorTable().filter(({ outcome }) => outcome === 'attribute-discard');
    const of = (attribute: string): string[] =>
      discards.filter((row) => row.attribute === attribute).map(({ peers }) => peers);
    const names = 'any LOCAL_PREF ATOMIC_AGGREGATE AGGREGATOR ORIGINATOR_ID CLUSTER_LIST';
    const others = 'MP_REACH_NLRI MP_UNREACH_NLRI AS4_PATH AS4_AGGREGATOR AIGP';
    expect([...new Set(discards.map(({ attribute }) => attribute))].join(' ')).to.equal(`${names} ${others}`);
    // From a peer that has no business sending them (RFC 7606 §7.5, §7.9, §7.10).
    for (const inside of ['LOCAL_PREF', 'ORIGINATOR_ID', 'CLUSTER_LIST'])
      expect(of(inside), inside).to.deep.equal(['external']);
    // Repeated ones, of which the first stands, and families that were not negotiated.
    expect(discards.filter(({ attribute }) => attribute === 'any').map(({ when }) => when)).to.deep.equal([
      UPDATE_CHECKS.repeated.when,
      UPDATE_CHECKS.familyNotNegotiated.when,
    ]);
    for (const mp of ['MP_REACH_NLRI', 'MP_UNREACH_NLRI']) expect(of(mp), mp).to.have.length(1);
  });

  it('resets the session only where NLRI cannot be located, or the RFC leaves no choice', () => {
    const resets = errorTable().filter(({ outcome }) => outcome === 'session-reset');
    expect(resets.map(({ attribute, when }) => `${attribute}: ${when}`)).to.deep.equal([
      `any: ${UPDATE_CHECKS.lengths.when}`,
      `any: ${UPDATE_CHECKS.withdrawn.when}`,
      `any: ${UPDATE_CHECKS.network.when}`,
      `any: ${UPDATE_CHECKS.mpLength.when}`,
      `any: ${UPDATE_CHECKS.mpFlags.when}`,
      `any: ${UPDATE_CHECKS.repeatedMp.when}`,
      `any: ${UPDATE_CHECKS.unrecognizedWellKnown.when}`,
      'MP_REACH_NLRI: shorter than its fixed fields',
      'MP_REACH_NLRI: next hop has no length that the family knows',
      'MP_REACH_NLRI: NLRI cannot be read',
      'MP_UNREACH_NLRI: shorter than its fixed fields',
      'MP_UNREACH_NLRI: NLRI cannot be read',
    ]);
  });
});
