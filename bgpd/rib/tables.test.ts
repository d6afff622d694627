/** The small tables under the RIBs, each against the obvious one. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Column } from './column.ts';
import { HashIndex } from './hash-index.ts';
import { IdQueue } from './id-queue.ts';
import { OctetStore } from './octet-store.ts';

describe('HashIndex', () => {
  it('finds what was added and not removed, whatever the hashes are', () => {
    // Few hashes, in one table and at its end, so that runs of slots collide and wrap around.
    const hash = fc.oneof(fc.nat(3), fc.integer({ min: 0x00ff_fff0, max: 0x00ff_ffff }));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(40), hash), { maxLength: 200 }), (steps) => {
        const index = new HashIndex();
        const model = new Map<number, number>();
        for (const [add, id, value] of steps) {
          const known = model.get(id);
          if (add && known === undefined) {
            index.add(value, id);
            model.set(id, value);
          } else if (!add && known !== undefined) {
            index.remove(known, id);
            model.delete(id);
          }
          for (let each = 0; each <= 40; each++) {
            const at = model.get(each);
            expect(index.find(at ?? 1, (found) => found === each)).to.equal(
              at === undefined ? undefined : each,
            );
          }
        }
      }),
    );
  });

  it('holds more in one table than there are hashes kept, and gives back every other one', () => {
    const index = new HashIndex();
    const ids = Array.from({ length: 80_000 }, (_, id) => id);
    const found = (id: number): number | undefined => index.find(hashOf(id), (each) => each === id);
    for (const id of ids) index.add(hashOf(id), id);
    for (const id of ids) if (id % 2 === 1) index.remove(hashOf(id), id);
    expect(ids.filter((id) => found(id) !== (id % 2 === 1 ? undefined : id))).to.deep.equal([]);
  });
});

describe('Column', () => {
  it('is an array of zeroes until something is set', () => {
    const column = new Column();
    column.set(70_000, 7);
    column.set(3, 0xffffffff);
    expect([column.get(70_000), column.get(3), column.get(4), column.get(1_000_000)]).to.deep.equal([
      7, 0xffffffff, 0, 0,
    ]);
    expect([...column.ids()]).to.deep.equal([3, 70_000]);
  });
});

describe('IdQueue', () => {
  it('serves each id once, in order, over many blocks', () => {
    const queue = new IdQueue();
    for (let round = 0; round < 3; round++) {
      for (let id = 0; id < 20_000; id++) queue.push(id);
      for (let id = 0; id < 20_000; id++) queue.push(id);
      expect(queue.size).to.equal(20_000);
      for (let id = 0; id < 20_000; id++) {
        expect(queue.has(id)).to.equal(true);
        expect(queue.shift()).to.equal(id);
      }
      expect([queue.size, queue.shift()]).to.deep.equal([0, undefined]);
    }
  });

  it('is the same as a list without repetition', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(50))), (steps) => {
        const queue = new IdQueue();
        const model: number[] = [];
        for (const id of steps) {
          if (id === null) expect(queue.shift()).to.equal(model.shift());
          else {
            queue.push(id);
            if (!model.includes(id)) model.push(id);
          }
          expect(queue.size).to.equal(model.length);
        }
      }),
    );
  });
});

describe('OctetStore', () => {
  it('keeps every run apart from the others, and gives freed room to the next', () => {
    const run = fc.record({ length: fc.oneof(fc.nat(80), fc.constantFrom(4000, 65_535)), fill: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(fc.tuple(run, fc.boolean()), { maxLength: 60 }), (steps) => {
        const store = new OctetStore();
        const kept: { place: number; length: number; fill: number }[] = [];
        for (const [{ length, fill }, frees] of steps) {
          const place = store.put(new Uint8Array(length).fill(fill), length);
          kept.push({ place, length, fill });
          if (frees) {
            const gone = kept.shift();
            if (gone !== undefined) store.free(gone.place, gone.length);
          }
          for (const { place: at, length: octets, fill: value } of kept) {
            const found = store.chunk(at).subarray(store.at(at), store.at(at) + octets);
            expect(found.length).to.equal(octets);
            expect(found.every((octet) => octet === value)).to.equal(true);
          }
        }
      }),
    );
  });

  it('does not grow under churn', () => {
    const store = new OctetStore();
    const bytes = new Uint8Array(60);
    const first = store.put(bytes, 60);
    store.free(first, 60);
    for (let n = 0; n < 1000; n++) {
      const place = store.put(bytes, 57 + (n % 8));
      expect(place).to.equal(first);
      store.free(place, 57 + (n % 8));
    }
  });
});

/** Well mixed, and all of them in the first table. */
function hashOf(id: number): number {
  return Math.imul(id, 0x9e3779b1) >>> 8;
}
