import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Pacer } from './pacer.ts';

const LITTLE = 100;
const MUCH = 100_000;

/** A round that takes so long and says so much to each of two peers. */
function round(took: number, octets: number): { readonly clock: SimulatedClock; readonly pacer: Pacer } {
  const clock = new SimulatedClock();
  const pacer = new Pacer(clock);
  pacer.begin();
  pacer.note(octets);
  pacer.note(octets);
  clock.advance(took);
  pacer.end();
  return { clock, pacer };
}

describe('Pacer', () => {
  it('does not wait after a round that cost nothing, or was worth its cost', () => {
    expect(round(0.5, LITTLE).pacer.isTime()).to.equal(true);
    expect(round(20, MUCH).pacer.isTime()).to.equal(true);
  });

  it('waits twice as long as a dear round that said little took, but never long, and wakes once', () => {
    for (const [took, pause] of [
      [10, 20],
      [200, 50],
    ] as const) {
      const { clock, pacer } = round(took, LITTLE);
      let woken = 0;
      pacer.later(() => woken++);
      pacer.later(() => woken++);
      clock.advance(pause - 1);
      expect([pacer.isTime(), woken]).to.deep.equal([false, 0]);
      clock.advance(1);
      expect([pacer.isTime(), woken]).to.deep.equal([true, 1]);
    }
  });
});
