import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { IdSet } from './id-set.ts';
import { PrefixIndex } from './prefix-index.ts';

const COUNT = 200;

/** An index in which each id is owned once by the test itself. */
function indexOf(count: number): PrefixIndex {
  const index = new PrefixIndex();
  for (let n = 0; n < count; n++) index.acquire(Prefix.of(Address.v4(0x0a000000 + n * 256), 24));
  return index;
}

describe('IdSet', () => {
  it('holds each id once, gives them out lowest first, and owns exactly what it holds', () => {
    const step = fc.oneof(fc.nat(COUNT - 1), fc.record({ take: fc.integer({ min: 1, max: 70 }) }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const index = indexOf(COUNT);
        const set = new IdSet(index);
        let model = new Set<number>();
        for (const each of steps) {
          if (typeof each === 'number') {
            set.add(each);
            model.add(each);
          } else {
            const wanted = [...model].sort((a, b) => a - b).slice(0, each.take);
            expect(set.take(each.take)).to.deep.equal(wanted);
            for (const id of wanted) index.release(id);
            model = new Set([...model].filter((id) => !wanted.includes(id)));
          }
          expect(set.size).to.equal(model.size);
        }
        expect([...set.ids()]).to.deep.equal([...model].sort((a, b) => a - b));
        set.clear();
        for (let id = 0; id < COUNT; id++) index.release(id);
        expect(index.size, 'nobody owns an id any more').to.equal(0);
      }),
      { numRuns: 100 },
    );
  });
});
