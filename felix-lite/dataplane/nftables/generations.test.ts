import { expect } from 'chai';
import { Generations } from './generations.ts';

describe('the count of transactions of nf_tables', () => {
  it('misses nothing of what comes in a row, in whatever order it is told', () => {
    expect(counted(7).takeMissed()).to.equal(false);
    expect(counted(7, 8, 9).takeMissed(9)).to.equal(false);
    expect(counted(7, 9, 8).takeMissed(9)).to.equal(false);
    expect(counted(7, 8, 8, 9).takeMissed(8)).to.equal(false);
  });

  it('tells once of one that nobody made or was told of', () => {
    const generations = counted(7, 9);
    expect(generations.takeMissed()).to.equal(true);
    expect(generations.takeMissed(9)).to.equal(false);
    generations.add(10);
    expect(generations.takeMissed(10)).to.equal(false);
  });

  it('tells of the last one, which only the kernel knows of', () => {
    const generations = counted(7, 8);
    expect(generations.takeMissed(9)).to.equal(true);
    expect(generations.takeMissed(9)).to.equal(false);
  });

  it('goes on behind the end of 32 bits, which is followed by 1', () => {
    const generations = counted(0xffff_fffe, 0xffff_ffff, 1, 2);
    expect(generations.takeMissed(2)).to.equal(false);
    expect(generations.takeMissed(4)).to.equal(true);
    expect(generations.takeMissed(0xffff_ffff)).to.equal(false);
  });
});

function counted(last: number, ...added: readonly number[]): Generations {
  const generations = new Generations(last);
  for (const each of added) generations.add(each);
  return generations;
}
