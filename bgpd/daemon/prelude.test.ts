import { expect } from 'chai';
import { Prelude } from './prelude.ts';

function prelude(rehearsal: Promise<unknown>): { one: Prelude; told: string[] } {
  const told: string[] = [];
  const rehearse = (): Promise<unknown> => {
    told.push('rehearsal');
    return rehearsal;
  };
  return { one: new Prelude(rehearse, () => told.push('begin')), told };
}

describe('the prelude of a node', () => {
  it('is nothing where the node reflects nothing, then and later', () => {
    const { one, told } = prelude(Promise.resolve());
    expect(one.isOver(false)).to.equal(true);
    // Sessions stand by now: they are not to wait.
    expect(one.isOver(true)).to.equal(true);
    expect(told).to.deep.equal([]);
  });

  it('is one rehearsal where it reflects, and the node begins when that is over', async () => {
    let end: (() => void) | undefined;
    const { one, told } = prelude(new Promise<void>((resolve) => (end = resolve)));
    expect(one.isOver(true)).to.equal(false);
    expect(one.isOver(true), 'the configuration changed meanwhile').to.equal(false);
    expect(one.isOver(false), 'it reflects no more').to.equal(false);
    expect(told).to.deep.equal(['rehearsal']);
    end?.();
    await new Promise(setImmediate);
    expect(told).to.deep.equal(['rehearsal', 'begin']);
    expect(one.isOver(true)).to.equal(true);
  });
});
