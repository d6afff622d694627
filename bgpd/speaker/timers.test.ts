import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { LogLimit } from './log-limit.ts';
import { Timers } from './timers.ts';

type Name = 'hold' | 'keepalive';

function timers(): { clock: SimulatedClock; timers: Timers<Name>; fired: string[] } {
  const clock = new SimulatedClock();
  const fired: string[] = [];
  return {
    clock,
    fired,
    timers: new Timers<Name>(clock, 'bgp tor-a', (name) => fired.push(`${name} ${clock.now()}`)),
  };
}

describe('Timers', () => {
  it('fire once, at their time', () => {
    const { clock, timers: some, fired } = timers();
    some.arm('hold', 90);
    clock.advance(1000);
    expect(fired).to.deep.equal(['hold 90']);
  });

  it('set again later, cost no timer of the clock, and fire at the later time', () => {
    const { clock, timers: some, fired } = timers();
    for (let i = 0; i < 50; i++) {
      some.arm('hold', 90);
      expect(clock.pending()).to.have.length(1);
      clock.advance(10);
    }
    expect(fired).to.deep.equal([]);
    clock.advance(1000);
    expect(fired).to.deep.equal([`hold ${49 * 10 + 90}`]);
  });

  it('set again sooner, fire sooner, and only then', () => {
    const { clock, timers: some, fired } = timers();
    some.arm('hold', 240);
    some.arm('hold', 9);
    clock.advance(1000);
    expect(fired).to.deep.equal(['hold 9']);
  });

  it('are independent of one another, and are gone when disarmed', () => {
    const { clock, timers: some, fired } = timers();
    some.arm('hold', 90);
    some.arm('keepalive', 30);
    expect(some.pending()).to.deep.equal([
      { name: 'hold', inMs: 90 },
      { name: 'keepalive', inMs: 30 },
    ]);
    some.disarm('hold');
    clock.advance(1000);
    expect(fired).to.deep.equal(['keepalive 30']);
    some.arm('hold', 1);
    some.arm('keepalive', 1);
    some.disarmAll();
    clock.advance(1000);
    expect(fired).to.have.length(1);
    expect(clock.pending()).to.deep.equal([]);
  });
});

describe('LogLimit', () => {
  it('passes a few lines in each period, and says how many it kept back', () => {
    const clock = new SimulatedClock();
    const limit = new LogLimit(clock, 2, 1000);
    expect(['a', 'b', 'c', 'd'].map((text) => limit.pass(text))).to.deep.equal([
      'a',
      'b',
      undefined,
      undefined,
    ]);
    clock.advance(1000);
    expect(limit.pass('e')).to.equal('e (2 lines before it were not logged)');
    clock.advance(1000);
    expect(limit.pass('f')).to.equal('f');
  });
});
