import { expect } from 'chai';
import { SimulatedClock } from './simulated.ts';

describe('simulated clock', () => {
  it('fires what falls due, in order, with timers set on the way, at their own time', () => {
    const clock = new SimulatedClock();
    const log: string[] = [];
    const note = (name: string) => () => void log.push(`${name}@${clock.now()}`);
    clock.after(30, 'late', note('late'));
    clock.after(10, 'first', () => {
      note('first')();
      clock.after(5, 'nested', note('nested'));
    });
    clock.after(10, 'second', note('second'));
    const cancel = clock.after(20, 'never', note('never'));
    cancel();
    clock.advance(20);
    expect(log).to.deep.equal(['first@10', 'second@10', 'nested@15']);
    expect(clock.pending()).to.deep.equal([{ name: 'late', inMs: 10 }]);
    expect(clock.step()).to.equal(true);
    expect(log.at(-1)).to.equal('late@30');
    expect(clock.step()).to.equal(false);
  });
});
