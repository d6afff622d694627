import { expect } from 'chai';
import type { Clock } from '../../clock/clock.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import { DialTurns } from './dial-turns.ts';

/** Each call takes a millisecond. */
class Switchboard {
  readonly called: number[] = [];
  readonly turns: DialTurns;
  #now = 0;
  #due: (() => void)[] = [];

  constructor() {
    const clock: Clock = {
      now: () => this.#now,
      wall: () => new SimulatedClock().wall(),
      after: (_delay, _name, fire) => {
        this.#due.push(fire);
        return () => undefined;
      },
    };
    this.turns = new DialTurns(clock);
  }

  dial(name: number): void {
    this.turns.dial(() => {
      this.called.push(name);
      this.#now++;
    });
  }

  /** One turn of the event loop. @returns how many calls were made in it */
  turn(): number {
    const before = this.called.length;
    const due = this.#due;
    this.#due = [];
    for (const fire of due) fire();
    return this.called.length - before;
  }
}

describe('DialTurns', () => {
  it('calls at once where there are few', () => {
    const board = new Switchboard();
    board.dial(1);
    board.dial(2);
    expect(board.called).to.deep.equal([1, 2]);
  });

  it('spreads many over turns, in order', () => {
    const board = new Switchboard();
    for (let i = 0; i < 12; i++) board.dial(i);
    expect(board.called).to.deep.equal([0, 1, 2, 3, 4]);
    expect([board.turn(), board.turn(), board.turn()]).to.deep.equal([5, 2, 0]);
    expect(board.called).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    board.dial(99);
    expect(board.called.at(-1)).to.equal(99);
  });
});
