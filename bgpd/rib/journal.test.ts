import { expect } from 'chai';
import fc from 'fast-check';
import { Journal } from './journal.ts';

describe('Journal', () => {
  it('tells each consumer each changed id at least once after its last change, and collapses the rest', () => {
    const step = fc.oneof(
      fc.record({ act: fc.constant('append' as const), id: fc.nat(5) }),
      fc.record({ act: fc.constant('read' as const), who: fc.nat(2), limit: fc.integer({ min: 1, max: 4 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const journal = new Journal();
        const cursors = [journal.open(), journal.open(), journal.open()];
        const unseen = cursors.map(() => new Set<number>());
        for (const each of steps) {
          if (each.act === 'append') {
            journal.append(each.id, 100);
            for (const set of unseen) set.add(each.id);
          } else {
            const ids = journal.read(cursors[each.who] as never, each.limit);
            expect(new Set(ids).size).to.equal(ids.length);
            for (const id of ids)
              expect(unseen[each.who]?.delete(id), 'told without a change').to.equal(true);
          }
        }
        for (const [i, cursor] of cursors.entries()) {
          while (journal.hasMore(cursor)) for (const id of journal.read(cursor, 2)) unseen[i]?.delete(id);
          expect(unseen[i]?.size).to.equal(0);
        }
        expect(journal.length, 'what everybody has read is forgotten').to.equal(0);
      }),
    );
  });

  it('does not grow for a consumer that never reads, and tells it to start over', () => {
    const journal = new Journal();
    const [idle, busy] = [journal.open(), journal.open()];
    for (let i = 0; i < 100_000; i++) {
      journal.append(i % 10, 10);
      journal.read(busy, 100);
    }
    expect(journal.length).to.be.below(10_000);
    expect([idle.lost, busy.lost]).to.deep.equal([true, false]);
    journal.restart(idle);
    journal.append(3, 10);
    expect(journal.read(idle, 100)).to.deep.equal([3]);
  });

  it('tells a slow reader everything in order, however much lies between it and a quick one', () => {
    const journal = new Journal();
    const [slow, quick] = [journal.open(), journal.open()];
    const told: number[] = [];
    for (let id = 0; id < 30_000; id++) {
      journal.append(id, 30_000);
      if (id % 7 === 0) journal.read(quick, 5);
      if (id % 1000 === 999) told.push(...journal.read(slow, 333));
    }
    expect(journal.length).to.equal(30_000 - told.length);
    while (journal.hasMore(slow)) told.push(...journal.read(slow, 4097));
    expect(told).to.deep.equal(Array.from({ length: 30_000 }, (_, id) => id));
  });

  it('keeps nothing while nobody listens', () => {
    const journal = new Journal();
    journal.append(1, 10);
    expect(journal.length).to.equal(0);
    const cursor = journal.open();
    expect(journal.read(cursor, 10)).to.deep.equal([]);
    journal.append(1, 10);
    journal.close(cursor);
    expect(journal.length).to.equal(0);
  });
});
