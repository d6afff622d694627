import { expect } from 'chai';
import { compileRules } from './compile.ts';
import { policySelector, peerSelectors } from './selectors.ts';

function id(text: ReturnType<typeof peerSelectors>): string | undefined {
  return text.ok ? text.value.selects?.id : text.problems.map(({ what }) => what).join();
}

function canonical(text: ReturnType<typeof peerSelectors>): readonly (string | undefined)[] {
  if (!text.ok) return text.problems.map(({ field }) => field);
  return [text.value.selects?.canonical, text.value.excludes?.canonical];
}

describe("selectors of policies and rules: Calico's composition", () => {
  it('has the id of the page for a rule in a NetworkPolicy', () =>
    expect(id(peerSelectors({ selector: "role == 'db'" }, 'prod', 'x'))).to.equal(
      's:cEaQzUJBV_ps4cPcaW9fPS9u53cQrmfxtxUvYw',
    ));
  it('has the id of the page for a rule in a GlobalNetworkPolicy', () =>
    expect(id(peerSelectors({ selector: "role == 'db'" }, undefined, 'x'))).to.equal(
      's:rV61RKD1Q8wo61pyeB0j2rwE3eiBOFbx0SsYKg',
    ));
  it('has the id of the page for the selector of a NetworkPolicy', () => {
    const selector = policySelector({ selector: "role == 'db'" }, 'prod');
    expect(selector.ok ? selector.value.id : '').to.equal('s:ujcdfgEZaMju3SqveryMO1WsmcqiFeM2sdyg7g');
  });
  it('has the id of the page for a named port', () => {
    const rule = {
      action: 'Allow',
      protocol: 'TCP',
      destination: { selector: "role == 'db'", ports: ['http'] },
    } as const;
    const compiled = compileRules(
      [{ ...rule, destination: { ...rule.destination, ports: ['http'] } }],
      undefined,
      'spec.ingress',
    );
    expect(compiled.ok ? compiled.value.sets.map((set) => set.id) : []).to.deep.equal([
      'n:v1r2STTlO7TacjeCimdhkpVVM3zO_Bl2xCq5fw',
    ]);
  });

  const NS = 'projectcalico.org/namespace';
  const SA = 'projectcalico.org/serviceaccount';
  const peers = [
    { it: 'limits nobody without a selector', peer: {}, namespace: 'prod', want: [undefined, undefined] },
    {
      it: 'subtracts notSelector from what it has',
      peer: { notSelector: 'has(x)' },
      namespace: 'prod',
      want: [`(${NS} == "prod" && !has(x))`, undefined],
    },
    {
      it: 'keeps notSelector apart where it has nothing',
      peer: { notSelector: 'has(x)' },
      namespace: undefined,
      want: [undefined, 'has(x)'],
    },
    {
      it: 'leaves its own namespace for a namespaceSelector',
      peer: { namespaceSelector: "team == 'red'", selector: 'has(x)' },
      namespace: 'prod',
      want: ['(pcns.team == "red" && has(x))', undefined],
    },
    {
      it: 'takes all() for any namespace',
      peer: { namespaceSelector: 'all()' },
      namespace: 'prod',
      want: [`has(${NS})`, undefined],
    },
    {
      it: 'takes global() for none',
      peer: { namespaceSelector: 'global()' },
      namespace: undefined,
      want: [`!has(${NS})`, undefined],
    },
    {
      it: 'names accounts, in its namespace',
      peer: { serviceAccounts: { names: ['b', 'a'] } },
      namespace: 'prod',
      want: [`(${NS} == "prod" && ${SA} in {"a", "b"})`, undefined],
    },
    {
      it: 'selects accounts by label and name',
      peer: { serviceAccounts: { names: ['a'], selector: 'has(x)' } },
      namespace: undefined,
      want: [`(has(pcsa.x) && ${SA} in {"a"})`, undefined],
    },
    {
      it: 'says which field does not parse',
      peer: { selector: '==', notSelector: '(' },
      namespace: undefined,
      want: ['x.selector', 'x.notSelector'],
    },
  ];
  for (const { it: what, peer, namespace, want } of peers) {
    it(what, () => expect(canonical(peerSelectors(peer, namespace, 'x'))).to.deep.equal(want));
  }

  const subjects = [
    {
      it: 'selects the namespace for an empty selector',
      subject: {},
      namespace: 'prod',
      want: `${NS} == "prod"`,
    },
    {
      it: 'selects everything for an empty selector of a global policy',
      subject: {},
      namespace: undefined,
      want: 'all()',
    },
    {
      it: 'adds namespaceSelector to a global policy',
      subject: { selector: 'has(x)', namespaceSelector: 'all()' },
      namespace: undefined,
      want: `(has(x) && has(${NS}))`,
    },
    {
      it: 'knows no namespaceSelector of a policy that has a namespace',
      subject: { selector: 'has(x)', namespaceSelector: "team == 'red'" },
      namespace: 'prod',
      want: `(has(x) && ${NS} == "prod")`,
    },
    {
      it: 'adds serviceAccountSelector',
      subject: { selector: 'has(x)', serviceAccountSelector: 'all()' },
      namespace: undefined,
      want: `(has(x) && has(${SA}))`,
    },
  ];
  for (const { it: what, subject, namespace, want } of subjects) {
    it(what, () => {
      const selector = policySelector(subject, namespace);
      expect(selector.ok ? selector.value.canonical : selector.problems).to.equal(want);
    });
  }
});
