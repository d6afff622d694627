import { expect } from 'chai';
import fc from 'fast-check';
import { SimulatedStore } from '../datastore/simulated.ts';
import { temporaryStore } from '../datastore/testing.ts';
import { Prefix } from '../net/addr/index.ts';
import { allocate, allocationAt, type IPAMBlock, isEmpty, newBlock, release, rested } from './block.ts';
import { hasRested, restingSince } from './cooldown.ts';
import { cooldownContract } from './cooldown-contract.ts';
import { faultsOf } from './interleaving.ts';

const NOW = new Date('2026-08-01T10:00:00Z');
const at = (seconds: number): { seconds: number; now: Date } => ({
  seconds: 60,
  now: new Date(NOW.getTime() + seconds * 1000),
});
const web = { handle: 'k8s-pod-network.web', attributes: { node: 'worker-1', pod: 'web' } };

cooldownContract('simulated, transactional', async () => new SimulatedStore({ transactional: true }));
cooldownContract('simulated, one key at a time', async () => new SimulatedStore({ transactional: false }));
cooldownContract('embedded', temporaryStore);

function example(): IPAMBlock {
  return allocate(newBlock(Prefix.parse('10.0.0.0/30')!, 'host:worker-1', NOW), 3, web)!.block;
}

describe('a block with addresses that rest', () => {
  it('has the form that Calico gives it', () => {
    const { sequenceNumber } = example();
    const resting = release(example(), [0, 2], at(5));
    expect(resting).to.deep.include({
      allocations: [1, 0, 1, null],
      unallocated: [3],
      attributes: [
        { handle_id: web.handle, secondary: web.attributes },
        { releasedAt: '2026-08-01T10:00:05Z' },
      ],
      sequenceNumber: BigInt(sequenceNumber) + 1n,
    });
    expect(resting.sequenceNumberForAllocation).to.deep.equal({
      0: sequenceNumber,
      1: BigInt(sequenceNumber) - 1n,
      2: sequenceNumber,
    });
    expect(allocationAt(resting, 0)).to.deep.include({
      handle: undefined,
      isCooling: true,
      releasedAt: '2026-08-01T10:00:05Z',
    });
    expect(isEmpty(release(resting, [1], at(5)))).to.equal(false);
  });

  it('frees them in the order of release, and only what has rested', () => {
    const resting = release(release(example(), [2], at(0)), [0], at(1));
    expect(rested(resting, at(59))).to.equal(resting);
    expect(rested(resting, at(60)).unallocated).to.deep.equal([3, 2]);
    expect(rested(resting, at(61))).to.deep.include({
      allocations: [null, 0, null, null],
      unallocated: [3, 2, 0],
      sequenceNumber: resting.sequenceNumber,
    });
  });

  it('lets a release begin no rest anew, and a release without rest free nothing that rests', () => {
    const resting = release(example(), [0], at(0));
    expect(release(resting, [0], at(30)).attributes).to.deep.equal(resting.attributes);
    expect(release(resting, [0]).unallocated).to.deep.equal([3]);
  });

  it('no rest is shorter than asked for, though times are stored in whole seconds', () => {
    const since = restingSince(at(0.001));
    expect(since).to.deep.equal({ releasedAt: '2026-08-01T10:00:01Z' });
    expect(hasRested(since, at(60.001))).to.equal(false);
    expect(hasRested(since, at(61))).to.equal(true);
    expect(hasRested({ releasedAt: 'yesterday' }, at(0)), 'nobody would ever get it').to.equal(true);
    expect(hasRested({ releasedAt: '2026-08-01T12:00:00+02:00' }, at(60)), 'any offset').to.equal(true);
    expect(hasRested({ handle_id: 'h' }, at(1e6))).to.equal(false);
  });

  it('is sound after any giving, taking and resting, and nobody gets an address before its time', () => {
    const step = fc.record({
      after: fc.nat(40),
      count: fc.nat(2),
      freed: fc.array(fc.nat(7), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.constantFrom(0, 60), (steps, seconds) => {
        let block = newBlock(Prefix.parse('10.0.0.0/29')!, 'host:worker-1', NOW);
        let time = 0;
        const released = new Map<number, number>();
        for (const { after, count, freed } of steps) {
          time += after;
          const cooldown = { ...at(time), seconds };
          block = rested(block, cooldown);
          const given = allocate(block, count, web);
          for (const ordinal of given?.ordinals ?? [])
            expect(time - (released.get(ordinal) ?? -1e6)).to.be.at.least(seconds);
          block = given?.block ?? block;
          for (const ordinal of freed)
            if (allocationAt(block, ordinal)?.isCooling === false) released.set(ordinal, time);
          block = release(block, freed, cooldown);
          expect(faultsOf(block)).to.deep.equal([]);
        }
        const end = rested(release(block, [0, 1, 2, 3, 4, 5, 6, 7], at(time)), at(time + 60));
        expect(faultsOf(end)).to.deep.equal([]);
        expect(isEmpty(end)).to.equal(true);
      }),
    );
  });
});
