import { expect } from 'chai';
import fc from 'fast-check';
import type { Figures } from './attribute-octets.ts';
import { FigureColumns } from './figure-columns.ts';

const word = fc.integer({ min: 0, max: 0xffff_ffff });
const maybe = fc.option(word, { nil: undefined });
const figures: fc.Arbitrary<Figures> = fc.record({
  localPref: fc.oneof(fc.constant(100), word),
  asPathLength: fc.integer({ min: 0, max: 16_383 }),
  originRank: fc.integer({ min: 0, max: 2 }),
  med: maybe,
  neighbourAs: word,
  originatorId: maybe,
  clusterListLength: fc.integer({ min: 0, max: 16_383 }),
  aigp: fc.option(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_fffen }), { nil: undefined }),
});

describe('FigureColumns', () => {
  it('gives back what was put last under a number, whatever was there before', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), figures), { maxLength: 20 }), (puts) => {
        const columns = new FigureColumns();
        for (const [id, each] of puts) columns.put(id, each);
        for (const [id, each] of new Map(puts))
          expect({
            localPref: columns.localPref(id),
            asPathLength: columns.asPathLength(id),
            originRank: columns.originRank(id),
            med: columns.med(id),
            neighbourAs: columns.neighbourAs(id),
            originatorId: columns.originatorId(id),
            clusterListLength: columns.clusterListLength(id),
            aigp: columns.aigp(id),
          }).to.deep.equal(each);
      }),
    );
  });
});
