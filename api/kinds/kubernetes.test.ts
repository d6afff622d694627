/** Kinds of Kubernetes, and the rules of the kinds that stand beside the everyday ones. */
import { expect } from 'chai';
import { parse } from 'yaml';
import { formatProblem } from '../problem.ts';
import { asWritten, validate } from '../validate.ts';
import { KINDS } from './index.ts';

function told(text: string): string[] {
  const result = validate(parse(text));
  return result.ok
    ? []
    : result.problems.map((problem) => {
        const { resource: _, ...rest } = problem;
        return formatProblem(rest);
      });
}

function sound(text: string): unknown {
  const result = validate(parse(text));
  expect(result.ok ? [] : result.problems.map(formatProblem)).to.deep.equal([]);
  return result.ok ? result.value : undefined;
}

const head = (apiVersion: string, kind: string, name = 'x') =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}, namespace: prod}\n`;
const knp = (spec: string) => `${head('networking.k8s.io/v1', 'NetworkPolicy')}spec: ${spec}`;
const cnp = (spec: string) =>
  `${head('policy.networking.k8s.io/v1alpha2', 'ClusterNetworkPolicy')}spec: ${spec}`;
const staged = (spec: string) => `${head('projectcalico.org/v3', 'StagedNetworkPolicy')}spec: ${spec}`;

describe('api/kinds: Kubernetes', () => {
  it('tells the two NetworkPolicies apart by their apiVersion', () => {
    expect(sound(knp('{podSelector: {}}'))).to.deep.include({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'KubernetesNetworkPolicy',
    });
    expect(sound(`${head('projectcalico.org/v3', 'NetworkPolicy')}spec: {}`)).to.deep.include({
      kind: 'NetworkPolicy',
    });
    expect(told(head('networking.k8s.io/v1beta1', 'NetworkPolicy'))).to.deep.equal([
      'apiVersion: "networking.k8s.io/v1beta1" is not the version of this kind; write projectcalico.org/v3 or networking.k8s.io/v1',
    ]);
  });

  it('reads in memory what it reads in manifests, and writes it as manifests have it', () => {
    const result = validate(parse(knp('{podSelector: {}}')));
    if (!result.ok) throw new Error('not sound');
    expect(validate(result.value)).to.deep.equal(result);
    expect(asWritten(result.value)).to.deep.include({ kind: 'NetworkPolicy' });
    expect(validate(asWritten(result.value))).to.deep.equal(result);
  });

  it('fills in the types of policies as the API server does', () => {
    expect(sound(knp('{podSelector: {}}')))
      .to.have.nested.property('spec.policyTypes')
      .eql(['Ingress']);
    expect(sound(knp('{podSelector: {}, egress: [{}]}')))
      .to.have.nested.property('spec.policyTypes')
      .eql(['Ingress', 'Egress']);
    expect(sound(knp('{podSelector: {}, egress: [{}], policyTypes: [Egress]}')))
      .to.have.nested.property('spec.policyTypes')
      .eql(['Egress']);
  });

  const wrong: readonly (readonly [string, string])[] = [
    [
      knp('{ingress: [{from: [{}]}]}'),
      'spec.ingress[0].from[0]: the peer is empty; set podSelector, namespaceSelector or ipBlock; for everybody leave the list of peers out',
    ],
    [
      knp('{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]}'),
      'spec.ingress[0].from[0].ipBlock: ipBlock cannot stand beside selectors; make two peers of it',
    ],
    [
      knp('{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}'),
      'spec.ingress[0].from[0].ipBlock.except[0]: "11.0.0.0/16" is no part of "10.0.0.0/8"; except only prefixes inside cidr that are smaller than it',
    ],
    [
      knp('{ingress: [{ports: [{port: http, endPort: 80}]}]}'),
      'spec.ingress[0].ports[0].endPort: a range needs a number to begin with; set port to a number',
    ],
    [
      knp('{ingress: [{ports: [{port: 80, endPort: 79}]}]}'),
      'spec.ingress[0].ports[0].endPort: 79 is below port 80; swap them',
    ],
    [
      knp('{ingress: [{ports: [{port: 8O}]}]}').replace('8O', '"8-"'),
      'spec.ingress[0].ports[0].port: "8-" is not a port name; use at most 15 lower-case letters, digits and single "-", with at least one letter, as in http',
    ],
    [
      knp('{podSelector: {matchExpressions: [{key: a, operator: In}]}}'),
      'spec.podSelector.matchExpressions[0].values: In without values; list at least one',
    ],
    [
      knp('{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}'),
      'spec.podSelector.matchExpressions[0].values: Exists looks at no values; remove them',
    ],
    [
      knp('{podSelektor: {}}'),
      'spec.podSelektor: there is no field "podSelektor"; write "podSelector" if that is what you mean',
    ],
    [
      cnp('{tier: Admin, priority: 1, subject: {}}'),
      'spec.subject: the subject is empty; set exactly one field',
    ],
    [
      cnp('{tier: Admin, priority: 1001, subject: {namespaces: {}}}'),
      'spec.priority: 1001 is not a whole number from 0 to 1000; use a whole number from 0 to 1000',
    ],
    [
      cnp(
        '{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {}}]}]}',
      ),
      'spec.ingress[0].action: "Allow" is not one of Accept, Deny, Pass; use one of Accept, Deny, Pass',
    ],
    [
      `${head('policy.networking.k8s.io/v1alpha1', 'BaselineAdminNetworkPolicy')}spec: {subject: {namespaces: {}}}`,
      'metadata.name: "x" would never be read; name it default',
    ],
    [
      staged('{stagedAction: Delete, order: 3}'),
      'spec.order: stagedAction is Delete, which needs no rules; remove order, or set stagedAction to Set',
    ],
    [
      `${head('projectcalico.org/v3', 'BlockAffinity')}spec: {}`,
      'kind: block affinities are kept by IPAM and cannot be written; see them with: poplin ipam show --show-blocks',
    ],
    [
      `${head('projectcalico.org/v3', 'FelixConfiguration')}spec: {}`,
      'metadata.name: "x" would never be read; name it default for the whole cluster, or node.<name of the node>, or say with spec.nodeSelector on which nodes it applies',
    ],
    [
      `${head('projectcalico.org/v3', 'FelixConfiguration', 'default')}spec: {chainInsertMode: inserted}`,
      'spec.chainInsertMode: "inserted" is not one of Insert, Append; write Insert',
    ],
    [
      `${head('projectcalico.org/v3', 'Tier', 'kube-admin')}spec: {order: 1000, defaultAction: Deny}`,
      'spec.defaultAction: the default action of the tier kube-admin is Deny; write Pass',
    ],
  ];
  for (const [text, want] of wrong) it(want, () => expect(told(text)).to.deep.equal([want]));

  it('reads words of FelixConfiguration in any case, as Calico does', () => {
    const text = `${head('projectcalico.org/v3', 'FelixConfiguration', 'default')}spec: {chainInsertMode: APPEND, logSeverityScreen: info}`;
    expect(sound(text))
      .to.have.property('spec')
      .eql({ chainInsertMode: 'Append', logSeverityScreen: 'Info' });
  });

  it('keeps every field of objects that are Kubernetes’ own', () => {
    const pod = `${head('v1', 'Pod')}spec: {nodeName: w-1, restartPolicy: Always, containers: [{image: a, ports: [{containerPort: 80, extra: 1}]}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.1}], qosClass: Burstable}
extra: true`;
    expect(sound(pod)).to.deep.equal(parse(pod));
    const slice = `${head('discovery.k8s.io/v1', 'EndpointSlice')}addressType: IPv4
endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}, zone: a, targetRef: {kind: Pod, name: p}}]
ports: [{name: http, port: 80, protocol: TCP}]`;
    expect(sound(slice)).to.deep.equal(parse(slice));
  });

  it('has a name of its own for every kind', () => {
    const written = KINDS.map((info) => `${info.written.apiVersion} ${info.written.kind}`);
    expect(new Set(written).size).to.equal(KINDS.length);
  });
});
