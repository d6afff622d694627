import { expect } from 'chai';
import fc from 'fast-check';
import { Address } from '../../../net/addr/index.ts';
import { decodeAttributes } from '../decode-attributes.ts';
import { encodeAttributes } from '../encode-update.ts';
import { Reader } from '../reader.ts';
import { EXTERNAL, INTERNAL, octets } from '../testing/octets.ts';
import { asn } from '../testing/arbitraries.ts';
import { Writer } from '../writer.ts';
import type { AsSegment, Negotiated } from '../types.ts';
import type { AttributeValues } from './codec.ts';
import { decodeSegments, encodeSegments, mergeAs4Path, pathLength } from './as-path.ts';

const seq = (...asns: number[]): AsSegment => ({ type: 'sequence', asns });
const set = (...asns: number[]): AsSegment => ({ type: 'set', asns });
const confed = (...asns: number[]): AsSegment => ({ type: 'confed-sequence', asns });
const T = 23456;
const OLD: Negotiated = { ...EXTERNAL, fourOctetAs: false };
const OLD_INSIDE: Negotiated = { ...INTERNAL, fourOctetAs: false };

/** What an old speaker reads of such a path with an aggregator. */
function told(asPath: AsSegment[], session: Negotiated, asn = 1): AttributeValues {
  const aggregator = { asn, address: Address.v4(1) };
  const field = encodeAttributes({ origin: 'IGP', asPath, aggregator }, session);
  return decodeAttributes(new Reader(field), OLD).values;
}

describe('AS path', () => {
  const malformed = [
    { it: 'segment type 0', bytes: '00 01 00000001', fault: 'type' },
    { it: 'segment type 5', bytes: '05 01 00000001', fault: 'type' },
    { it: 'segment type 255', bytes: 'ff 01 00000001', fault: 'type' },
    { it: 'segment of length 0', bytes: '02 00', fault: 'empty' },
    { it: 'segment longer than what is left', bytes: '02 02 00000001', fault: 'length' },
    { it: 'a single octet left', bytes: '02 01 00000001 02', fault: 'length' },
    { it: 'AS 0', bytes: '02 02 00000001 00000000', fault: 'as-zero' },
    { it: 'AS 0 in a set', bytes: '01 01 00000000', fault: 'as-zero' },
  ] as const;
  for (const { it: title, bytes, fault } of malformed) {
    it(`refuses ${title}`, () => expect(decodeSegments(new Reader(octets(bytes)), 4)).to.include({ fault }));
  }

  it('reads 16,000 numbers (extended messages allow them) without harm', () => {
    const w = new Writer();
    const path = Array.from({ length: 63 }, (_, i) =>
      seq(...Array.from({ length: 255 }, (_, j) => 1 + i * 255 + j)),
    );
    encodeSegments(w, path, 4);
    expect(decodeSegments(new Reader(w.finish()), 4)).to.deep.equal(path);
  });

  it('cuts a segment of more than 255 numbers', () => {
    const w = new Writer();
    const asns = Array.from({ length: 300 }, (_, i) => i + 1);
    encodeSegments(w, [seq(...asns)], 4);
    expect(decodeSegments(new Reader(w.finish()), 4)).to.deep.equal([
      seq(...asns.slice(0, 255)),
      seq(...asns.slice(255)),
    ]);
  });

  it('counts a set as 1 and confederation segments as 0', () => {
    expect(pathLength([confed(1, 2), seq(1, 2, 3), set(4, 5, 6)])).to.equal(4);
  });

  const merges = [
    {
      it: 'all of the path is covered',
      path: [seq(T, T)],
      as4: [seq(70000, 80000)],
      want: [seq(70000, 80000)],
    },
    {
      it: 'old speakers have prepended',
      path: [seq(3, 2, T, T)],
      as4: [seq(70000, 80000)],
      want: [seq(3, 2, 70000, 80000)],
    },
    { it: 'AS4_PATH is longer, so stale', path: [seq(1)], as4: [seq(70000, 80000)], want: [seq(1)] },
    { it: 'AS4_PATH is empty', path: [seq(1, 2)], as4: [], want: [seq(1, 2)] },
    {
      it: 'an old speaker has aggregated',
      path: [seq(9), set(1, T), seq(T)],
      as4: [seq(70000)],
      want: [seq(9), set(1, T), seq(70000)],
    },
    {
      it: 'a leading confederation segment stays',
      path: [confed(5), seq(T)],
      as4: [seq(70000)],
      want: [confed(5), seq(70000)],
    },
    {
      it: 'one next to a kept segment stays',
      path: [seq(1), confed(5), seq(T)],
      as4: [seq(70000)],
      want: [seq(1), confed(5), seq(70000)],
    },
    {
      it: 'the cut falls inside the second segment',
      path: [seq(1), set(2, 3), seq(4, T)],
      as4: [seq(70000)],
      want: [seq(1), set(2, 3), seq(4, 70000)],
    },
  ];
  for (const { it: title, path, as4, want } of merges) {
    it(`joins AS_PATH and AS4_PATH: ${title}`, () => expect(mergeAs4Path(path, as4)).to.deep.equal(want));
  }

  it('needs AS4_PATH only where a number outside confederation segments does not fit', () => {
    expect(told([seq(1, 65_535)], OLD).as4Path).to.equal(undefined);
    expect(told([confed(70_000), seq(1)], OLD_INSIDE).as4Path).to.equal(undefined);
    expect(told([seq(1), set(70_000)], OLD).as4Path).to.deep.equal([seq(1), set(70_000)]);
  });

  it('leaves confederation segments out of AS4_PATH', () =>
    expect(told([confed(5), seq(70_000)], OLD_INSIDE).as4Path).to.deep.equal([seq(70_000)]));

  it('sends AS4_PATH and AS4_AGGREGATOR to no new speaker', () => {
    expect(told([seq(70_000)], OLD, 70_001)).to.include.keys('as4Path', 'as4Aggregator');
    expect(told([seq(70_000)], OLD, 7)).to.not.include.keys('as4Aggregator');
    const octetsToNew = encodeAttributes(
      { origin: 'IGP', asPath: [seq(70_000)], aggregator: { asn: 70_001, address: Address.v4(1) } },
      EXTERNAL,
    );
    const { seen } = decodeAttributes(new Reader(octetsToNew), EXTERNAL);
    expect([...seen.keys()]).to.deep.equal([1, 2, 7]);
  });

  it('never changes the length of the path by the merge', () => {
    const segment = fc.record({
      type: fc.constantFrom('sequence', 'set', 'confed-sequence' as const),
      asns: fc.array(asn, { minLength: 1, maxLength: 6 }),
    });
    const path = fc.array(segment, { maxLength: 5 }) as fc.Arbitrary<AsSegment[]>;
    fc.assert(
      fc.property(path, path, (asPath, as4) => {
        const plain = as4.filter(({ type }) => !type.startsWith('confed'));
        expect(pathLength(mergeAs4Path(asPath, plain))).to.equal(pathLength(asPath));
      }),
    );
  });
});
