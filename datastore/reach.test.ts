import { expect } from 'chai';
import { PoplinError } from '../api/problem.ts';
import { SimulatedClock } from '../clock/simulated.ts';
import { rejection } from './contract-tools.ts';
import { reachStore } from './reach.ts';
import { SimulatedStore } from './simulated.ts';

describe('reaching a store', () => {
  it('waits for one that is away, and says so at first and then rarely', async () => {
    const clock = new SimulatedClock();
    const store = new SimulatedStore();
    const told: number[] = [];
    let attempts = 0;
    let isThere = false;
    const open = async () => {
      attempts++;
      if (!isThere) throw problem('STORE_UNAVAILABLE');
      return store;
    };
    const reached = reachStore(open, { clock, onWait: (_error, waited) => told.push(waited) });
    for (let second = 0; second < 150; second++) {
      await new Promise(setImmediate);
      clock.advance(1000);
    }
    expect(told[0]).to.equal(0);
    expect(told).to.have.length(3);
    expect(attempts).to.be.within(25, 80);
    isThere = true;
    await new Promise(setImmediate);
    clock.advance(5000);
    expect(await reached).to.equal(store);
  });

  it('does not wait for what nobody mends', async () => {
    const clock = new SimulatedClock();
    const open = failing('STORE_LOCATION');
    const error = await rejection(reachStore(open, { clock, onWait: () => expect.fail('waits') }));
    expect(String(error)).to.match(/no/);
  });

  it('ends with its signal', async () => {
    const stop = new AbortController();
    const open = failing('STORE_UNAVAILABLE');
    const options = {
      clock: new SimulatedClock(),
      onWait: () => stop.abort(new Error('enough')),
      signal: stop.signal,
    };
    expect(String(await rejection(reachStore(open, options)))).to.match(/enough/);
  });
});

function problem(code: string): PoplinError {
  return new PoplinError([{ code, what: 'no', remedy: 'yes' }]);
}

function failing(code: string): () => Promise<never> {
  return async () => {
    throw problem(code);
  };
}
