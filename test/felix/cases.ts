/**
 * What policy can say, as a table for packets: each feature of a rule alone, allowing and denying, for what comes and what
 * goes, then each with each other, then the shapes of Kubernetes' own policies, with what becomes of them later. Every
 * case is about one workload of its own, so that all stand at once; what must happen to packets the evaluator says.
 */
import { validate } from '../../api/index.ts';
import type { Case, Me } from './case.ts';
import { CLUSTER_CASES } from './cluster-cases.ts';
import { KUBERNETES_CASES, kubernetesPolicy } from './kubernetes-cases.ts';

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

/** No two beside each other, so that they are not a range. */
const MANY_PORTS = Array.from({ length: 24 }, (_, index) => 100 + 2 * index);

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
  ['more ports than one kernel rule takes', port({ ports: [8080, ...MANY_PORTS] })],
  ['more notPorts than one kernel rule takes', port({ notPorts: [9090, ...MANY_PORTS] })],
];

/** More of them, of protocols that are rarer in policies. */
const RARER: readonly Fragment[] = [
  ['ports of the source', () => ({ protocol: 'TCP', source: { ports: [SOURCE_PORT] } })],
  ['notPorts of the source', () => ({ protocol: 'TCP', source: { notPorts: [SOURCE_PORT] } })],
  ['protocol SCTP', () => ({ protocol: 'SCTP' })],
  ['ports of SCTP', port({ ports: [8080] }, 'SCTP')],
  ['ports by name of SCTP', port({ ports: ['signals'] }, 'SCTP')],
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
  const namespace = /^(?:Staged)?Global/.test(kind) ? {} : { namespace: 'prod' };
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
    const kind = KINDS[b % 2] ?? KINDS[0];
    return [{ ...ruleCase(`${nameA} and ${nameB}`, rule, direction, action, kind), about: rule }];
  }),
);

/** How policies stand to one another. */
const together: readonly Case[] = [
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
    it: 'equal orders: by name, then that of the cluster before that of the namespace',
    direction: 'ingress',
    resources: (me) => [
      policy('NetworkPolicy', me, { selector: me.selector, ingress: [{ action: 'Allow' }] }),
      policy('GlobalNetworkPolicy', me, {
        selector: me.selector,
        ingress: [{ action: 'Deny', protocol: 'UDP' }],
      }),
    ],
    changed: (me) => [
      policy('NetworkPolicy', me, { selector: me.selector, ingress: [{ action: 'Allow' }] }, `${me.id}-a`),
      policy(
        'GlobalNetworkPolicy',
        me,
        { selector: me.selector, ingress: [{ action: 'Deny', protocol: 'UDP' }] },
        `${me.id}-b`,
      ),
    ],
  },
  {
    it: 'equal orders and names: by kind, so that of Kubernetes comes first',
    direction: 'ingress',
    resources: (me) => [
      policy('NetworkPolicy', me, { order: 1000, selector: me.selector, ingress: [{ action: 'Deny' }] }),
      kubernetesPolicy(me, { ingress: [{ ports: [{ port: 8080 }] }] }),
    ],
    changed: (me) => [
      policy('NetworkPolicy', me, { order: 999, selector: me.selector, ingress: [{ action: 'Deny' }] }),
      kubernetesPolicy(me, { ingress: [{ ports: [{ port: 8080 }] }] }),
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
    it: 'a staged policy of the cluster changes nothing',
    direction: 'egress',
    resources: (me) => [
      policy(
        'StagedGlobalNetworkPolicy',
        me,
        { selector: me.selector, types: ['Egress'], egress: [] },
        me.id,
      ),
    ],
    changed: (me) => [
      policy('GlobalNetworkPolicy', me, { selector: me.selector, types: ['Egress'], egress: [] }),
    ],
  },
  {
    it: 'a staged policy of Kubernetes changes nothing, nor does one that is to be deleted',
    direction: 'ingress',
    resources: (me) => [
      policy('StagedKubernetesNetworkPolicy', me, { podSelector: me.podSelector, policyTypes: ['Ingress'] }),
      policy('StagedNetworkPolicy', me, { stagedAction: 'Delete' }, `${me.id}-more`),
      policy(
        'NetworkPolicy',
        me,
        { selector: me.selector, ingress: [{ action: 'Allow', protocol: 'TCP' }] },
        `${me.id}-more`,
      ),
    ],
    changed: (me) => [kubernetesPolicy(me, { policyTypes: ['Ingress'] })],
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

export const CASES: readonly Case[] = [
  ...alone,
  ...pairs,
  ...KUBERNETES_CASES,
  ...CLUSTER_CASES,
  ...together,
].filter(isValid);
