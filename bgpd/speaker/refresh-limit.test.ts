import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { RefreshLimit } from './refresh-limit.ts';

describe('RefreshLimit', () => {
  let clock: SimulatedClock;
  let answered: string[];
  let limit: RefreshLimit;

  beforeEach(() => {
    clock = new SimulatedClock();
    answered = [];
    limit = new RefreshLimit(clock, (family) => void answered.push(`${family} at ${clock.now()}`));
  });

  it('answers the first at once, family by family', () => {
    limit.ask('ipv4-unicast');
    limit.ask('ipv6-unicast');
    expect(answered).to.deep.equal(['ipv4-unicast at 0', 'ipv6-unicast at 0']);
  });

  it('answers all that come within a second once, when it is over', () => {
    for (let i = 0; i < 1_000; i++) {
      limit.ask('ipv4-unicast');
      clock.advance(1);
    }
    clock.advance(10_000);
    expect(answered).to.deep.equal(['ipv4-unicast at 0', 'ipv4-unicast at 1000']);
  });

  it('answers none for a session that is over, and the first of the next at once', () => {
    limit.ask('ipv4-unicast');
    limit.ask('ipv4-unicast');
    limit.forget();
    clock.advance(5_000);
    expect(answered).to.have.lengthOf(1);
    expect(clock.pending()).to.deep.equal([]);
    limit.ask('ipv4-unicast');
    limit.forget();
    limit.ask('ipv4-unicast');
    expect(answered).to.have.lengthOf(3);
  });
});
