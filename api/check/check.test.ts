import { expect } from 'chai';
import fc from 'fast-check';
import { Prefix } from '../../net/addr/index.ts';
import type { Resource } from '../kinds/index.ts';
import { formatProblem, unwrap } from '../problem.ts';
import { validate } from '../validate.ts';
import { checkTogether } from './together.ts';
import { checkUpdate } from './update.ts';

function make(kind: string, name: string, spec: object = {}, namespace?: string): Resource {
  const metadata = namespace === undefined ? { name } : { name, namespace };
  return unwrap(validate({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec }));
}

const pool = (name: string, cidr: string, more: object = {}): Resource =>
  make('IPPool', name, { cidr, blockSize: cidr.includes(':') ? 128 : 32, ...more });

describe('checkTogether', () => {
  const cases: readonly {
    readonly it: string;
    readonly set: readonly Resource[];
    readonly want: readonly string[];
  }[] = [
    {
      it: 'lets pools stand side by side',
      set: [pool('a', '10.0.0.0/17'), pool('b', '10.0.128.0/17'), pool('c', '::/64')],
      want: [],
    },
    {
      it: 'blames the newer of two overlapping pools, wider or narrower',
      set: [pool('old', '10.0.0.0/16'), pool('inside', '10.8.4.0/24'), pool('around', '10.0.0.0/8')],
      want: [
        'IPPool/around: spec.cidr: "10.0.0.0/8" overlaps "10.0.0.0/16" of IPPool/old; choose a prefix that shares no address with 10.0.0.0/16',
        'IPPool/around: spec.cidr: "10.0.0.0/8" overlaps "10.8.4.0/24" of IPPool/inside; choose a prefix that shares no address with 10.8.4.0/24',
      ],
    },
    {
      it: 'counts disabled pools',
      set: [pool('a', '10.0.0.0/16', { disabled: true }), pool('b', '10.0.0.0/16')],
      want: [
        'IPPool/b: spec.cidr: "10.0.0.0/16" overlaps "10.0.0.0/16" of IPPool/a; choose a prefix that shares no address with 10.0.0.0/16',
      ],
    },
    {
      it: 'wants the tier of a policy',
      set: [
        make('Tier', 'platform', { order: 1 }),
        make('GlobalNetworkPolicy', 'p', { tier: 'platfrom' }),
        make('NetworkPolicy', 'q', { tier: 'platform' }, 'prod'),
      ],
      want: [
        'GlobalNetworkPolicy/p: spec.tier: there is no tier "platfrom"; write platform, or create the Tier platfrom first',
      ],
    },
    {
      it: 'needs no Tier for the built-in ones',
      set: [make('GlobalNetworkPolicy', 'p'), make('GlobalNetworkPolicy', 'q', { tier: 'kube-admin' })],
      want: [],
    },
    {
      it: 'wants a namespace where there is one to have, and none elsewhere',
      set: [make('NetworkPolicy', 'p'), make('Node', 'n', {}, 'prod')],
      want: [
        'NetworkPolicy/p: metadata.namespace: is missing; add the namespace of this NetworkPolicy',
        'Node/prod/n: metadata.namespace: a Node belongs to the whole cluster, not to a namespace; remove it',
      ],
    },
    {
      it: 'takes each resource once, each namespace apart',
      set: [
        make('Node', 'n'),
        make('Node', 'n'),
        make('NetworkSet', 's', {}, 'a'),
        make('NetworkSet', 's', {}, 'b'),
      ],
      want: ['Node/n: metadata.name: is given twice; keep one of them, or rename one'],
    },
  ];
  for (const row of cases)
    it(row.it, () => expect(checkTogether(row.set).map(formatProblem)).to.deep.equal(row.want));

  it('finds an overlap exactly when two pools share an address, and blames no pool for itself', () => {
    const cidr = fc.tuple(fc.nat({ max: 255 }), fc.integer({ min: 24, max: 32 })).map(([low, length]) => {
      return Prefix.parse(`10.0.0.${low}/${length}`, { hostBits: 'mask' })?.toString() ?? '';
    });
    fc.assert(
      fc.property(fc.array(cidr, { maxLength: 8 }), (cidrs) => {
        const prefixes = cidrs.map((text) => Prefix.parse(text));
        const clash = prefixes.some((a, i) =>
          prefixes.some((b, j) => i < j && a !== undefined && b !== undefined && a.overlaps(b)),
        );
        const problems = checkTogether(cidrs.map((text, index) => pool(`p${index}`, text)));
        expect(problems.length > 0).to.equal(clash);
        for (const { what, resource } of problems) expect(what).to.not.contain(`of ${resource}`);
      }),
    );
  });
});

describe('checkUpdate', () => {
  it('keeps the prefix and the blocks of a pool as they are', () => {
    const before = pool('a', '10.0.0.0/16');
    expect(checkUpdate(before, pool('a', '10.0.0.0/16', { disabled: true }))).to.deep.equal([]);
    expect(checkUpdate(before, pool('a', '10.1.0.0/16', { blockSize: 26 })).map(formatProblem)).to.deep.equal(
      [
        'IPPool/a: spec.cidr: "10.0.0.0/16" cannot become "10.1.0.0/16": blocks are cut from it; make a new pool, move the workloads to it, then delete this one',
        'IPPool/a: spec.blockSize: 32 cannot become 26: blocks are cut from it; make a new pool, move the workloads to it, then delete this one',
      ],
    );
  });
});
