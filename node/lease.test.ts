/** One leader, by what each process sees of the lease, whatever its clock says. */
import { expect } from 'chai';
import fc from 'fast-check';
import { SimulatedClock } from '../clock/simulated.ts';
import type { Commit, Operation } from '../datastore/index.ts';
import { SimulatedStore } from '../datastore/simulated.ts';
import { Lease, type LeaseValue } from './lease.ts';

const DURATION = 30_000;
const KEY = { kind: 'Lease', scope: '', name: 'ipam-gc' };

/** A store that may be out of reach. */
class Reachable extends SimulatedStore {
  down = false;

  override async commit(operations: readonly Operation[]): Promise<Commit> {
    if (this.down) throw new Error('out of reach');
    return super.commit(operations);
  }
}

/** A process with a clock of its own: another origin, another wall time, and perhaps slower or faster. */
class SkewedClock extends SimulatedClock {
  readonly #wallOffset: number;

  constructor(wallOffset: number, origin: number) {
    super();
    this.#wallOffset = wallOffset;
    this.advance(origin);
  }

  override wall(): Date {
    return new Date(super.wall().getTime() + this.#wallOffset);
  }
}

const store = (): Reachable => new Reachable({ transactional: false });
const lease = (on: SimulatedStore, clock: SimulatedClock, identity: string): Lease =>
  new Lease(on, clock, { name: 'ipam-gc', identity, duration: DURATION });
const spec = async (on: SimulatedStore): Promise<LeaseValue['spec'] | undefined> =>
  ((await on.get(KEY))?.value as LeaseValue | undefined)?.spec;

describe('the lease', () => {
  it('goes to the first, who keeps it by renewing', async () => {
    const [on, clock] = [store(), new SimulatedClock()];
    const [a, b] = [lease(on, clock, 'a'), lease(on, clock, 'b')];
    expect(await a.renew()).to.equal(true);
    for (let i = 0; i < 10; i++) {
      clock.advance(DURATION / 3);
      expect(await b.renew()).to.equal(false);
      expect(await a.renew()).to.equal(true);
    }
    expect(b.holder).to.equal('a');
    expect(await spec(on)).to.include({ holderIdentity: 'a', leaseTransitions: 0, leaseDurationSeconds: 30 });
  });

  it('passes on when it was seen unchanged for its duration, however wrong the clocks are', async () => {
    const on = store();
    const [mine, theirs] = [new SkewedClock(-1e9, 5), new SkewedClock(1e9, 777_777)];
    const [a, b] = [lease(on, mine, 'a'), lease(on, theirs, 'b')];
    await a.renew();
    expect(await b.renew(), 'renewed eleven days ago, says its wall clock').to.equal(false);
    theirs.advance(DURATION - 1);
    expect(await b.renew()).to.equal(false);
    theirs.advance(1);
    expect(await b.renew()).to.equal(true);
    expect(await spec(on)).to.include({ holderIdentity: 'b', leaseTransitions: 1 });
    expect(await a.renew(), 'the old holder sees it').to.equal(false);
    expect(a.held).to.equal(false);
  });

  it('is not relied on by a holder that cannot renew it, before anybody else may have it', async () => {
    const [on, clock] = [store(), new SimulatedClock()];
    const [a, b] = [lease(on, clock, 'a'), lease(on, clock, 'b')];
    await a.renew();
    await b.renew();
    on.down = true;
    clock.advance(DURATION * 0.66);
    expect(a.held).to.equal(true);
    clock.advance(DURATION * 0.02);
    expect(a.held).to.equal(false);
    await a.renew().then(
      () => expect.fail('it cannot'),
      () => undefined,
    );
    on.down = false;
    expect(await b.renew()).to.equal(false);
    clock.advance(DURATION * 0.32);
    expect(await b.renew()).to.equal(true);
  });

  it('given back is free at once', async () => {
    const [on, clock] = [store(), new SimulatedClock()];
    const [a, b] = [lease(on, clock, 'a'), lease(on, clock, 'b')];
    await a.renew();
    await b.release();
    expect(await b.renew(), 'b had nothing to give back').to.equal(false);
    await a.release();
    expect(a.held).to.equal(false);
    expect(await b.renew()).to.equal(true);
    expect(await spec(on)).to.include({ leaseTransitions: 1 });
  });

  it('has never two holders at a time, whoever stalls', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ who: fc.nat(2), wait: fc.nat(DURATION), release: fc.boolean() }), {
          maxLength: 40,
        }),
        async (steps) => {
          const [on, clock] = [store(), new SimulatedClock()];
          const all = ['a', 'b', 'c'].map((identity) => lease(on, clock, identity));
          for (const { who, wait, release } of steps) {
            clock.advance(wait);
            if (release && wait % 4 === 0) await all[who]!.release();
            else await all[who]!.renew();
            expect(all.filter(({ held }) => held).length).to.be.lessThanOrEqual(1);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('goes to one of many who try in the same moment', async () => {
    const [on, clock] = [store(), new SimulatedClock()];
    const all = Array.from({ length: 20 }, (_, i) => lease(on, clock, `n${i}`));
    const won = await Promise.all(all.map(async (one) => one.renew()));
    expect(won.filter(Boolean)).to.have.length(1);
  });
});
