import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import type { UpdateMessage } from '../wire/types.ts';
import { address, configOf, peerOf, World } from './testing/world.ts';

const MANY = 800;

const update: UpdateMessage = {
  type: 'update',
  unreach: [],
  reach: [
    {
      family: 'ipv4-unicast',
      nextHop: { address: address('10.0.0.1') },
      nlri: Array.from({ length: MANY }, (_, i) => ({
        prefix: Prefix.of(Address.v4(0x1400_0000 + i * 256), 24),
      })),
    },
  ],
  attributes: { origin: 'IGP', asPath: [{ type: 'sequence', asns: [65001] }] },
};

/** @returns how many routes a forwarding table is told of at once, and in the end */
function told(hungry: boolean | undefined): readonly number[] {
  const world = new World();
  const [left, right] = [world.router('left', 65001, '10.0.0.1'), world.router('right', 65002, '10.0.0.2')];
  left.speaker.configure(configOf(left, [peerOf(left, right)]));
  right.speaker.configure(configOf(right, [peerOf(right, left)]));
  world.connect(left, right);
  if (hungry !== undefined) Object.assign(right.table, { isHungry: () => hungry });
  right.speaker.update(right.sessions.get('left'), update);
  const atOnce = right.table.entries.size;
  world.settle();
  return [atOnce, right.table.entries.size];
}

describe('speaker with a forwarding table', () => {
  it('feeds a hungry one in the turn that reads, and another in the next', () => {
    expect(told(true)).to.deep.equal([MANY, MANY]);
    expect(told(false)).to.deep.equal([0, MANY]);
    expect(told(undefined)).to.deep.equal([0, MANY]);
  });
});
