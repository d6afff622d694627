import { expect } from 'chai';
import { type IPPool, type Node, validate } from '../../api/index.ts';
import { ALL_HOSTS, ALL_POOLS, FixedSets, MASQUERADED_POOLS } from './fixed-sets.ts';

function node(name: string, ipv4Address: string): Node {
  const read = validate({
    apiVersion: 'projectcalico.org/v3',
    kind: 'Node',
    metadata: { name },
    spec: { bgp: { ipv4Address } },
  });
  if (!read.ok || read.value.kind !== 'Node') throw new Error(JSON.stringify(read));
  return read.value;
}

function hosts(sets: FixedSets): string[] {
  const change = sets.takeChanges().get(ALL_HOSTS);
  return change?.type === 'whole' ? [...change.members].sort() : [];
}

describe('the set of all nodes', () => {
  it('holds externalNodesList beside the nodes, as the kernel prints it', () => {
    const sets = new FixedSets(['198.51.100.0/24', '203.0.113.7/32', '2001:db8::1/128', '0.0.0.0/0']);
    sets.putNode('a1', node('a1', '192.0.2.1/24'));
    expect(hosts(sets)).to.deep.equal([
      '0.0.0.0/1',
      '128.0.0.0/1',
      '192.0.2.1',
      '198.51.100.0/24',
      '2001:db8::1',
      '203.0.113.7',
    ]);
  });

  it('holds nodes alone where there is none', () => {
    const sets = new FixedSets();
    expect(sets.takeChanges().size).to.equal(0);
    sets.putNode('a1', node('a1', '192.0.2.1/24'));
    expect(hosts(sets)).to.deep.equal(['192.0.2.1']);
  });
});

function pool(cidr: string, natOutgoing: boolean): IPPool {
  const read = validate({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'x' },
    spec: { cidr, natOutgoing },
  });
  if (!read.ok || read.value.kind !== 'IPPool') throw new Error(JSON.stringify(read));
  return read.value;
}

function poolSets(sets: FixedSets): readonly unknown[] {
  const changes = sets.takeChanges();
  return [ALL_POOLS, MASQUERADED_POOLS].map((id) => {
    const each = changes.get(id);
    return each?.type === 'whole' ? [...each.members].sort() : each;
  });
}

describe('the sets of pools', () => {
  it('hold all of them, and those that are masqueraded', () => {
    const sets = new FixedSets();
    sets.putPool('a', pool('10.1.0.0/16', true));
    sets.putPool('b', pool('10.2.0.0/16', false));
    expect(poolSets(sets)).to.deep.equal([['10.1.0.0/16', '10.2.0.0/16'], ['10.1.0.0/16']]);
    sets.putPool('a', pool('10.1.0.0/16', false));
    expect(poolSets(sets)).to.deep.equal([undefined, { type: 'delta', added: [], removed: ['10.1.0.0/16'] }]);
    sets.putPool('b', undefined);
    expect(poolSets(sets)).to.deep.equal([{ type: 'delta', added: [], removed: ['10.2.0.0/16'] }, undefined]);
  });
});
