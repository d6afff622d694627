import { expect } from 'chai';
import { byWay, type Told, type Way } from './ways.ts';

const [up, down, other] = ['up', 'down', 'other interfaces'].map((name) => ({
  name,
  endpoints: [undefined, undefined] as const,
}));
const closes = (...traffic: readonly string[]): readonly Told[] => [{ change: 'closes', traffic }];

describe('the ways of flows', () => {
  const rows: readonly (readonly [
    what: string,
    found: readonly (readonly [way: Way, changes: readonly Told[]])[],
    want: readonly (readonly [traffic: string, by: string | undefined])[],
  ])[] = [
    ['one', [[{}, closes('TCP')]], [['TCP', undefined]]],
    [
      'all alike',
      [
        [{ into: up }, closes('TCP')],
        [{ into: other }, closes('TCP')],
        [{ isNear: true }, closes('TCP')],
      ],
      [['TCP', undefined]],
    ],
    [
      'alike by all that they leave by',
      [
        [{ out: down, into: up }, closes('TCP')],
        [{ out: other, into: up }, closes('TCP')],
        [{ out: down, into: other }, []],
        [{ out: other, into: other }, []],
      ],
      [['TCP', 'in by up']],
    ],
    [
      'alike by all that they come by',
      [
        [{ out: down, into: up }, closes('TCP')],
        [{ out: down, into: other }, closes('TCP')],
        [{ out: other, into: up }, []],
        [{ out: other, into: other }, []],
      ],
      [['TCP', 'out by down']],
    ],
    [
      'each for itself',
      [
        [{ out: down, into: up }, closes('TCP')],
        [{ out: down, into: other }, []],
        [{ out: other, into: up }, closes('UDP')],
        [{ out: other, into: other }, closes('TCP')],
      ],
      [
        ['TCP', 'out by down, in by up'],
        ['UDP', 'out by other interfaces, in by up'],
        ['TCP', 'out by other interfaces, in by other interfaces'],
      ],
    ],
    [
      'another on one node than between nodes',
      [
        [{ isNear: true }, closes('TCP')],
        [{}, []],
      ],
      [['TCP', 'on one node']],
    ],
  ];
  for (const [what, found, want] of rows)
    it(`are named as far as they differ: ${what}`, () => {
      const told = byWay(found.map(([way, changes]) => ({ way, changes })));
      expect(told.map(({ traffic, by }) => [traffic.join(), by])).to.deep.equal(want);
    });
});
