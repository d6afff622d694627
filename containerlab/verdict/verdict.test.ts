import { expect } from 'chai';
import { parseTopology } from '../topology/load.ts';
import { unwrap } from '../../api/problem.ts';
import { drawMatrix, drawWrong } from './draw.ts';
import { type Cell, wrongCells } from './matrix.ts';
import { checkRoutes, nextNodeTowards } from './routes.ts';
import { pairSessions } from './sessions.ts';

const topology = unwrap(
  parseTopology(
    `
name: t
topology:
  defaults: { kind: linux }
  nodes: { spine: , tor-a: , tor-b: , a1: , b1: , island: }
  links:
    - endpoints: ["spine:e1", "tor-a:e1"]
    - endpoints: ["tor-b:e1", "spine:e2"]
    - endpoints: ["tor-a:e2", "a1:e1"]
    - endpoints: ["tor-b:e2", "b1:e1"]
`,
    '/t.clab.yml',
  ),
);

const up = (peer: string) => ({ peer, established: true, state: 'Established' });

describe('sessions, paired', () => {
  const addresses = new Map([
    ['a', new Set(['10.0.0.1', 'fd00::1'])],
    ['b', new Set(['10.0.0.2', 'fd00::2'])],
  ]);
  it('are Established only when both sides say so, each family by itself', () => {
    const pairs = pairSessions(
      new Map([
        ['a', [up('10.0.0.2'), up('fd00::2')]],
        ['b', [up('10.0.0.1'), { peer: 'fd00::1', established: false, state: 'OpenConfirm' }]],
      ]),
      addresses,
    );
    expect(
      pairs.map(({ left, right, family, established }) => [left, right, family, established]),
    ).to.deep.equal([
      ['a', 'b', 4, true],
      ['a', 'b', 6, false],
    ]);
  });

  it('are not, when one side is silent or the neighbour is nobody we know', () => {
    const pairs = pairSessions(new Map([['a', [up('10.0.0.2'), up('192.0.2.9')]]]), addresses);
    expect(pairs.map(({ right, rightState, established }) => [right, rightState, established])).to.deep.equal(
      [
        ['b', 'missing', false],
        ['192.0.2.9', 'missing', false],
      ],
    );
  });
});

describe('routes, checked', () => {
  it('go by the neighbour on the shortest way', () => {
    expect(nextNodeTowards(topology, 'tor-a', 'a1')).to.equal('a1');
    expect(nextNodeTowards(topology, 'tor-a', 'b1')).to.equal('spine');
    expect(nextNodeTowards(topology, 'spine', 'b1')).to.equal('tor-b');
    expect(nextNodeTowards(topology, 'a1', 'b1')).to.equal('tor-a');
    expect(nextNodeTowards(topology, 'a1', 'island')).to.equal(undefined);
  });

  it('are wrong when missing, or when any next hop is not that neighbour', () => {
    const block = { prefix: '10.244.0.0/26', node: 'b1' };
    const addresses = new Map([['spine', new Set(['10.0.1.0', '10.0.1.2'])]]);
    const right = (nextHops: string[] | undefined) =>
      checkRoutes(
        topology,
        [block],
        new Map([['tor-a', nextHops === undefined ? [] : [{ prefix: block.prefix, nextHops }]]]),
        addresses,
      )[0]?.right;
    expect(right(['10.0.1.0'])).to.equal(true);
    expect(right(undefined)).to.equal(false);
    expect(right([])).to.equal(false);
    expect(right(['10.0.1.0', '10.9.9.9'])).to.equal(false);
  });
});

const cell = (from: string, to: string, family: 4 | 6, want: boolean, got: boolean): Cell => ({
  from,
  to,
  family,
  want,
  got,
  remark: undefined,
});

describe('matrix, drawn', () => {
  const matrix = {
    names: ['web', 'db'],
    cells: [
      cell('web', 'db', 4, true, true),
      cell('web', 'db', 6, true, false),
      cell('db', 'web', 4, false, false),
      cell('db', 'web', 6, false, true),
    ],
  };

  it('marks what differs from the expectation', () => {
    const text = drawMatrix(matrix, (_, plain) => plain);
    expect(text).to.equal(
      [
        '  from \\ to  web  db',
        '  web        –    ●✗',
        '  db         ·!   –',
        '',
        '  each cell: IPv4, IPv6.  ● reached, as it must   · blocked, as it must   ✗ should be reached and is not   ! should be blocked and is not',
        '',
      ].join('\n'),
    );
    expect(wrongCells(matrix)).to.have.length(2);
  });

  it('tells the wrong ones in words', () => {
    expect(drawWrong(matrix)).to.equal(
      '  web → db  IPv6  expected reached, measured blocked\n  db → web  IPv6  expected blocked, measured reached\n',
    );
  });
});
