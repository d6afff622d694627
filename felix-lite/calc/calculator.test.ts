import { expect } from 'chai';
import { type ResourceChange, Calculator } from './calculator.ts';
import type { CalcDelta } from './model.ts';

const NODE = 'a1';

function change(
  kind: string,
  name: string,
  spec: object,
  namespace = '',
  labels: object = {},
): ResourceChange {
  const metadata = { name, labels, ...(namespace === '' ? {} : { namespace }) };
  return {
    key: { kind, scope: namespace, name },
    value: { apiVersion: 'projectcalico.org/v3', kind, metadata, spec },
  };
}

function gone({ key }: ResourceChange): ResourceChange {
  return { key, value: undefined };
}

function pod(
  name: string,
  index: number,
  labels: object = {},
  node = NODE,
  more: object = {},
): ResourceChange {
  const spec = {
    orchestrator: 'k8s',
    node,
    pod: name,
    endpoint: 'eth0',
    interfaceName: `cali${name}`,
    ipNetworks: [`10.0.0.${index}/32`, `fd00::${index}/128`],
    profiles: ['kns.prod'],
    ...more,
  };
  return change('WorkloadEndpoint', `${node}-k8s-${name}-eth0`, spec, 'prod', labels);
}

function actions({ profiles }: CalcDelta): object {
  return Object.fromEntries(
    [...profiles].map(([name, profile]) => [name, profile?.ingress.map(({ action }) => action)]),
  );
}

const allowFrom = (selector: string): object => ({ ingress: [{ action: 'Allow', source: { selector } }] });

function calculator(...changes: readonly ResourceChange[]): {
  readonly calc: Calculator;
  readonly delta: CalcDelta;
} {
  const calc = new Calculator({ node: NODE, interfacePrefix: 'cali' });
  calc.update(changes);
  return { calc, delta: calc.take() };
}

function after(calc: Calculator, ...changes: readonly ResourceChange[]): CalcDelta {
  calc.update(changes);
  return calc.take();
}

/** Of the sets of those in zone a and those in zone b, with two profiles that lend one of these each. */
function zones(...profiles: readonly string[]): readonly number[] {
  const { delta } = calculator(
    pod('web', 1, {}, NODE, { profiles }),
    change('Profile', 'one', { labelsToApply: { zone: 'a' } }),
    change('Profile', 'two', { labelsToApply: { zone: 'b' } }),
    ...['a', 'b'].map((zone) => change('GlobalNetworkPolicy', zone, allowFrom(`zone == '${zone}'`))),
  );
  return [...delta.sets.values()].map((set) => (set.type === 'whole' ? set.members.size : 0));
}

/** Members of the set of those with an account, where one has an account with a name of that length. */
function withAccount(length: number): number {
  const serviceAccountName = 'x'.repeat(length);
  const { delta } = calculator(
    pod('web', 1, {}, NODE, { serviceAccountName }),
    change('GlobalNetworkPolicy', 'p', allowFrom('has(projectcalico.org/serviceaccount)')),
  );
  const [set] = [...delta.sets.values()];
  return set?.type === 'whole' ? set.members.size : -1;
}

describe('calc', () => {
  it('makes one set for rules that select the same, whoever asks', () => {
    const { delta } = calculator(
      pod('web', 1, { role: 'web' }),
      change('GlobalNetworkPolicy', 'a', allowFrom("role == 'web'")),
      change('GlobalNetworkPolicy', 'b', allowFrom('role=="web"')),
    );
    expect([...delta.sets.values()]).to.have.length(1);
  });

  it('says of a label that changes what it moves, and no more', () => {
    const { calc } = calculator(
      pod('web', 1, { role: 'web' }),
      pod('far', 9, { role: 'x' }, 'b1'),
      change('NetworkPolicy', 'p', { selector: 'all()', ...allowFrom("role == 'web'") }, 'prod'),
    );
    const delta = after(calc, pod('far', 9, { role: 'web' }, 'b1'));
    expect([...delta.sets.values()]).to.deep.equal([
      { type: 'delta', added: ['10.0.0.9', 'fd00::9'], removed: [] },
    ]);
    expect([delta.policies.size, delta.profiles.size, delta.endpoints.size]).to.deep.equal([0, 0, 0]);
  });

  it('needs no policy that selects nobody here, and no set for it', () => {
    const policy = change(
      'NetworkPolicy',
      'p',
      { selector: "role == 'db'", ...allowFrom("role == 'web'") },
      'prod',
    );
    const { calc, delta } = calculator(
      pod('web', 1, { role: 'web' }),
      pod('db', 2, { role: 'db' }, 'b1'),
      policy,
    );
    expect([delta.policies.size, delta.sets.size]).to.deep.equal([0, 0]);
    expect([...after(calc, pod('db2', 3, { role: 'db' })).policies.keys()]).to.deep.equal([
      'p/prod/NetworkPolicy',
    ]);
    const left = after(calc, gone(pod('db2', 3)));
    expect([...left.policies.values()]).to.deep.equal([undefined]);
    expect([...left.sets.values()]).to.deep.equal([{ type: 'gone' }]);
  });

  it('puts tiers and policies in order: by order, none last, then by name', () => {
    const policy = (name: string, tier: string, order?: number): ResourceChange =>
      change('GlobalNetworkPolicy', name, { tier, ...(order === undefined ? {} : { order }) });
    const { delta } = calculator(
      pod('web', 1),
      change('Tier', 'late', {}),
      change('Tier', 'early', { order: 1, defaultAction: 'Pass' }),
      policy('z', 'default', 5),
      policy('y', 'default'),
      policy('x', 'default'),
      policy('lost', 'away', 1),
      policy('l', 'late', 1),
      policy('e', 'early', 99),
    );
    const [endpoint] = [...delta.endpoints.values()];
    const order = endpoint?.tiers.map((tier) => [
      tier.name,
      tier.defaultAction,
      tier.ingress.map(({ id }) => id.name).join(),
    ]);
    expect(order).to.deep.equal([
      ['early', 'Pass', 'e'],
      ['default', 'Deny', 'z,x,y'],
      ['late', 'Deny', 'l'],
      ['away', 'Deny', 'lost'],
    ]);
  });

  it('works out again for a tier only endpoints that meet a policy of it', () => {
    const { calc } = calculator(
      change('Tier', 'early', { order: 1 }),
      change('GlobalNetworkPolicy', 'p', { tier: 'early', selector: "role == 'web'" }),
      change('GlobalNetworkPolicy', 'q', { tier: 'default' }),
      pod('web', 1, { role: 'web' }),
      ...Array.from({ length: 50 }, (_, index) => pod(`other${index}`, index + 10)),
    );
    const arranged = calc.arrangements;
    const delta = after(calc, change('Tier', 'early', { order: 1, defaultAction: 'Pass' }));
    expect([...delta.endpoints.keys()]).to.deep.equal(['prod/a1-k8s-web-eth0']);
    expect(calc.arrangements - arranged).to.equal(1);
    // A policy that moves away takes its endpoints along.
    after(calc, change('GlobalNetworkPolicy', 'p', { tier: 'default', selector: "role == 'web'" }));
    const moved = calc.arrangements;
    expect(after(calc, change('Tier', 'early', { order: 2 })).endpoints.size).to.equal(0);
    expect(calc.arrangements - moved).to.equal(0);
  });

  it('keeps ready what a policy needs that every node is said to need, though nobody here does', () => {
    const spec = { selector: "role == 'db'", ...allowFrom("role == 'web'") };
    const hinted = { ...spec, performanceHints: ['AssumeNeededOnEveryNode'] };
    const { calc, delta } = calculator(
      pod('web', 1, { role: 'web' }),
      change('GlobalNetworkPolicy', 'p', hinted),
    );
    expect([...delta.policies.keys()]).to.deep.equal(['p//GlobalNetworkPolicy']);
    expect([...delta.sets.values()].map(({ type }) => type)).to.deep.equal(['whole']);
    const left = after(calc, change('GlobalNetworkPolicy', 'p', spec));
    expect([...left.sets.values()]).to.deep.equal([{ type: 'gone' }]);
  });

  it('asks a policy only in its directions, and workloads about no policy for hosts', () => {
    const { delta } = calculator(
      pod('web', 1),
      change('GlobalNetworkPolicy', 'out', { egress: [{ action: 'Allow' }] }),
      change('GlobalNetworkPolicy', 'raw', { doNotTrack: true, applyOnForward: true }),
      change('GlobalNetworkPolicy', 'early', { preDNAT: true, applyOnForward: true, types: ['Ingress'] }),
    );
    const [tier] = [...delta.endpoints.values()][0]?.tiers ?? [];
    expect([tier?.ingress.length, tier?.egress.map(({ id }) => id.name)]).to.deep.equal([0, ['out']]);
    expect([...delta.policies.keys()]).to.deep.equal(['out//GlobalNetworkPolicy']);
  });

  it('denies by a profile that nobody has written, and allows by the one that needs no writing', () => {
    const profiles = ['kns.prod', 'projectcalico-default-allow'];
    const { calc, delta } = calculator(pod('web', 1, {}, NODE, { profiles }));
    expect(actions(delta)).to.deep.equal({ 'kns.prod': ['Deny'], 'projectcalico-default-allow': ['Allow'] });
    const written = change('Profile', 'kns.prod', { ingress: [{ action: 'Allow' }] });
    expect(actions(after(calc, written))).to.deep.equal({ 'kns.prod': ['Allow'] });
    expect(actions(after(calc, gone(written)))).to.deep.equal({ 'kns.prod': ['Deny'] });
  });

  it('lets labels come through profiles, the own ones winning, and believes no lent label on the endpoint itself', () => {
    const { delta } = calculator(
      pod('web', 1, { role: 'web', 'pcns.team': 'blue' }),
      change('Profile', 'kns.prod', { labelsToApply: { role: 'lent', zone: 'a', 'pcns.team': 'red' } }),
      ...["role == 'web' && zone == 'a'", "role == 'lent'", "pcns.team == 'red'", "pcns.team == 'blue'"].map(
        (text, index) => change('GlobalNetworkPolicy', `p${index}`, allowFrom(text)),
      ),
    );
    const sizes = [...delta.sets.values()].map((set) => (set.type === 'whole' ? set.members.size : 0));
    expect(sizes).to.deep.equal([2, 0, 2, 0]);
  });

  it('lets the first of two profiles lend a label that both have', () => {
    expect(zones('one', 'two')).to.deep.equal([2, 0]);
    expect(zones('two', 'one')).to.deep.equal([0, 2]);
  });

  it('takes for a label no account whose name is too long for one', () => {
    expect([withAccount(63), withAccount(64)]).to.deep.equal([2, 0]);
  });

  it('looks for a named port with its protocol', () => {
    const ports = [
      { name: 'dns', protocol: 'UDP', port: 53 },
      { name: 'dns', protocol: 'TCP', port: 5353 },
    ];
    const { delta } = calculator(
      pod('web', 1, {}, NODE, { ports, ipNetworks: ['10.0.0.1/32'] }),
      change('GlobalNetworkPolicy', 'p', {
        ingress: [{ action: 'Allow', protocol: 'UDP', destination: { ports: ['dns'] } }],
      }),
    );
    const [set] = [...delta.sets.values()];
    expect(set?.type === 'whole' ? [...set.members] : []).to.deep.equal(['10.0.0.1,udp:53']);
  });

  it("guards no workload's interface by an address", () => {
    const calc = new Calculator({ node: NODE, interfacePrefix: 'cali' });
    calc.putInterfaces(
      new Map([
        ['caliweb', ['192.0.2.1']],
        ['eth0', ['192.0.2.2']],
      ]),
    );
    const host = (...expectedIPs: readonly string[]): ResourceChange =>
      change('HostEndpoint', 'h', { node: NODE, expectedIPs });
    expect([...after(calc, host('192.0.2.1', '192.0.2.2')).hosts.keys()]).to.deep.equal(['eth0']);
    expect(
      [...after(calc, host('192.0.2.1')).hosts].map(([name, each]) => [name, each === undefined]),
    ).to.deep.equal([['eth0', true]]);
  });

  it('holds an address as long as one endpoint has it', () => {
    const same = { ipNetworks: ['10.0.0.1/32'] };
    const [one, two] = [pod('one', 1, {}, 'b1', same), pod('two', 1, {}, 'b1', same)];
    const { calc } = calculator(
      pod('web', 5),
      one,
      two,
      change('GlobalNetworkPolicy', 'p', allowFrom('!has(x)')),
    );
    expect(after(calc, gone(one)).sets.size).to.equal(0);
    expect([...after(calc, gone(two)).sets.values()]).to.deep.equal([
      { type: 'delta', added: [], removed: ['10.0.0.1'] },
    ]);
  });

  it('writes everything as two halves: the kernel has no /0 in its sets', () => {
    const { delta } = calculator(
      pod('web', 1),
      change('GlobalNetworkSet', 'all', { nets: ['0.0.0.0/0', '::/0', '192.0.2.0/24'] }, '', { kind: 'all' }),
      change('GlobalNetworkPolicy', 'p', allowFrom("kind == 'all'")),
    );
    const [set] = [...delta.sets.values()];
    expect(set?.type === 'whole' ? [...set.members].sort() : []).to.deep.equal([
      '0.0.0.0/1',
      '128.0.0.0/1',
      '192.0.2.0/24',
      '8000::/1',
      '::/1',
    ]);
  });

  const bad = [
    {
      it: 'an interface that no packet would be dispatched from',
      change: pod('web', 1, {}, NODE, { interfaceName: 'eth0' }),
      code: 'INTERFACE_NAME',
    },
    {
      it: 'a match that cannot be enforced',
      change: change('GlobalNetworkPolicy', 'p', {
        ingress: [{ action: 'Allow', http: { methods: ['GET'] } }],
      }),
      code: 'RULE_UNSUPPORTED',
    },
    {
      it: 'a host endpoint with an address that no interface has',
      change: change('HostEndpoint', 'h', { node: NODE, expectedIPs: ['192.0.2.1'] }),
      code: 'HOST_ENDPOINT_NOWHERE',
    },
    {
      it: "a host endpoint on a workload's interface",
      change: change('HostEndpoint', 'h', { node: NODE, interfaceName: 'caliother' }),
      code: 'INTERFACE_NAME',
    },
  ];
  for (const each of bad) {
    it(`says so of ${each.it}, until it is gone`, () => {
      const { calc } = calculator(pod('other', 7), each.change);
      expect(calc.problems.map(({ code }) => code)).to.deep.equal([each.code]);
      after(calc, gone(each.change));
      expect(calc.problems).to.deep.equal([]);
    });
  }

  it('denies in the direction in which a policy cannot be enforced, and only there', () => {
    const { delta } = calculator(
      pod('web', 1),
      change('GlobalNetworkPolicy', 'p', {
        ingress: [{ action: 'Allow', http: { methods: ['GET'] } }],
        egress: [{ action: 'Allow' }],
      }),
    );
    const [policy] = [...delta.policies.values()];
    expect(policy?.egress.map(({ action }) => action)).to.deep.equal(['Allow']);
    expect(policy?.ingress.map(({ action }) => action)).to.deep.equal(['Deny']);
  });

  it('gives an interface to one endpoint, and to the other when that is gone', () => {
    const [first, second] = [
      pod('aa', 1, {}, NODE, { interfaceName: 'calix' }),
      pod('bb', 2, {}, NODE, { interfaceName: 'calix' }),
    ];
    const { calc, delta } = calculator(second, first);
    expect([...delta.endpoints.keys()]).to.deep.equal(['prod/a1-k8s-aa-eth0']);
    expect(calc.problems.map(({ code, resource }) => [code, resource])).to.deep.equal([
      ['INTERFACE_SHARED', 'WorkloadEndpoint/prod/a1-k8s-bb-eth0'],
    ]);
    const changed = after(calc, gone(first));
    expect([...changed.endpoints].map(([key, value]) => [key, value?.interfaceName])).to.have.deep.members([
      ['prod/a1-k8s-aa-eth0', undefined],
      ['prod/a1-k8s-bb-eth0', 'calix'],
    ]);
    expect(calc.problems).to.deep.equal([]);
  });

  it('takes no part of an endpoint without an address', () => {
    const { delta } = calculator(pod('web', 1, {}, NODE, { ipNetworks: [] }));
    expect(delta.endpoints.size).to.equal(0);
  });
});

const namespace = (labels: object): ResourceChange => ({
  key: { kind: 'Namespace', scope: '', name: 'prod' },
  value: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod', labels } },
});
const slice = (name: string, service: string, addresses: readonly string[]): ResourceChange => ({
  key: { kind: 'EndpointSlice', scope: 'prod', name },
  value: {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'prod', labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: [{ addresses }],
    ports: [{ protocol: 'TCP', port: 5432 }],
  },
});

describe('calc of what Kubernetes writes', () => {
  const OBJECT = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' };
  const policy = (name: string, spec: object): ResourceChange => ({
    key: { kind: 'KubernetesNetworkPolicy', scope: 'prod', name },
    value: { ...OBJECT, metadata: { name, namespace: 'prod' }, spec },
  });

  it('takes a NetworkPolicy under its own kind and name', () => {
    const { delta } = calculator(pod('web', 1), policy('db', { podSelector: {}, ingress: [{}] }));
    expect([...delta.policies.values()].map((each) => each?.id)).to.deep.equal([
      { kind: 'KubernetesNetworkPolicy', namespace: 'prod', name: 'db' },
    ]);
  });

  it('denies all to whom a broken policy is for, and to no other', () => {
    const selected = { matchLabels: { role: 'db' } };
    const { calc, delta } = calculator(
      pod('web', 1, { role: 'web' }),
      pod('db', 2, { role: 'db' }),
      policy('p', { podSelector: selected, ingress: [{ ports: [{ protocol: 'nonsense' }] }] }),
    );
    const tiers = (name: string): number =>
      delta.endpoints.get(`prod/a1-k8s-${name}-eth0`)?.tiers.length ?? 0;
    expect([tiers('web'), tiers('db')]).to.deep.equal([0, 1]);
    const [made] = [...delta.policies.values()];
    expect(made?.ingress.map(({ action }) => action)).to.deep.equal(['Deny']);
    expect(made?.egress.map(({ action }) => action)).to.deep.equal(['Deny']);
    expect(calc.problems.map(({ resource }) => resource)).to.deep.equal(['KubernetesNetworkPolicy/prod/p']);
  });

  it('makes a namespace the profile of its pods, unless one of that name is stored', () => {
    const stored = change('Profile', 'kns.prod', { ingress: [{ action: 'Deny' }] });
    const { calc, delta } = calculator(pod('web', 1), namespace({ team: 'red' }));
    expect(actions(delta)).to.deep.equal({ 'kns.prod': ['Allow'] });
    expect(actions(after(calc, stored))).to.deep.equal({ 'kns.prod': ['Deny'] });
    expect(actions(after(calc, gone(stored)))).to.deep.equal({ 'kns.prod': ['Allow'] });
    expect(actions(after(calc, gone(namespace({}))))).to.deep.equal({ 'kns.prod': ['Deny'] });
  });

  it('keeps the sets of a service to its slices', () => {
    const uses = change('GlobalNetworkPolicy', 'p', {
      egress: [{ action: 'Allow', destination: { services: { name: 'db', namespace: 'prod' } } }],
    });
    const { calc, delta } = calculator(pod('web', 1), uses, slice('a', 'db', ['10.0.0.5', '10.0.0.6']));
    const [[id, set] = []] = [...delta.sets];
    expect(id).to.equal('svc:2hsWfvzzNlp57Ev94nfMnO7s4Bddh6a1L5-IGA');
    expect(set?.type === 'whole' ? [...set.members] : []).to.deep.equal([
      '10.0.0.5,tcp:5432',
      '10.0.0.6,tcp:5432',
    ]);
    const moved = after(calc, slice('b', 'db', ['10.0.0.6', '10.0.0.7']));
    expect(moved.sets.get(id ?? '')).to.deep.equal({
      type: 'delta',
      added: ['10.0.0.7,tcp:5432'],
      removed: [],
    });
    const other = after(calc, slice('a', 'other', ['10.0.0.5']));
    expect(other.sets.get(id ?? '')).to.deep.equal({
      type: 'delta',
      added: [],
      removed: ['10.0.0.5,tcp:5432'],
    });
  });
});
