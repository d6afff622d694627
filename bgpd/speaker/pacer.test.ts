import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Pacer } from './pacer.ts';

const LITTLE = 100;
const MUCH = 100_000;

interface Paced {
  readonly clock: SimulatedClock;
  readonly pacer: Pacer;
}

/** A round that takes so long in each of its turns, and says so much to each peer. */
function round(turns: readonly number[], octets: number, peers = 50): Paced {
  const clock = new SimulatedClock();
  const pacer = new Pacer(clock);
  for (let i = 0; i < peers; i++) pacer.note(octets);
  for (const [i, took] of turns.entries()) {
    pacer.start();
    clock.advance(took);
    pacer.pass(i === turns.length - 1);
  }
  return { clock, pacer };
}

describe('Pacer', () => {
  it('does not wait after a round that cost nothing, or was worth its cost, or reached few', () => {
    expect(round([0.5], LITTLE).pacer.isTime()).to.equal(true);
    expect(round([20], MUCH).pacer.isTime()).to.equal(true);
    expect(round([20], LITTLE, 3).pacer.isTime()).to.equal(true);
  });

  it('waits twice as long as a dear round that said little took, but never long, and wakes once', () => {
    for (const [took, pause] of [
      [[10], 20],
      [[5, 5, 1], 22],
      [[200], 50],
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

  it('lets news for many peers gather until no more come, but not long; those for few go out at once', () => {
    const clock = new SimulatedClock();
    const pacer = new Pacer(clock);
    pacer.heard(3);
    expect(pacer.isTime()).to.equal(true);
    const since = clock.now();
    const arrive = (): void => pacer.heard(50);
    for (arrive(); !pacer.isTime(); arrive()) clock.advance(0.5);
    expect(clock.now() - since).to.equal(50);
    const later = round([0], LITTLE);
    later.pacer.heard(50);
    later.clock.advance(1);
    expect(later.pacer.isTime()).to.equal(true);
  });
});
