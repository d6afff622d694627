/** Calls that meet before they write, on a clock that the test moves. */
import { expect } from 'chai';
import fc from 'fast-check';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Burst, type Guest } from './burst.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('cni: calls that come together', () => {
  let clock: SimulatedClock;
  let burst: Burst;
  let written: string[];

  beforeEach(() => {
    clock = new SimulatedClock();
    burst = new Burst(clock);
    written = [];
  });

  const write = (guest: Guest, what: 'addresses' | 'endpoint', name: string): void =>
    void guest.before(what).then(() => written.push(name));

  it('lets one alone pass at once', async () => {
    const guest = burst.join();
    write(guest, 'addresses', 'a');
    await settle();
    expect(written).to.deep.equal(['a']);
    write(guest, 'endpoint', 'b');
    await settle();
    expect(written).to.deep.equal(['a', 'b']);
  });

  it('has the first wait for the last', async () => {
    const [a, b, c] = [burst.join(), burst.join(), burst.join()];
    write(a, 'addresses', 'a');
    write(b, 'addresses', 'b');
    await settle();
    expect(written).to.deep.equal([]);
    write(c, 'addresses', 'c');
    await settle();
    expect(written).to.deep.equal(['a', 'b', 'c']);
  });

  it('waits no longer than a moment, and not for those that failed on their way', async () => {
    const [a, , c] = [burst.join(), burst.join(), burst.join()];
    write(a, 'addresses', 'a');
    clock.advance(2);
    await settle();
    expect(written).to.deep.equal([]);
    clock.advance(1);
    await settle();
    expect(written).to.deep.equal(['a']);

    const alone = new Burst(clock);
    const [first, failing] = [alone.join(), alone.join()];
    write(first, 'endpoint', 'first');
    failing.end();
    failing.end();
    await settle();
    expect(written).to.deep.equal(['a', 'first']);
    c.end();
  });

  it('never leaves anybody waiting, whoever comes, writes and ends in whatever order', async () => {
    const steps = fc.array(fc.tuple(fc.nat(9), fc.constantFrom('addresses', 'endpoint', 'end')));
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const ownClock = new SimulatedClock();
        const own = new Burst(ownClock);
        const guests = Array.from({ length: 10 }, () => own.join());
        let [asked, passed] = [0, 0];
        for (const [index, step] of all) {
          const guest = guests[index];
          if (step === 'end') guest?.end();
          else if (guest !== undefined) {
            asked++;
            void guest.before(step as 'addresses').then(() => passed++);
          }
        }
        ownClock.advance(3);
        await settle();
        expect(passed).to.equal(asked);
      }),
      { numRuns: 200 },
    );
  });
});
