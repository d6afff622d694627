import { expect } from 'chai';
import fc from 'fast-check';
import { ExportedSets, NO_SET } from './exported-sets.ts';

/** Few enough values that sets meet again, long enough that the store of octets has to make room. */
const octets = fc.record({
  source: fc.nat(2),
  octets: fc
    .tuple(fc.nat(5), fc.integer({ min: 1, max: 900 }))
    .map(([fill, length]) => new Uint8Array(length).fill(fill)),
});

describe('ExportedSets', () => {
  it('is one number for one source and octets, whatever else comes and goes', () => {
    const step = fc.oneof(octets, fc.record({ release: fc.nat(1000) }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
        const sets = new ExportedSets();
        const owned: { readonly set: number; readonly key: string; readonly birth: number }[] = [];
        for (const each of steps) {
          if ('release' in each) {
            const [gone] = owned.splice(each.release % Math.max(1, owned.length), 1);
            if (gone !== undefined) sets.release(gone.set);
            continue;
          }
          const wire = Uint8Array.of(1, 2, 3, ...each.octets, 4);
          const set = sets.acquire(each.source, wire, 3, each.octets.length);
          const key = `${each.source} ${each.octets.join()}`;
          for (const other of owned) expect(other.set === set).to.equal(other.key === key);
          owned.push({ set, key, birth: sets.birth(set) });
        }
        for (const { set, key, birth } of owned) {
          const told = sets.octets(set).subarray(sets.at(set), sets.at(set) + sets.length(set));
          expect([`${sets.source(set)} ${told.join()}`, sets.birth(set)]).to.deep.equal([key, birth]);
        }
        expect(sets.size).to.equal(new Set(owned.map(({ key }) => key)).size);
        for (const { set } of owned) sets.release(set);
        expect([sets.size, sets.birth(NO_SET)]).to.deep.equal([0, 0]);
      }),
      { numRuns: 60 },
    );
  });

  it('gives a number that was free a new birth', () => {
    const sets = new ExportedSets();
    const first = sets.acquire(1, Uint8Array.of(1), 0, 1);
    const birth = sets.birth(first);
    sets.release(first);
    const second = sets.acquire(1, Uint8Array.of(2), 0, 1);
    expect(second).to.equal(first);
    expect(sets.birth(second)).not.to.equal(birth);
    expect(() => {
      sets.release(second);
      sets.release(second);
    }).to.throw('after its last release');
  });
});
