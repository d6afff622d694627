import { expect } from 'chai';
import { unwrap } from '../../api/problem.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import { type DynamicRange, readRouter } from '../config/index.ts';
import { DynamicPeers } from './dynamic.ts';

const ranges = (text: string): readonly DynamicRange[] =>
  unwrap(readRouter(`asNumber: 65001\nrouterId: 192.0.2.1\ndynamicPeers:\n${text}`)).setup.dynamic;

const TWO = `
  - {prefix: 10.0.0.0/8, asNumber: internal, limit: 2, routeReflectorClient: true}
  - {prefix: 10.1.0.0/16, asNumber: external}
`;

describe('dynamic peers', () => {
  let clock: SimulatedClock;
  const idle = new Set<string>();
  let refused: string[];
  let changes: number;
  let peers: DynamicPeers;

  beforeEach(() => {
    clock = new SimulatedClock();
    idle.clear();
    refused = [];
    changes = 0;
    peers = new DynamicPeers({
      clock,
      idle: (name) => idle.has(name),
      changed: () => changes++,
      refused: (address) => refused.push(address),
    });
    peers.setRanges(ranges(TWO), new Set());
  });

  const names = (): string[] => peers.peers.map(({ session }) => session.name);

  it('come in from their range, the longest prefix first, and wait for calls only', () => {
    for (const address of ['10.0.0.1', '10.1.0.1', '192.0.2.1', 'fd00::1']) peers.connected(address);
    expect(names()).to.deep.equal(['10.0.0.1', '10.1.0.1']);
    expect(peers.peers.map(({ session }) => session.peerAsn)).to.deep.equal([65001, undefined]);
    expect(peers.peers.every(({ session }) => session.passive)).to.equal(true);
    expect(peers.peers[0]?.reflectorClient).to.equal(true);
    expect(changes).to.equal(2);
  });

  it('are no more than the limit', () => {
    for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) peers.connected(address);
    expect(names()).to.deep.equal(['10.0.0.1', '10.0.0.2']);
    expect(refused).to.deep.equal(['10.0.0.3']);
  });

  it('are forgotten once they have been gone for a while, and not before', () => {
    peers.connected('10.0.0.1');
    clock.advance(90_000);
    expect(names()).to.deep.equal(['10.0.0.1']);
    idle.add('10.0.0.1');
    clock.advance(30_000);
    expect(names()).to.deep.equal([]);
    expect(changes).to.equal(2);
    expect(clock.pending()).to.deep.equal([]);
  });

  it('follow their range, and go with it or when they get an entry of their own', () => {
    for (const address of ['10.0.0.1', '10.1.0.1']) peers.connected(address);
    peers.setRanges(ranges('  - {prefix: 10.0.0.0/8, asNumber: 65009}\n'), new Set(['10.1.0.1']));
    expect(names()).to.deep.equal(['10.0.0.1']);
    expect(peers.peers[0]?.session.peerAsn).to.equal(65009);
    peers.setRanges([], new Set());
    expect(names()).to.deep.equal([]);
  });
});
