import { expect } from 'chai';
import { type Node, validate } from '../../api/index.ts';
import { ALL_HOSTS, FixedSets } from './fixed-sets.ts';

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
