import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { SharedGate } from './shared-gate.ts';

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
