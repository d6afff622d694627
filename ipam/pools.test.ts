import { expect } from 'chai';
import { type IPPool, unwrap, validate } from '../api/index.ts';
import { Prefix } from '../net/addr/index.ts';
import { blocksFrom, placeOf } from './candidates.ts';
import { choosePools, type PoolRequest } from './pools.ts';

function pool(name: string, spec: object): IPPool {
  return unwrap(
    validate({ apiVersion: 'projectcalico.org/v3', kind: 'IPPool', metadata: { name }, spec }),
  ) as IPPool;
}

const pools = [
  pool('z', { cidr: '10.0.0.0/24' }),
  pool('rack-a', { cidr: '10.0.1.0/24', nodeSelector: "rack == 'a'" }),
  pool('manual', { cidr: '10.0.2.0/24', assignmentMode: 'Manual' }),
  pool('off', { cidr: '10.0.3.0/24', disabled: true }),
  pool('tunnels', { cidr: '10.0.4.0/24', allowedUses: ['Tunnel'] }),
  pool('prod', { cidr: '10.0.5.0/24', namespaceSelector: "env == 'prod'" }),
  pool('six', { cidr: 'fd00::/64' }),
];

describe('pools', () => {
  const cases: readonly { it: string; request: Partial<PoolRequest>; want: readonly string[] | string }[] = [
    { it: 'that are open to all', request: {}, want: ['z'] },
    {
      it: 'by the labels of the node, in order of name',
      request: { nodeLabels: { rack: 'a' } },
      want: ['rack-a', 'z'],
    },
    {
      it: 'by the labels of the namespace',
      request: { namespaceLabels: { env: 'prod' } },
      want: ['prod', 'z'],
    },
    { it: 'of IPv6', request: { version: 6 }, want: ['six'] },
    { it: 'for tunnels', request: { use: 'Tunnel' }, want: ['tunnels', 'z'] },
    { it: 'for load balancers: none', request: { use: 'LoadBalancer' }, want: 'POOL_NONE' },
    {
      it: 'by name, in the order asked, whatever selectors say',
      request: { requested: ['prod', 'manual', 'rack-a'] },
      want: ['prod', 'manual', 'rack-a'],
    },
    { it: 'by CIDR', request: { requested: ['10.0.2.0/24'] }, want: ['manual'] },
    { it: 'by name, but not disabled ones', request: { requested: ['off'] }, want: 'POOL_NONE' },
    { it: 'by name, but not of the other version', request: { requested: ['six'] }, want: 'POOL_NONE' },
    { it: 'by a name that nobody has', request: { requested: ['z', 'nope'] }, want: 'POOL_UNKNOWN' },
  ];
  for (const c of cases) {
    it(`are chosen: ${c.it}`, () => {
      const chosen = choosePools(pools, { version: 4, use: 'Workload', nodeLabels: {}, ...c.request });
      expect(chosen.ok ? chosen.value.map(({ name }) => name) : chosen.problems[0]?.code).to.deep.equal(
        c.want,
      );
    });
  }

  it('have blocks of /26 and /122 unless they say otherwise', () => {
    for (const [version, length] of [
      [4, 26],
      [6, 122],
    ] as const) {
      const chosen = unwrap(choosePools(pools, { version, use: 'Workload', nodeLabels: {} }));
      expect(chosen[0]?.blockLength).to.equal(length);
    }
  });
});

describe('candidate blocks', () => {
  it('are all blocks of the pool, each once', () => {
    const cidr = Prefix.parse('10.0.0.0/24')!;
    const blocks = [...blocksFrom({ name: 'p', cidr, blockLength: 28 }, placeOf('host:a'))].map(String);
    expect(new Set(blocks).size).to.equal(16);
    expect(blocks.every((block) => cidr.contains(Prefix.parse(block)!))).to.equal(true);
  });

  it('begin far apart for nodes of similar names', () => {
    const cidr = Prefix.parse('10.0.0.0/16')!;
    const firsts = Array.from({ length: 100 }, (_, i) =>
      String(blocksFrom({ name: 'p', cidr, blockLength: 26 }, placeOf(`host:node-${i}`)).next().value),
    );
    // 100 balls in 1024 bins: some five share one.
    expect(new Set(firsts).size).to.be.greaterThan(85);
  });

  it('come one by one out of a pool that nobody can count', () => {
    const cidr = Prefix.parse('fd00::/8')!;
    const blocks = blocksFrom({ name: 'p', cidr, blockLength: 122 }, placeOf('host:a'));
    for (let i = 0; i < 3; i++) expect((blocks.next().value as Prefix).length).to.equal(122);
  });
});
