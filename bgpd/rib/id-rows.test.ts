import { expect } from 'chai';
import fc from 'fast-check';
import { IdRows } from './id-rows.ts';

describe('IdRows', () => {
  it('keeps what a map of arrays would, batch after batch', () =>
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.tuple(fc.integer({ min: -1, max: 6 }), fc.nat(0xffffffff))), { maxLength: 4 }),
        (batches) => {
          const rows = new IdRows();
          for (const batch of batches) {
            for (const [key, id] of batch) rows.add(key, id);
            expect(held(rows)).to.deep.equal(asMap(batch));
            rows.clear();
            expect(held(rows)).to.deep.equal([]);
          }
        },
      ),
    ));

  it('grows with a batch of any size, in rows and in ids', () => {
    const rows = new IdRows();
    const batch = Array.from({ length: 10_000 }, (_, i) => [i % 3000, i] as const);
    for (const [key, id] of batch) rows.add(key, id);
    expect(held(rows)).to.deep.equal(asMap(batch));
  });
});

function held(rows: IdRows): [number, number[]][] {
  return Array.from({ length: rows.rows }, (_, row) => {
    const ids: number[] = [];
    for (let at = rows.firstOf(row); at >= 0; at = rows.behind(at)) ids.push(rows.idAt(at));
    return [rows.keyOf(row), ids];
  });
}

function asMap(batch: readonly (readonly [number, number])[]): [number, number[]][] {
  return [...Map.groupBy(batch, ([key]) => key)].map(([key, entries]) => [key, entries.map(([, id]) => id)]);
}
