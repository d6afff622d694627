/** Policies of Kubernetes in our terms: the facts of Calico's own conversion tests, and promises for all policies. */
import { expect } from 'chai';
import fc from 'fast-check';
import { parse } from 'yaml';
import { kindInfo, type Kind, type ResourceOf } from '../kinds/index.ts';
import { formatProblem } from '../problem.ts';
import { arbitraryResource } from '../testing/arbitraries.ts';
import { validate } from '../validate.ts';
import { madeFrom, networkPolicyOf } from './index.ts';
import { simplified } from './ports.ts';
import { namespaceSelectorText, podSelectorText } from './selectors.ts';

function resource<K extends Kind>(kind: K, text: string): ResourceOf<K> {
  const { written } = kindInfo(kind)!;
  const result = validate({ ...written, ...(parse(text) as object) });
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.value as ResourceOf<K>;
}

function knp(spec: string) {
  return networkPolicyOf(
    resource(
      'KubernetesNetworkPolicy',
      `{metadata: {name: web.in, namespace: prod, uid: d5f14096-cb92-4ec5-ac0e-396742e1d2c4}, spec: ${spec}}`,
    ),
  );
}

function cluster(kind: 'AdminNetworkPolicy' | 'ClusterNetworkPolicy', spec: string) {
  const made = madeFrom(resource(kind, `{metadata: {name: test.policy}, spec: ${spec}}`));
  if (made?.resource?.kind !== 'GlobalNetworkPolicy') throw new Error('no policy was made');
  return { ...made.resource, problems: made.problems.map(formatProblem) };
}

function expression(key: string, operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', values?: string[]) {
  return { matchExpressions: [{ key, operator, ...(values === undefined ? {} : { values }) }] };
}

const POD = "projectcalico.org/orchestrator == 'k8s'";

describe('api/kubernetes: selectors', () => {
  const cases = [
    [podSelectorText({}), POD],
    [podSelectorText(undefined), POD],
    [namespaceSelectorText({}), 'all()'],
    [namespaceSelectorText(undefined), ''],
    [namespaceSelectorText(expression('toast', 'DoesNotExist')), '! has(toast)'],
    [namespaceSelectorText(expression('toast', 'Exists')), 'has(toast)'],
    [namespaceSelectorText(expression('toast', 'In', ['butter', 'jam'])), "toast in { 'butter', 'jam' }"],
    [namespaceSelectorText(expression('toast', 'NotIn', ['a'])), "toast not in { 'a' }"],
    [podSelectorText(expression('toast', 'DoesNotExist')), `${POD} && ! has(toast)`],
    [
      podSelectorText({ matchLabels: { label2: 'value2', label: 'value' }, ...expression('k', 'Exists') }),
      `${POD} && label == 'value' && label2 == 'value2' && has(k)`,
    ],
  ] as const;
  for (const [found, wanted] of cases) it(wanted || '(nothing)', () => expect(found).to.equal(wanted));
});

describe('api/kubernetes: ports', () => {
  const cases = [
    [[], []],
    [[80], [80]],
    [
      ['http', 80],
      ['http', 80],
    ],
    [
      [80, 'http'],
      [80, 'http'],
    ],
    [
      [80, 82, 81, 'foo', 9090],
      ['foo', '80:82', 9090],
    ],
    [[80, 80], [80]],
    [['1:3', '2:9', 10], ['1:10']],
    [
      ['a', '5:5', 5],
      ['a', 5],
    ],
    [[65_535, 65_534], ['65534:65535']],
  ] as const;
  for (const [ports, wanted] of cases)
    it(ports.join(', ') || 'none', () => expect(simplified(ports)).to.deep.equal(wanted));

  it('stay the same ports, in as few ranges as there can be', () => {
    const port = fc.oneof(
      fc.integer({ min: 1, max: 40 }),
      fc
        .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 5 }))
        .map(([first, more]) => `${first}:${first + more}`),
    );
    fc.assert(
      fc.property(fc.array(port), (ports) => {
        const found = simplified(ports);
        const all = numbers(ports);
        expect(numbers(found)).to.deep.equal(all);
        expect(found.length).to.equal(all.filter((n) => !all.includes(n - 1)).length);
      }),
    );
  });
});

function numbers(ports: readonly (number | string)[]): number[] {
  const all = ports.flatMap((port) => {
    const [min = 0, max = min] = String(port).split(':').map(Number);
    return Array.from({ length: max - min + 1 }, (_, i) => min + i);
  });
  return [...new Set(all)].toSorted((a, b) => a - b);
}

describe('api/kubernetes: NetworkPolicy', () => {
  it('has a name, an order, a tier and an identity of its own', () => {
    const { metadata, spec } = knp('{podSelector: {matchLabels: {label: value}}}');
    expect(metadata).to.deep.equal({
      name: 'knp.default.web.in',
      namespace: 'prod',
      uid: 'ab8f0269-d349-4ea3-ac70-9ce642874b23',
      labels: { 'projectcalico.org/tier': 'default' },
    });
    expect(spec).to.deep.equal({
      tier: 'default',
      order: 1000,
      selector: `${POD} && label == 'value'`,
      types: ['Ingress'],
    });
  });

  const cases: readonly (readonly [it: string, spec: string, ingress: unknown, egress: unknown])[] = [
    ['isolates without rules', '{podSelector: {}}', undefined, undefined],
    ['lets everybody in by one empty rule', '{ingress: [{}]}', [{ action: 'Allow' }], undefined],
    [
      'makes a rule of each peer and protocol',
      '{ingress: [{from: [{podSelector: {matchLabels: {k: v}}}, {namespaceSelector: {}}], ports: [{port: 80}, {protocol: UDP, port: dns}]}]}',
      [
        {
          action: 'Allow',
          protocol: 'TCP',
          source: { selector: `${POD} && k == 'v'` },
          destination: { ports: [80] },
        },
        {
          action: 'Allow',
          protocol: 'TCP',
          source: { selector: POD, namespaceSelector: 'all()' },
          destination: { ports: [80] },
        },
        {
          action: 'Allow',
          protocol: 'UDP',
          source: { selector: `${POD} && k == 'v'` },
          destination: { ports: ['dns'] },
        },
        {
          action: 'Allow',
          protocol: 'UDP',
          source: { selector: POD, namespaceSelector: 'all()' },
          destination: { ports: ['dns'] },
        },
      ],
      undefined,
    ],
    [
      'joins ports, ranges among them',
      '{ingress: [{ports: [{port: 80}, {port: 81}, {port: 90, endPort: 99}, {port: foo}]}]}',
      [{ action: 'Allow', protocol: 'TCP', destination: { ports: ['foo', '80:81', '90:99'] } }],
      undefined,
    ],
    [
      'takes a protocol without port for all of its ports',
      '{ingress: [{ports: [{protocol: SCTP}, {protocol: SCTP, port: 7}]}]}',
      [{ action: 'Allow', protocol: 'SCTP' }],
      undefined,
    ],
    [
      'reads address blocks, in both families',
      '{egress: [{to: [{ipBlock: {cidr: 192.168.0.0/16, except: [192.168.3.0/24]}}, {ipBlock: {cidr: "fd00::/8"}}]}], policyTypes: [Egress]}',
      undefined,
      [
        { action: 'Allow', destination: { nets: ['192.168.0.0/16'], notNets: ['192.168.3.0/24'] } },
        { action: 'Allow', destination: { nets: ['fd00::/8'] } },
      ],
    ],
    [
      'puts the ports of egress beside the peer',
      '{egress: [{to: [{podSelector: {}}], ports: [{port: 5432}]}], policyTypes: [Egress]}',
      undefined,
      [{ action: 'Allow', protocol: 'TCP', destination: { selector: POD, ports: [5432] } }],
    ],
  ];
  for (const [what, spec, ingress, egress] of cases) {
    it(what, () => {
      expect(knp(spec).spec.ingress).to.deep.equal(ingress);
      expect(knp(spec).spec.egress).to.deep.equal(egress);
    });
  }

  it('acts in the directions that its types name', () => {
    expect(knp('{egress: [{}], policyTypes: [Ingress]}').spec.types).to.deep.equal(['Ingress']);
    expect(knp('{policyTypes: [Egress, Ingress]}').spec.types).to.deep.equal(['Ingress', 'Egress']);
  });
});

describe('api/kubernetes: policies of the cluster', () => {
  it('AdminNetworkPolicy: rules by protocol, names kept, in a tier of its own', () => {
    const policy = cluster(
      'AdminNetworkPolicy',
      `{priority: 300, subject: {namespaces: {matchLabels: {label: value, label2: value2}}},
        ingress: [{name: A random ingress rule, action: Pass, from: [{namespaces: {matchLabels: {k: v, k2: v2}}}],
                   ports: [{portNumber: {port: 80}}, {portRange: {start: 2000, end: 3000}}, {namedPort: foo}]}],
        egress: [{action: Deny, to: [{networks: [10.0.0.0/8]}]}]}`,
    );
    expect(policy.metadata.name).to.equal('kanp.adminnetworkpolicy.test.policy');
    expect(policy.problems).to.deep.equal([]);
    expect(policy.spec).to.deep.equal({
      tier: 'adminnetworkpolicy',
      order: 300,
      selector: POD,
      namespaceSelector: "label == 'value' && label2 == 'value2'",
      types: ['Ingress', 'Egress'],
      ingress: [
        {
          action: 'Pass',
          metadata: { annotations: { name: 'A random ingress rule' } },
          protocol: 'TCP',
          source: { namespaceSelector: "k == 'v' && k2 == 'v2'" },
          destination: { ports: ['foo', 80, '2000:3000'] },
        },
      ],
      egress: [{ action: 'Deny', destination: { nets: ['10.0.0.0/8'] } }],
    });
  });

  it('ClusterNetworkPolicy: its tier by name, priority as order, Accept as Allow', () => {
    const policy = cluster(
      'ClusterNetworkPolicy',
      `{tier: Baseline, priority: 7, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {a: b}}}},
        ingress: [{action: Accept, from: [{pods: {namespaceSelector: {matchLabels: {n: m}}, podSelector: {}}}],
                   protocols: [{udp: {destinationPort: {number: 53}}}, {tcp: {destinationPort: {range: {start: 1, end: 9}}}}]}]}`,
    );
    expect(policy.metadata.name).to.equal('kcnp.kube-baseline.test.policy');
    expect(policy.spec).to.deep.equal({
      tier: 'kube-baseline',
      order: 7,
      selector: `${POD} && a == 'b'`,
      namespaceSelector: 'all()',
      types: ['Ingress'],
      ingress: ['TCP', 'UDP'].map((protocol) => ({
        action: 'Allow',
        protocol,
        source: { selector: POD, namespaceSelector: "n == 'm'" },
        destination: { ports: [protocol === 'TCP' ? '1:9' : 53] },
      })),
    });
  });

  it('looks for a named port with every protocol that a container may give it', () => {
    const policy = cluster(
      'ClusterNetworkPolicy',
      '{tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{destinationNamedPort: web}]}]}',
    );
    expect(policy.spec.ingress?.map(({ protocol }) => protocol)).to.deep.equal(['SCTP', 'TCP', 'UDP']);
  });

  it('fails closed where a peer cannot be expressed', () => {
    const actions = ['Accept', 'Deny', 'Pass'];
    const rules = actions
      .map((action) => `{action: ${action}, to: [{namespaces: {}}, {nodes: {}}]}`)
      .join(', ');
    const policy = cluster(
      'ClusterNetworkPolicy',
      `{tier: Admin, priority: 0, subject: {namespaces: {}}, egress: [${rules}]}`,
    );
    expect(policy.spec.egress).to.deep.equal([{ action: 'Deny' }, { action: 'Deny' }]);
    expect(policy.problems).to.deep.equal([
      'ClusterNetworkPolicy/test.policy: spec.egress[0].to[1]: peers by nodes cannot be matched; the rule lets nothing through instead; use namespaces, pods or networks',
      'ClusterNetworkPolicy/test.policy: spec.egress[1].to[1]: peers by nodes cannot be matched; the rule stops everything instead; use namespaces, pods or networks',
      'ClusterNetworkPolicy/test.policy: spec.egress[2].to[1]: peers by nodes cannot be matched; the rule stops everything instead; use namespaces, pods or networks',
    ]);
  });
});

describe('api/kubernetes: whatever is sound', () => {
  for (const kind of [
    'KubernetesNetworkPolicy',
    'StagedKubernetesNetworkPolicy',
    'ClusterNetworkPolicy',
    'AdminNetworkPolicy',
    'BaselineAdminNetworkPolicy',
    'Namespace',
    'ServiceAccount',
  ] as const) {
    it(`${kind} becomes a resource that is sound and complete as it is`, () => {
      fc.assert(
        fc.property(arbitraryResource(kindInfo(kind)!), (object) => {
          const made = madeFrom(object)?.resource;
          expect(validate(made)).to.deep.equal({ ok: true, value: made });
        }),
        { numRuns: 20 },
      );
    });
  }
});
