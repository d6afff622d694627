/**
 * Policies of equal order in one tier: Calico asks them in the order of the text `name/namespace/kind` (the comparison in
 * felix/calc/policy_sorter.go). Both the evaluator and the rules are asked, by what becomes of a packet that the one of the
 * two would let pass and the other would stop.
 */
import { expect } from 'chai';
import { Address } from '../../net/addr/index.ts';
import { judge } from './evaluate.ts';
import { expectAgreement, valid } from './testing/agreement.ts';
import { built } from './testing/kernel.ts';
import { World } from './world.ts';

type Policy = (action: 'Allow' | 'Deny') => object;

const calico =
  (kind: string, name: string, order: number | undefined = 1000): Policy =>
  (action) => ({
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: { name, ...(kind === 'NetworkPolicy' ? { namespace: 'prod' } : {}) },
    spec: { ...(order === Number.POSITIVE_INFINITY ? {} : { order }), ingress: [{ action }] },
  });
/** Their order is 1000; what they do not allow they deny only at the end of the tier. */
const kubernetes =
  (name: string): Policy =>
  (action) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'prod' },
    spec: { podSelector: {}, policyTypes: ['Ingress'], ...(action === 'Allow' ? { ingress: [{}] } : {}) },
  });
const cluster =
  (kind: 'ClusterNetworkPolicy' | 'AdminNetworkPolicy', name: string): Policy =>
  (action) => {
    const rule = { from: [{ namespaces: {} }] };
    const isNew = kind === 'ClusterNetworkPolicy';
    return {
      apiVersion: `policy.networking.k8s.io/${isNew ? 'v1alpha2' : 'v1alpha1'}`,
      kind,
      metadata: { name },
      spec: {
        ...(isNew ? { tier: 'Admin' } : {}),
        priority: 7,
        subject: { namespaces: {} },
        ingress: [{ ...rule, action: action === 'Deny' ? 'Deny' : isNew ? 'Accept' : 'Allow' }],
      },
    };
  };
const NONE = Number.POSITIVE_INFINITY;

const pairs: readonly { readonly it: string; readonly first: Policy; readonly second: Policy }[] = [
  {
    it: 'by name',
    first: calico('NetworkPolicy', 'a'),
    second: calico('NetworkPolicy', 'b'),
  },
  {
    it: 'by name before anything else',
    first: calico('NetworkPolicy', 'a'),
    second: calico('GlobalNetworkPolicy', 'b'),
  },
  {
    it: 'of the same name, that of the cluster before that of the namespace',
    first: calico('GlobalNetworkPolicy', 'x'),
    second: calico('NetworkPolicy', 'x'),
  },
  {
    it: 'of the same name and namespace, by kind',
    first: kubernetes('x'),
    second: calico('NetworkPolicy', 'x'),
  },
  {
    it: 'as one text: a name that goes on with a dash comes before the one that ends there',
    first: calico('NetworkPolicy', 'x-y'),
    second: calico('NetworkPolicy', 'x'),
  },
  {
    it: 'as one text: and one that goes on with a letter behind it',
    first: calico('NetworkPolicy', 'x'),
    second: calico('NetworkPolicy', 'xy'),
  },
  {
    it: 'without an order, among each other',
    first: calico('GlobalNetworkPolicy', 'a', NONE),
    second: calico('NetworkPolicy', 'b', NONE),
  },
  {
    it: 'no order comes behind the largest',
    first: calico('NetworkPolicy', 'z', 1e300),
    second: calico('NetworkPolicy', 'a', NONE),
  },
  {
    it: 'order before name',
    first: calico('NetworkPolicy', 'z', -1),
    second: calico('NetworkPolicy', 'a', 0.5),
  },
  {
    it: 'of the cluster, by the names that their kinds give them',
    first: cluster('AdminNetworkPolicy', 'z'),
    second: cluster('ClusterNetworkPolicy', 'a'),
  },
];

const SURROUNDINGS = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod' } },
  ...[0, 1].map((index) => ({
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: `a1-k8s-pod${index}-eth0`, namespace: 'prod' },
    spec: {
      orchestrator: 'k8s',
      node: 'a1',
      pod: `pod${index}`,
      endpoint: 'eth0',
      interfaceName: `cali${index}`,
      ipNetworks: [`10.0.0.${index + 1}/32`],
      profiles: ['kns.prod'],
    },
  })),
];
const PACKET = {
  source: Address.parse('10.0.0.1')!,
  destination: Address.parse('10.0.0.2')!,
  protocol: 6,
  sourcePort: 40_000,
  destinationPort: 80,
};

describe('policies of equal order', () => {
  for (const { it: title, first, second } of pairs)
    for (const isTurned of [false, true])
      it(`are asked ${title}${isTurned ? ', whichever came first' : ''}`, () => {
        const asked = (one: 'Allow' | 'Deny', other: 'Allow' | 'Deny'): readonly string[] => {
          const both = [first(one), second(other)];
          const resources = [...SURROUNDINGS, ...(isTurned ? both.toReversed() : both)].map(valid);
          const kernel = built(resources);
          expectAgreement(
            resources,
            [PACKET],
            4,
            { tables: kernel.held(4), sets: kernel.inKernel(4) },
            { allowed: 0, denied: 0 },
          );
          const world = new World(resources);
          const to = world.workloads.find(({ spec }) => spec.interfaceName === 'cali1');
          if (to === undefined) throw new Error('no workload');
          const judged = judge(world, to, 'ingress', PACKET);
          return judged.steps.map((step) => step.asked).concat(String(judged.allowed));
        };
        // Both say something of every packet, so the first alone is asked; one of Kubernetes' says nothing by not allowing.
        const opened = asked('Allow', 'Deny');
        expect([opened.length, opened.at(-1)]).to.deep.equal([2, 'true']);
        const { kind, metadata } = valid(first('Allow'));
        expect(
          opened[0]?.startsWith(`${kind}/`) === true && opened[0].endsWith(`/${metadata.name}`),
        ).to.equal(true, opened[0]);
        if (kind !== 'KubernetesNetworkPolicy') expect(asked('Deny', 'Allow').at(-1)).to.equal('false');
        else expect(asked('Deny', 'Allow')[0]).to.equal(`KubernetesNetworkPolicy/prod/${metadata.name}`);
      });
});
