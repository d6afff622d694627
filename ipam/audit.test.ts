import { expect } from 'chai';
import fc from 'fast-check';
import { SimulatedClock } from '../clock/simulated.ts';
import type { Entry } from '../datastore/index.ts';
import { SimulatedStore } from '../datastore/simulated.ts';
import { auditIpam } from './audit.ts';
import { allocate, type IPAMBlock, newBlock, prefixOf, release } from './block.ts';
import { Ipam } from './ipam.ts';

const entry = (kind: string, name: string, value: unknown, scope = ''): Entry => ({
  key: { kind, scope, name },
  value,
  revision: '1',
});

const CIDR = '10.0.0.0/30';
const block: IPAMBlock = newBlock(prefixOf(CIDR), 'host:a1', new Date(0));
const affinity = entry('BlockAffinity', CIDR, { state: 'confirmed' }, 'host:a1');

function said(...entries: readonly Entry[]): string[] {
  return auditIpam(entries).problems.map(({ resource = '', what }) => `${resource} ${what}`);
}

describe('audit of IPAM', () => {
  it('finds nothing in what IPAM writes', async () => {
    const store = new SimulatedStore();
    const spec = {
      cidr: '10.0.0.0/27',
      blockSize: 30,
      allowedUses: ['Workload'],
      assignmentMode: 'Automatic',
    };
    const key = { kind: 'IPPool', scope: '', name: 'v4' };
    await store.commit([{ type: 'put', key, value: { metadata: { name: 'v4' }, spec }, expect: 'any' }]);
    const ipam = new Ipam(store, new SimulatedClock(), () => 0);
    for (const host of ['a', 'b', 'c'])
      await ipam.autoAssign({ host, handle: `h-${host}`, attributes: { node: host }, v4: 5, v6: 0 });
    await ipam.releaseByHandle('h-b');
    const kinds = ['IPAMBlock', 'BlockAffinity', 'IPAMHandle'];
    const lists = await Promise.all(kinds.map((kind) => store.list({ kind })));
    const entries = lists.flatMap((list) => list.entries);
    expect(entries.length).to.be.greaterThan(8);
    expect(said(...entries)).to.deep.equal([]);
    expect(auditIpam(entries).blocks).to.deep.equal(await ipam.blocks());
    expect(auditIpam(entries).handles).to.deep.equal(await ipam.handles());
  });

  const [twice, given] = [
    { ...block, unallocated: [0, 1, 2, 3, 3] },
    { ...block, allocations: [7, null, null, null] },
  ];
  const cases: readonly { name: string; entries: readonly Entry[]; want: readonly string[] }[] = [
    {
      name: 'a free list with an address twice',
      entries: [entry('IPAMBlock', CIDR, twice), affinity],
      want: [`IPAMBlock/${CIDR} lists an address as free twice`],
    },
    {
      name: 'an address given and free, to an owner who is not there',
      entries: [entry('IPAMBlock', CIDR, given), affinity],
      want: [
        `IPAMBlock/${CIDR} address 0 is given and free`,
        `IPAMBlock/${CIDR} address 0 names owner 7, of whom nothing is written`,
      ],
    },
    {
      name: 'an address lost',
      entries: [entry('IPAMBlock', CIDR, { ...block, unallocated: [0, 1, 2] }), affinity],
      want: [`IPAMBlock/${CIDR} address 3 is neither given nor free`],
    },
    {
      name: 'too few places',
      entries: [entry('IPAMBlock', CIDR, { ...block, allocations: [null] }), affinity],
      want: [
        `IPAMBlock/${CIDR} has 1 places for 4 addresses`,
        `BlockAffinity/host:a1/${CIDR} is confirmed, but block ${CIDR} does not exist`,
      ],
    },
    {
      name: 'an affinity to the block of another',
      entries: [
        entry('IPAMBlock', CIDR, block),
        affinity,
        entry('BlockAffinity', CIDR, { state: 'confirmed' }, 'host:b1'),
        entry('BlockAffinity', CIDR, { state: 'pending' }, 'host:c1'),
      ],
      want: [`BlockAffinity/host:b1/${CIDR} is confirmed, but block ${CIDR} belongs to host:a1`],
    },
    {
      name: 'a block whose owner does not know of it',
      entries: [entry('IPAMBlock', CIDR, block)],
      want: [`IPAMBlock/${CIDR} belongs to host:a1, which has no affinity to it`],
    },
    {
      name: 'blocks within each other',
      entries: [
        entry('IPAMBlock', CIDR, { ...block, affinity: null }),
        entry('IPAMBlock', '10.0.0.2/31', { ...newBlock(prefixOf('10.0.0.2/31'), '', new Date(0)) }),
      ],
      want: [`IPAMBlock/10.0.0.2/31 overlaps IPAMBlock/${CIDR}`],
    },
    {
      name: 'what has no form at all',
      entries: [entry('IPAMBlock', CIDR, 'text'), entry('IPAMHandle', 'h', null)],
      want: [
        `IPAMBlock/${CIDR} does not say the CIDR that it is stored under`,
        'IPAMHandle/h does not say how many addresses it holds in which block',
      ],
    },
  ];
  for (const { name, entries, want } of cases) it(name, () => expect(said(...entries)).to.deep.equal(want));

  it('finds nothing after any sequence of giving and releasing', () => {
    const steps = fc.array(fc.record({ give: fc.boolean(), at: fc.nat(3), by: fc.constantFrom('x', 'y') }));
    fc.assert(
      fc.property(steps, (all) => {
        let now: IPAMBlock = block;
        for (const { give, at, by } of all)
          now = give ? (allocate(now, at, { handle: by, attributes: {} })?.block ?? now) : release(now, [at]);
        expect(said(entry('IPAMBlock', CIDR, now), affinity)).to.deep.equal([]);
      }),
    );
  });

  it('stumbles over nothing that another tool may have written', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('IPAMBlock', 'IPAMHandle', 'BlockAffinity'),
        fc.jsonValue(),
        (kind, value) => {
          auditIpam([entry(kind, CIDR, value, kind === 'BlockAffinity' ? 'host:a1' : '')]);
        },
      ),
    );
  });
});
