/** Policies on trial, put in force: what becomes of the policies that there are. */
import { expect } from 'chai';
import type { Resource } from '../../api/index.ts';
import { enforceStaged, nameOf } from './staged.ts';
import { valid } from './testing/agreement.ts';

function policy(kind: string, name: string, spec: object, apiVersion = 'projectcalico.org/v3'): Resource {
  const namespace = kind.includes('Global') ? {} : { namespace: 'prod' };
  return valid({ apiVersion, kind, metadata: { name, ...namespace }, spec });
}

const NETWORK = policy('NetworkPolicy', 'a', { selector: 'all()', order: 5 });
const KUBERNETES = policy('NetworkPolicy', 'k', { podSelector: {} }, 'networking.k8s.io/v1');

const cases: readonly {
  readonly it: string;
  readonly staged: Resource;
  /** Names of what is in force then. */
  readonly want: readonly string[];
  readonly renamed?: readonly (readonly [string, string])[];
}[] = [
  {
    it: 'puts one beside the others',
    staged: policy('StagedNetworkPolicy', 'b', { selector: 'all()' }),
    want: ['KubernetesNetworkPolicy/prod/k', 'NetworkPolicy/prod/a', 'NetworkPolicy/prod/b'],
    renamed: [['NetworkPolicy/prod/b', 'StagedNetworkPolicy/prod/b']],
  },
  {
    it: 'puts one in the place of that of its name',
    staged: policy('StagedNetworkPolicy', 'a', { selector: 'all()', order: 9 }),
    want: ['KubernetesNetworkPolicy/prod/k', 'NetworkPolicy/prod/a'],
    renamed: [['NetworkPolicy/prod/a', 'StagedNetworkPolicy/prod/a']],
  },
  {
    it: 'takes away the policy of its name',
    staged: policy('StagedNetworkPolicy', 'a', { stagedAction: 'Delete' }),
    want: ['KubernetesNetworkPolicy/prod/k'],
    renamed: [['NetworkPolicy/prod/a', 'StagedNetworkPolicy/prod/a']],
  },
  {
    it: 'leaves all as it is where it is to be ignored',
    staged: policy('StagedNetworkPolicy', 'a', { stagedAction: 'Ignore', selector: 'all()' }),
    want: ['KubernetesNetworkPolicy/prod/k', 'NetworkPolicy/prod/a'],
  },
  {
    it: 'knows those of the whole cluster',
    staged: policy('StagedGlobalNetworkPolicy', 'a', { selector: 'all()' }),
    want: ['GlobalNetworkPolicy/a', 'KubernetesNetworkPolicy/prod/k', 'NetworkPolicy/prod/a'],
    renamed: [['GlobalNetworkPolicy/a', 'StagedGlobalNetworkPolicy/a']],
  },
  {
    it: 'knows those of Kubernetes',
    staged: policy('StagedKubernetesNetworkPolicy', 'k', { podSelector: { matchLabels: { role: 'db' } } }),
    want: ['KubernetesNetworkPolicy/prod/k', 'NetworkPolicy/prod/a'],
    renamed: [['KubernetesNetworkPolicy/prod/k', 'StagedKubernetesNetworkPolicy/prod/k']],
  },
];

describe('enforcing staged policies', () => {
  for (const each of cases)
    it(each.it, () => {
      const { resources, renamed } = enforceStaged([NETWORK, KUBERNETES, each.staged]);
      expect(resources.map((one) => nameOf(one.kind, one)).sort()).to.deep.equal(each.want);
      expect([...renamed]).to.deep.equal(each.renamed ?? []);
      const { name } = each.staged.metadata;
      const put = resources.find((one) => one.metadata.name === name && renamed.has(nameOf(one.kind, one)));
      if (put !== undefined) expect(put.spec).not.to.have.property('stagedAction');
    });

  it('takes only those that are chosen', () => {
    const staged = policy('StagedNetworkPolicy', 'b', { selector: 'all()' });
    expect(enforceStaged([NETWORK, staged], () => false).resources).to.deep.equal([NETWORK]);
  });
});
