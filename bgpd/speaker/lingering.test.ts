import { EventEmitter } from 'node:events';
import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Lingering } from './lingering.ts';

class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;
  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

describe('Lingering', () => {
  it('gives a peer three seconds to read our last words', () => {
    const clock = new SimulatedClock();
    const socket = new FakeSocket('192.0.2.1');
    new Lingering(clock).add(socket);
    clock.advance(2_999);
    expect(socket.destroyed).to.equal(false);
    clock.advance(1);
    expect(socket.destroyed).to.equal(true);
  });

  it('keeps the latest four of an address, and does not count those of others', () => {
    const clock = new SimulatedClock();
    const lingering = new Lingering(clock);
    const other = new FakeSocket('192.0.2.2');
    lingering.add(other);
    const sockets = Array.from({ length: 1_000 }, () => new FakeSocket('192.0.2.1'));
    for (const socket of sockets) lingering.add(socket);
    expect(sockets.filter(({ destroyed }) => !destroyed)).to.deep.equal(sockets.slice(-4));
    expect(other.destroyed).to.equal(false);
  });

  it('leaves no timer behind for those that went by themselves', () => {
    const clock = new SimulatedClock();
    const lingering = new Lingering(clock);
    for (let i = 0; i < 10; i++) {
      const socket = new FakeSocket('192.0.2.1');
      lingering.add(socket);
      socket.emit('close');
    }
    expect(clock.pending()).to.deep.equal([]);
  });
});
