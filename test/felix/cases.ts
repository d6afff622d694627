/**
 * What policy can say, as a table for packets: each feature of a rule alone, allowing and denying, for what comes and what
 * goes, then each with each other, then the shapes of Kubernetes' own policies, with what becomes of them later. Every
 * case is about one workload of its own, so that all stand at once; what must happen to packets the evaluator says.
 */
import { validate } from '../../api/index.ts';

export interface Case {
  readonly it: string;
  /** Which way the packets go that are tried, seen from the workload of the case. */
  readonly direction: 'ingress' | 'egress';
  readonly labels?: Readonly<Record<string, string>>;
  /** @param me  label that the workload of the case has, and no other */
  readonly resources: (me: Me) => readonly object[];
  /** In place of {@link resources}, after the change; undefined: nothing changes. */
  readonly changed?: (me: Me) => readonly object[];
  /** Labels of the workload after the change. */
  readonly changedLabels?: Readonly<Record<string, string>>;
}

export interface Me {
  readonly id: string;
  /** In our selector language. */
  readonly selector: string;
  /** In Kubernetes'. */
  readonly podSelector: object;
}

/** Of one of the probes of TCP. */
export const SOURCE_PORT = 33_333;

type Direction = Case['direction'];
type Fragment = readonly [name: string, rule: (direction: Direction) => object];

const peer =
  (side: object) =>
  (direction: Direction): object =>
    direction === 'ingress' ? { source: side } : { destination: side };
const port =
  (side: object, protocol = 'TCP') =>
  (): object => ({ protocol, destination: side });

/** Parts of rules. Peers are on the other side, ports always those of the destination. */
const FRAGMENTS: readonly Fragment[] = [
  ['protocol', () => ({ protocol: 'TCP' })],
  ['protocol UDP', () => ({ protocol: 'UDP' })],
  ['protocol by number', () => ({ protocol: 6 })],
  ['notProtocol', () => ({ notProtocol: 'UDP' })],
  ['ipVersion 4', () => ({ ipVersion: 4 })],
  ['ipVersion 6', () => ({ ipVersion: 6 })],
  ['nets', peer({ nets: ['10.65.0.1/32', '198.51.100.0/24'] })],
  ['nets of IPv6', peer({ nets: ['fd65::2/127'] })],
  ['notNets', peer({ notNets: ['10.65.0.1/32', '10.65.0.3/32'] })],
  ['notNets of IPv6', peer({ notNets: ['fd65::1/128'] })],
  ['selector', peer({ selector: "role == 'web'" })],
  ['notSelector', peer({ notSelector: "role == 'web'" })],
  ['namespaceSelector', peer({ namespaceSelector: "name == 'test'" })],
  ['namespaceSelector global()', peer({ namespaceSelector: 'global()' })],
  ['serviceAccounts by name', peer({ serviceAccounts: { names: ['robot'] } })],
  ['serviceAccounts by selector', peer({ serviceAccounts: { selector: "trusted == 'yes'" } })],
  ['services', peer({ services: { name: 'api', namespace: 'prod' } })],
  ['ports', port({ ports: [8080] })],
  ['ports as a range', port({ ports: ['9000:9999'] })],
  ['ports by name', port({ ports: ['http'] })],
  ['notPorts', port({ notPorts: [9090] })],
];

/** More of them, of protocols that are rarer in policies. */
const RARER: readonly Fragment[] = [
  ['ports of the source', () => ({ protocol: 'TCP', source: { ports: [SOURCE_PORT] } })],
  ['notPorts of the source', () => ({ protocol: 'TCP', source: { notPorts: [SOURCE_PORT] } })],
  ['protocol SCTP', () => ({ protocol: 'SCTP' })],
  ['ports of SCTP', port({ ports: [8080] }, 'SCTP')],
  ['notPorts of SCTP', port({ notPorts: [8080] }, 'SCTP')],
  ['protocol ICMP', () => ({ protocol: 'ICMP' })],
  ['ICMP by type', () => ({ protocol: 'ICMP', icmp: { type: 8 } })],
  ['ICMP by type and code', () => ({ protocol: 'ICMP', icmp: { type: 8, code: 1 } })],
  ['notICMP by type', () => ({ protocol: 'ICMP', notICMP: { type: 8 } })],
  ['notICMP by type and code', () => ({ protocol: 'ICMP', notICMP: { type: 8, code: 0 } })],
  ['protocol ICMPv6', () => ({ protocol: 'ICMPv6' })],
  ['ICMPv6 by type', () => ({ protocol: 'ICMPv6', icmp: { type: 128 } })],
  ['ICMPv6 by type and code', () => ({ protocol: 'ICMPv6', icmp: { type: 128, code: 1 } })],
  ['notICMP of ICMPv6 by type', () => ({ protocol: 'ICMPv6', notICMP: { type: 128 } })],
  ['notICMP of ICMPv6 by type and code', () => ({ protocol: 'ICMPv6', notICMP: { type: 128, code: 0 } })],
  ['a protocol without a name', () => ({ protocol: 253 })],
  ['notProtocol by number', () => ({ notProtocol: 132 })],
];

/** Undefined where the two say something different of one field. */
function merged(a: object, b: object): object | undefined {
  const result: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const present = result[key];
    if (present === undefined || present === value) result[key] = value;
    else if (typeof present === 'object' && typeof value === 'object' && !Array.isArray(value)) {
      const inner = merged(present ?? {}, (value ?? {}) as object);
      if (inner === undefined) return undefined;
      result[key] = inner;
    } else return undefined;
  }
  return result;
}

function policy(kind: string, me: Me, spec: object, name = me.id): object {
  const namespace = kind.startsWith('Global') ? {} : { namespace: 'prod' };
  return { apiVersion: 'projectcalico.org/v3', kind, metadata: { name, ...namespace }, spec };
}

function ruleCase(
  it: string,
  rule: object,
  direction: Direction,
  action: 'Allow' | 'Deny',
  kind: string,
): Case {
  const rules = [{ ...rule, action }, ...(action === 'Deny' ? [{ action: 'Allow' }] : [])];
  const types = [direction === 'ingress' ? 'Ingress' : 'Egress'];
  return {
    it: `${action} ${direction} by ${it}, ${kind}`,
    direction,
    resources: (me) => [policy(kind, me, { selector: me.selector, types, [direction]: rules })],
  };
}

/** A rule that the door refuses is no case. */
function isValid({ resources }: Case): boolean {
  return resources({ id: 'x', selector: 'all()', podSelector: {} }).every((each) => validate(each).ok);
}

const KINDS = ['NetworkPolicy', 'GlobalNetworkPolicy'] as const;
const DIRECTIONS = ['ingress', 'egress'] as const;

const EACH = [...FRAGMENTS, ...RARER];

const alone: readonly Case[] = EACH.flatMap(([name, rule], index) =>
  DIRECTIONS.flatMap((direction, at) => [
    ruleCase(name, rule(direction), direction, 'Allow', KINDS[(index + at) % 2] ?? KINDS[0]),
  ]),
).concat(
  EACH.map(([name, rule], index) =>
    ruleCase(name, rule('ingress'), 'ingress', 'Deny', KINDS[(index + 1) % 2] ?? KINDS[0]),
  ),
);

/** Of the rarer, each with some of the others: what makes sets, and what makes several rules of one. */
const PARTNERS: ReadonlySet<string> = new Set(['notNets', 'nets of IPv6', 'selector', 'services']);

/** Each with each other once; direction, kind and action go round. */
const pairs: readonly Case[] = EACH.flatMap(([nameA, ruleA], a) =>
  EACH.slice(a + 1).flatMap(([nameB, ruleB], b): readonly Case[] => {
    if (a + 1 + b >= FRAGMENTS.length && !PARTNERS.has(nameA)) return [];
    const direction = DIRECTIONS[(a + b) % 2] ?? 'ingress';
    const rule = merged(ruleA(direction), ruleB(direction));
    if (rule === undefined) return [];
    const action = (a + b) % 3 === 0 ? 'Deny' : 'Allow';
    return [ruleCase(`${nameA} and ${nameB}`, rule, direction, action, KINDS[b % 2] ?? KINDS[0])];
  }),
);

function kubernetes(
  it: string,
  direction: Direction,
  spec: object,
  more: Omit<Partial<Case>, 'it' | 'direction'> = {},
): Case {
  return { it: `Kubernetes: ${it}`, direction, resources: (me) => [kubernetesPolicy(me, spec)], ...more };
}

function kubernetesPolicy(me: Me, spec: object): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: me.id, namespace: 'prod' },
    spec: { podSelector: me.podSelector, ...spec },
  };
}

const from = (...peers: readonly object[]): object => ({ ingress: [{ from: peers }] });
const to = (...peers: readonly object[]): object => ({ policyTypes: ['Egress'], egress: [{ to: peers }] });
const WEB = { podSelector: { matchLabels: { role: 'web' } } };
const TEST = { namespaceSelector: { matchLabels: { name: 'test' } } };
const BLOCK = { ipBlock: { cidr: '10.65.0.0/16', except: ['10.65.0.3/32'] } };
const BLOCK6 = { ipBlock: { cidr: 'fd65::/64', except: ['fd65::3/128'] } };

/** Named after what Kubernetes' own tests of network plugins ask. */
const conformance: readonly Case[] = [
  kubernetes('default deny of ingress', 'ingress', { policyTypes: ['Ingress'] }),
  kubernetes('default deny of egress', 'egress', { policyTypes: ['Egress'] }),
  kubernetes('default deny of both leaves no way in', 'ingress', { policyTypes: ['Ingress', 'Egress'] }),
  kubernetes('deny of egress leaves ingress open', 'ingress', { policyTypes: ['Egress'] }),
  kubernetes('allow all ingress', 'ingress', { ingress: [{}] }),
  kubernetes('allow all egress', 'egress', { policyTypes: ['Egress'], egress: [{}] }),
  kubernetes('from pods', 'ingress', from(WEB)),
  kubernetes(
    'from pods by expressions',
    'ingress',
    from({ podSelector: { matchExpressions: [{ key: 'role', operator: 'NotIn', values: ['web'] }] } }),
  ),
  kubernetes(
    'from pods with a label of any value',
    'ingress',
    from({ podSelector: { matchExpressions: [{ key: 'role', operator: 'Exists' }] } }),
  ),
  kubernetes(
    'from pods without a label',
    'ingress',
    from({ podSelector: { matchExpressions: [{ key: 'role', operator: 'DoesNotExist' }] } }),
  ),
  kubernetes('from all pods of the namespace', 'ingress', from({ podSelector: {} })),
  kubernetes('from a namespace', 'ingress', from(TEST)),
  kubernetes('from all namespaces', 'ingress', from({ namespaceSelector: {} })),
  kubernetes('from pods of a namespace', 'ingress', from({ ...WEB, ...TEST })),
  kubernetes('from pods or a namespace', 'ingress', from(WEB, TEST)),
  kubernetes('from a block with an exception', 'ingress', from(BLOCK)),
  kubernetes('from a block of IPv6 with an exception', 'ingress', from(BLOCK6)),
  kubernetes('to pods', 'egress', to(WEB)),
  kubernetes('to a namespace', 'egress', to(TEST)),
  kubernetes('to pods of a namespace', 'egress', to({ ...WEB, ...TEST })),
  kubernetes('to a block with an exception', 'egress', to(BLOCK)),
  kubernetes('to a block of IPv6 with an exception', 'egress', to(BLOCK6)),
  kubernetes('a port', 'ingress', { ingress: [{ ports: [{ port: 8080 }] }] }),
  kubernetes('a port of UDP', 'ingress', { ingress: [{ ports: [{ protocol: 'UDP', port: 8080 }] }] }),
  kubernetes('a port by name', 'ingress', { ingress: [{ ports: [{ port: 'http' }] }] }),
  kubernetes('ports up to endPort', 'ingress', { ingress: [{ ports: [{ port: 8000, endPort: 8100 }] }] }),
  kubernetes('several ports', 'ingress', { ingress: [{ ports: [{ port: 8080 }, { port: 9090 }] }] }),
  kubernetes('a port of some pods', 'ingress', { ingress: [{ from: [WEB], ports: [{ port: 9090 }] }] }),
  kubernetes('a port for all and another for some', 'ingress', {
    ingress: [{ ports: [{ port: 8080 }] }, { from: [WEB], ports: [{ port: 9090 }] }],
  }),
  kubernetes('SCTP alone stops TCP and UDP', 'ingress', {
    ingress: [{ ports: [{ protocol: 'SCTP', port: 8080 }] }],
  }),
  kubernetes('ports by name on the way out', 'egress', {
    policyTypes: ['Egress'],
    egress: [{ ports: [{ port: 'http' }] }],
  }),
  kubernetes('an update of the rules', 'ingress', from(WEB), {
    changed: (me) => [kubernetesPolicy(me, from(TEST))],
  }),
  kubernetes(
    'an update of the ports',
    'ingress',
    { ingress: [{ ports: [{ port: 8080 }] }] },
    { changed: (me) => [kubernetesPolicy(me, { ingress: [{ ports: [{ port: 9090 }] }] })] },
  ),
  kubernetes('a removal', 'ingress', { policyTypes: ['Ingress'] }, { changed: () => [] }),
  kubernetes('a removal on the way out', 'egress', { policyTypes: ['Egress'] }, { changed: () => [] }),
  kubernetes(
    'a pod that it no longer selects',
    'ingress',
    {},
    {
      labels: { phase: 'one' },
      resources: (me) => [
        kubernetesPolicy({ ...me, podSelector: { matchLabels: { case: me.id, phase: 'one' } } }, {}),
      ],
      changedLabels: { phase: 'two' },
    },
  ),
  kubernetes(
    'a pod that it comes to select',
    'ingress',
    {},
    {
      labels: { phase: 'one' },
      resources: (me) => [
        kubernetesPolicy({ ...me, podSelector: { matchLabels: { case: me.id, phase: 'two' } } }, {}),
      ],
      changedLabels: { phase: 'two' },
    },
  ),
  kubernetes(
    'peers whose labels change',
    'ingress',
    from({ podSelector: { matchLabels: { mood: 'good' } } }),
  ),
  kubernetes(
    'namespaces whose labels change',
    'ingress',
    from({ namespaceSelector: { matchLabels: { mood: 'good' } } }),
  ),
  kubernetes('policies that add up', 'ingress', from(WEB), {
    resources: (me) => [
      kubernetesPolicy(me, from(WEB)),
      kubernetesPolicy({ ...me, id: `${me.id}-more` }, { podSelector: me.podSelector, ...from(TEST) }),
    ],
  }),
];

function clusterPolicy(me: Me, tier: 'Admin' | 'Baseline', rule: object): object {
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: me.id },
    spec: {
      tier,
      priority: 10,
      subject: { pods: { namespaceSelector: {}, podSelector: me.podSelector } },
      ingress: [rule],
    },
  };
}

const FROM_TEST = { from: [{ namespaces: { matchLabels: { name: 'test' } } }] };

/** How policies stand to one another. */
const together: readonly Case[] = [
  {
    it: 'ClusterNetworkPolicy denies',
    direction: 'ingress',
    resources: (me) => [clusterPolicy(me, 'Admin', { action: 'Deny', ...FROM_TEST })],
  },
  {
    it: 'ClusterNetworkPolicy accepts what NetworkPolicy would stop',
    direction: 'ingress',
    resources: (me) => [
      clusterPolicy(me, 'Admin', { action: 'Accept', ...FROM_TEST }),
      kubernetesPolicy(me, {}),
    ],
  },
  {
    it: 'ClusterNetworkPolicy passes on to NetworkPolicy',
    direction: 'ingress',
    resources: (me) => [
      clusterPolicy(me, 'Admin', { action: 'Pass', ...FROM_TEST }),
      kubernetesPolicy(me, from(WEB)),
    ],
  },
  {
    it: 'a baseline denies where nothing else speaks',
    direction: 'ingress',
    resources: (me) => [clusterPolicy(me, 'Baseline', { action: 'Deny', ...FROM_TEST })],
  },
  {
    it: 'order decides between policies',
    direction: 'ingress',
    resources: (me) => [
      policy('NetworkPolicy', me, { order: 20, selector: me.selector, ingress: [{ action: 'Allow' }] }),
      policy(
        'NetworkPolicy',
        me,
        { order: 10, selector: me.selector, ingress: [{ action: 'Deny', protocol: 'UDP' }] },
        `${me.id}-first`,
      ),
    ],
    changed: (me) => [
      policy('NetworkPolicy', me, { order: 5, selector: me.selector, ingress: [{ action: 'Allow' }] }),
      policy(
        'NetworkPolicy',
        me,
        { order: 10, selector: me.selector, ingress: [{ action: 'Deny', protocol: 'UDP' }] },
        `${me.id}-first`,
      ),
    ],
  },
  {
    it: 'Pass leads to the next tier',
    direction: 'ingress',
    resources: (me) => [
      policy('GlobalNetworkPolicy', me, {
        tier: 'strict',
        selector: me.selector,
        ingress: [{ action: 'Pass', protocol: 'TCP' }],
      }),
      policy('NetworkPolicy', me, { selector: me.selector, ingress: [{ action: 'Allow', destination: {} }] }),
    ],
  },
  {
    it: 'a tier that passes by default',
    direction: 'ingress',
    resources: (me) => [
      policy('GlobalNetworkPolicy', me, {
        tier: 'lenient',
        selector: me.selector,
        ingress: [{ action: 'Deny', protocol: 'UDP' }],
      }),
    ],
  },
  {
    it: 'Log changes nothing',
    direction: 'ingress',
    resources: (me) => [
      policy('NetworkPolicy', me, {
        selector: me.selector,
        ingress: [{ action: 'Log' }, { action: 'Allow', protocol: 'TCP' }],
      }),
    ],
  },
  {
    it: 'a staged policy changes nothing',
    direction: 'ingress',
    resources: (me) => [policy('StagedNetworkPolicy', me, { selector: me.selector, ingress: [] })],
    changed: (me) => [policy('NetworkPolicy', me, { selector: me.selector, ingress: [] })],
  },
  {
    it: 'HTTP matches fail closed',
    direction: 'ingress',
    resources: (me) => [
      policy('NetworkPolicy', me, {
        selector: me.selector,
        ingress: [{ action: 'Allow', http: { methods: ['GET'] } }],
      }),
    ],
  },
  {
    it: 'serviceAccountSelector of a policy',
    direction: 'ingress',
    resources: (me) => [
      policy('NetworkPolicy', me, {
        selector: me.selector,
        serviceAccountSelector: "trusted == 'yes'",
        ingress: [],
      }),
    ],
  },
  {
    it: 'namespaceSelector of a policy',
    direction: 'ingress',
    resources: (me) => [
      policy('GlobalNetworkPolicy', me, {
        selector: me.selector,
        namespaceSelector: "name == 'prod'",
        ingress: [{ action: 'Deny', protocol: 'UDP' }, { action: 'Allow' }],
      }),
    ],
  },
  {
    it: 'preDNAT and doNotTrack say nothing to workloads',
    direction: 'ingress',
    resources: (me) => [
      policy('GlobalNetworkPolicy', me, {
        selector: me.selector,
        applyOnForward: true,
        preDNAT: true,
        types: ['Ingress'],
        ingress: [{ action: 'Deny' }],
      }),
    ],
  },
];

export const CASES: readonly Case[] = [...alone, ...pairs, ...conformance, ...together].filter(isValid);
