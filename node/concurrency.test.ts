import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { KeyedLock } from './keyed-lock.ts';
import { SharedGate } from './shared-gate.ts';

describe('keyed lock', () => {
  it('runs work on one key in order, one at a time, and other keys beside it', async () => {
    const lock = new KeyedLock();
    const seen: string[] = [];
    const work = (key: string, name: string, ms: number): Promise<void> =>
      lock.run(key, async () => {
        seen.push(`${name} begins`);
        await sleep(ms);
        seen.push(`${name} ends`);
      });
    await Promise.all([work('a', 'a1', 20), work('a', 'a2', 0), work('b', 'b1', 0)]);
    expect(seen.filter((line) => line.startsWith('a'))).to.deep.equal([
      'a1 begins',
      'a1 ends',
      'a2 begins',
      'a2 ends',
    ]);
    expect(seen.indexOf('b1 ends')).to.be.lessThan(seen.indexOf('a1 ends'));
  });

  it('lets the next one in when work fails', async () => {
    const lock = new KeyedLock();
    const failed = lock.run('a', () => Promise.reject(new Error('no')));
    const next = lock.run('a', () => Promise.resolve('yes'));
    expect(await failed.catch((error: unknown) => String(error))).to.equal('Error: no');
    expect(await next).to.equal('yes');
  });
});

describe('shared gate', () => {
  it('never has anyone inside beside the one that is alone, whatever comes when', async () => {
    const visits = fc.array(
      fc.record({
        alone: fc.boolean(),
        ms: fc.integer({ min: 0, max: 3 }),
        after: fc.integer({ min: 0, max: 5 }),
      }),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(visits, async (plan) => {
        const gate = new SharedGate();
        let together = 0;
        let alone = 0;
        let done = 0;
        await Promise.all(
          plan.map(async (visit) => {
            await sleep(visit.after);
            if (visit.alone) {
              await gate.alone(async () => {
                alone++;
                expect([together, alone]).to.deep.equal([0, 1]);
                await sleep(visit.ms);
                expect([together, alone]).to.deep.equal([0, 1]);
                alone--;
                done++;
              });
            } else {
              await gate.together(async () => {
                together++;
                expect(alone).to.equal(0);
                await sleep(visit.ms);
                together--;
                done++;
              });
            }
          }),
        );
        expect(done).to.equal(plan.length);
      }),
      { numRuns: 50 },
    );
  });
});
