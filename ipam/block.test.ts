import { expect } from 'chai';
import fc from 'fast-check';
import { parseJson, sameJson, stringifyJson } from '../datastore/json.ts';
import { Prefix } from '../net/addr/index.ts';
import {
  affinityOf,
  allocate,
  allocateOrdinal,
  allocationsOf,
  type IPAMBlock,
  isEmpty,
  newBlock,
  ordinalsOf,
  release,
  withoutAffinity,
} from './block.ts';
import { faultsOf } from './interleaving.ts';

const NOW = new Date('2026-08-01T10:00:00Z');

/** The example of the data model: a /29 with two allocations and one freed address. */
const EXAMPLE = `{"cidr":"10.244.7.64/29","affinity":"host:worker-1","affinity_claim_time":"2026-08-01T10:00:00Z",
 "allocations":[0,1,null,null,null,null,null,null],
 "unallocated":[3,4,5,6,7,2],
 "attributes":[
  {"handle_id":"ipip-tunnel-addr-worker-1","secondary":{"node":"worker-1","type":"ipipTunnelAddress"}},
  {"handle_id":"k8s-pod-network.4f1c","secondary":{"namespace":"prod","node":"worker-1","pod":"web-0","timestamp":"2026-08-01 10:00:05.1 +0000 UTC"}}],
 "sequenceNumber":1785578400000000004,
 "sequenceNumberForAllocation":{"0":1785578400000000001,"1":1785578400000000002},
 "deleted":false}`;

function example(): IPAMBlock {
  return parseJson(EXAMPLE) as IPAMBlock;
}

const tunnel = {
  handle: 'ipip-tunnel-addr-worker-1',
  attributes: { node: 'worker-1', type: 'ipipTunnelAddress' },
};

describe('IPAMBlock', () => {
  it('is new as Calico makes it', () => {
    expect(newBlock(Prefix.parse('10.0.0.0/30')!, 'host:a', NOW)).to.deep.equal({
      cidr: '10.0.0.0/30',
      affinity: 'host:a',
      affinity_claim_time: '2026-08-01T10:00:00Z',
      allocations: [null, null, null, null],
      unallocated: [0, 1, 2, 3],
      attributes: [],
      sequenceNumber: 1785578400000000000n,
      sequenceNumberForAllocation: {},
      deleted: false,
    });
  });

  it('survives reading and writing without a change, with its sequence numbers exact', () => {
    expect(stringifyJson(example())).to.equal(EXAMPLE.replaceAll(/\n\s*/g, ''));
  });

  it('gives the head of the queue, and notes the sequence number that it was read with', () => {
    const given = allocate(example(), 2, { handle: 'h', attributes: {} })!;
    expect(given.ordinals).to.deep.equal([3, 4]);
    expect(given.block.unallocated).to.deep.equal([5, 6, 7, 2]);
    expect(given.block.allocations).to.deep.equal([0, 1, null, 2, 2, null, null, null]);
    expect(given.block.sequenceNumber).to.equal(1785578400000000005n);
    expect(given.block.sequenceNumberForAllocation).to.include({
      3: 1785578400000000004n,
      4: 1785578400000000004n,
    });
  });

  it('shares an attribute between equal owners', () => {
    const given = allocate(example(), 1, tunnel)!;
    expect(given.block.attributes).to.have.length(2);
    expect(given.block.allocations[3]).to.equal(0);
  });

  it('puts a freed address at the tail, drops what nobody uses and renumbers', () => {
    const freed = release(example(), [0]);
    expect(freed.unallocated).to.deep.equal([3, 4, 5, 6, 7, 2, 0]);
    expect(freed.allocations).to.deep.equal([null, 0, null, null, null, null, null, null]);
    expect(freed.attributes.map(({ handle_id }) => handle_id)).to.deep.equal(['k8s-pod-network.4f1c']);
    expect(freed.sequenceNumberForAllocation).to.deep.equal({ 1: 1785578400000000002n });
    expect(freed.sequenceNumber).to.equal(1785578400000000005n);
  });

  it('passes over reserved addresses, which keep their place', () => {
    const given = allocate(example(), 2, tunnel, (ordinal) => ordinal === 3)!;
    expect(given.ordinals).to.deep.equal([4, 5]);
    expect(given.block.unallocated).to.deep.equal([3, 6, 7, 2]);
    expect(allocate(example(), 1, tunnel, () => true)).to.equal(undefined);
  });

  it('gives a particular address once', () => {
    expect(allocateOrdinal(example(), 1, tunnel)).to.equal(undefined);
    expect(allocateOrdinal(example(), 8, tunnel)).to.equal(undefined);
    expect(allocateOrdinal(example(), -1, tunnel)).to.equal(undefined);
    expect(allocateOrdinal(example(), 6, tunnel)?.unallocated).to.deep.equal([3, 4, 5, 7, 2]);
  });

  it('reads the old form of the affinity, and attributes without handle', () => {
    const old = { ...example(), affinity: null, hostAffinity: 'worker-1' };
    expect(affinityOf(old)).to.equal('host:worker-1');
    expect(affinityOf(withoutAffinity(old))).to.equal(undefined);
    const nameless = {
      ...example(),
      attributes: [{ handle_id: null, secondary: null }, { releasedAt: 'x' }],
    };
    expect(allocationsOf(nameless).map(({ handle, attributes }) => [handle, attributes])).to.deep.equal([
      [undefined, {}],
      [undefined, {}],
    ]);
  });

  it('keeps fields that it does not know', () => {
    const newer = { ...example(), future: { x: [1] } };
    expect(release(allocate(newer, 1, tunnel)!.block, [0, 1])).to.have.deep.property('future', { x: [1] });
  });

  it('is sound after any giving and taking, and each address has one owner', () => {
    const step = fc.record({
      handle: fc.constantFrom('a', 'b'),
      attributes: fc.constantFrom({}, { node: 'n' }),
      count: fc.nat(3),
      free: fc.option(fc.array(fc.nat(9), { maxLength: 3 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let block = newBlock(Prefix.parse('fd00::/125')!, 'host:a', NOW);
        const owners = new Map<number, string>();
        for (const { handle, attributes, count, free } of steps) {
          if (free !== undefined) {
            block = release(block, free);
            for (const ordinal of free) owners.delete(ordinal);
          } else {
            const given = allocate(block, count, { handle, attributes });
            for (const ordinal of given?.ordinals ?? []) {
              expect(owners.has(ordinal)).to.equal(false);
              owners.set(ordinal, handle);
            }
            block = given?.block ?? block;
          }
          expect(faultsOf(block)).to.deep.equal([]);
        }
        for (const handle of ['a', 'b']) {
          const held = [...owners].flatMap(([ordinal, owner]) => (owner === handle ? [ordinal] : []));
          expect(ordinalsOf(block, handle)).to.deep.equal(held.toSorted((a, b) => a - b));
        }
        expect(isEmpty(block)).to.equal(owners.size === 0);
        expect(sameJson(parseJson(stringifyJson(block)), block)).to.equal(true);
      }),
    );
  });
});
