import { expect } from 'chai';
import { groupChain, isOurSet, limitName, policyChain, profileChain, setName } from './names.ts';

const gnp = (name: string) => ({ kind: 'GlobalNetworkPolicy', namespace: '', name }) as const;
const np = (namespace: string, name: string) => ({ kind: 'NetworkPolicy', namespace, name }) as const;

describe("names of chains and sets: Calico's own", () => {
  it('keeps what fits', () =>
    expect(policyChain('ingress', gnp('allow-dns'))).to.equal('cali-pi-gnp/allow-dns'));
  it('hashes what does not', () =>
    expect(policyChain('ingress', np('prod', 'allow-frontend-to-db'))).to.equal(
      'cali-pi-_hnlWNamtzmfAU8PFQmH',
    ));
  it('hashes a long profile', () =>
    expect(profileChain('ingress', 'kns.a-very-long-namespace-name')).to.equal(
      'cali-pri-_neO7P1RQR7KOVLZoM6',
    ));
  it('names a group by its content', () =>
    expect(groupChain('ingress', [{ id: gnp('a'), selector: 'all()' }])).to.equal(
      'cali-gi-2aSTc27oLB2wJ6meernu',
    ));
  it('cuts the name of a set', () =>
    expect(setName(4, 's:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug')).to.equal(
      'cali40s:5y5I3VdRZfDU01O--xXAPx2',
    ));

  it('hashes a plain name that could be taken for a hashed one', () =>
    expect(limitName('cali-pi-', `_${'x'.repeat(19)}`)).to.not.equal(`cali-pi-_${'x'.repeat(19)}`));
  it('lets nothing through that would end a line or a word of iptables-restore', () => {
    for (const bad of ['a b', 'a\nCOMMIT', '"', ''])
      expect(limitName('cali-pi-', bad)).to.match(/^cali-pi-_[\w-]{19}$/);
  });
  it('knows its own sets from those of others', () => {
    expect(['cali40s:x', 'cali6t1', 'cali60n:y'].filter(isOurSet)).to.have.length(3);
    expect(['cali', 'calico', 'KUBE-cali40', 'cali5x', 'cali4x'].filter(isOurSet)).to.deep.equal([]);
  });
});
