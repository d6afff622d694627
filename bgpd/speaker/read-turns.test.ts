import { expect } from 'chai';
import { ReadTurns, type Source } from './read-turns.ts';

describe('ReadTurns', () => {
  let now: number;
  let turns: (() => void)[];
  let reads: ReadTurns;
  let order: string[];

  beforeEach(() => {
    now = 0;
    turns = [];
    order = [];
    reads = new ReadTurns({ now: () => now }, (fire) => void turns.push(fire));
  });

  /** Takes three milliseconds over each chunk. */
  function source(name: string): Source & { paused: boolean } {
    const one = {
      paused: false,
      receive: (chunk: Uint8Array) => {
        now += 3;
        order.push(`${name}${chunk[0]}`);
      },
      lull: () => void order.push(`${name} lull`),
      pause: () => void (one.paused = true),
      resume: () => void (one.paused = false),
    };
    return one;
  }

  /** Without lulls. */
  function told(): readonly string[] {
    return order.filter((line) => !line.endsWith('lull'));
  }

  function turn(): void {
    for (const fire of turns.splice(0)) fire();
  }

  it('reads at once while there is time, and says that this was all', () => {
    const a = source('a');
    reads.take(a, Uint8Array.of(1));
    reads.take(a, Uint8Array.of(2));
    expect(order).to.deep.equal(['a1', 'a lull', 'a2', 'a lull']);
    expect(a.paused).to.equal(false);
  });

  it('says nothing of a flood, nor of what had to wait', () => {
    const a = source('a');
    reads.take(a, new Uint8Array(4096));
    reads.take(a, new Uint8Array(4096));
    reads.take(a, Uint8Array.of(1));
    turn();
    expect(order).to.deep.equal(['a0', 'a0', 'a1']);
  });

  it('does not begin turns for what takes next to no time, but adds it up', () => {
    const quick = { ...source('a'), receive: () => void (now += 0.4) };
    for (let i = 0; i < 2; i++) reads.take(quick, Uint8Array.of(i));
    expect(turns).to.have.lengthOf(0);
    reads.take(quick, Uint8Array.of(2));
    expect(turns).to.have.lengthOf(1);
  });

  it('lets wait what comes after, in order, and serves those who wait in turn', () => {
    const [a, b] = [source('a'), source('b')];
    for (let i = 1; i <= 4; i++) reads.take(a, Uint8Array.of(i));
    for (let i = 1; i <= 2; i++) reads.take(b, Uint8Array.of(i));
    expect(told()).to.deep.equal(['a1', 'a2']);
    expect([a.paused, b.paused]).to.deep.equal([true, true]);
    turn();
    expect(told().slice(2)).to.deep.equal(['a3', 'b1']);
    turn();
    expect(told().slice(4)).to.deep.equal(['a4', 'b2']);
    expect([a.paused, b.paused]).to.deep.equal([false, false]);
    turn();
    expect(turns, 'nothing scheduled once nothing waits').to.have.lengthOf(0);
  });

  it('cuts a long chunk into pieces, and keeps their order', () => {
    const octets: number[] = [];
    const a = { ...source('a'), receive: (piece: Uint8Array) => void ((now += 3), octets.push(...piece)) };
    const chunk = Uint8Array.from({ length: 16_384 }, (_, i) => i % 251);
    reads.take(a, chunk);
    expect(octets.length).to.equal(8192);
    reads.take(a, Uint8Array.of(99));
    turn();
    expect(octets.length).to.equal(16_384);
    turn();
    expect(octets).to.deep.equal([...chunk, 99]);
  });

  it('gives the time anew in each turn', () => {
    const a = source('a');
    for (let i = 1; i <= 2; i++) reads.take(a, Uint8Array.of(i));
    turn();
    reads.take(a, Uint8Array.of(3));
    expect(told()).to.deep.equal(['a1', 'a2', 'a3']);
  });

  it('forgets a source that is gone, even while it is being read', () => {
    const a = source('a');
    const leaving: Source = {
      ...source('b'),
      receive: () => {
        order.push('b');
        reads.forget(leaving);
      },
      resume: () => void order.push('b resumed'),
    };
    for (let i = 1; i <= 2; i++) reads.take(a, Uint8Array.of(i));
    reads.take(leaving, Uint8Array.of(1));
    reads.take(leaving, Uint8Array.of(2));
    turn();
    turn();
    expect(told()).to.deep.equal(['a1', 'a2', 'b']);
    expect(reads.waits(leaving)).to.equal(false);
  });
});
