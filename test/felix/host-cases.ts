/**
 * Policy of the node's own interfaces, as a table for packets: how an endpoint is found, what its policy says at each
 * place where it can be asked, and how these places stand to one another. Every case is about one interface of its own.
 */
import { NODE } from './node.ts';
import { UPLINK, subnetOf, uplinkOf } from './network.ts';

export interface HostCase {
  readonly it: string;
  /** Where an endpoint names itself; default: by the name of its interface. */
  readonly endpoint?: (index: number) => object | undefined;
  readonly policies: readonly HostPolicy[];
}

export interface HostPolicy {
  /** Fields of the policy's spec, apart from the selector. */
  readonly spec: object;
}

const ALLOW = { action: 'Allow' };
const DENY = { action: 'Deny' };
const LOG = { action: 'Log' };
const PASS = { action: 'Pass' };
const TCP_8080 = { protocol: 'TCP', destination: { ports: [8080] } };
const OPEN_PROFILE = { profiles: ['open'] };

/** At which places a policy is asked. */
const STAGES = {
  'normal policy': {},
  'policy on forward': { applyOnForward: true },
  'policy before DNAT': { applyOnForward: true, preDNAT: true },
  'policy without tracking': { applyOnForward: true, doNotTrack: true },
} as const;

const RULES = {
  'allows all': [ALLOW],
  'denies all': [DENY],
  'allows a port': [{ ...ALLOW, ...TCP_8080 }],
  'denies a port and allows the rest': [{ ...DENY, ...TCP_8080 }, ALLOW],
  'logs and passes': [LOG, { ...PASS, protocol: 'TCP' }, DENY],
  'denies peers by net': [
    { ...DENY, source: { nets: ['172.20.0.0/16'] } },
    { ...DENY, ipVersion: 6, protocol: 'UDP' },
  ],
  'denies by ICMP type': [
    { ...DENY, protocol: 'ICMP', icmp: { type: 8 } },
    { ...DENY, protocol: 'ICMPv6', icmp: { type: 128 } },
  ],
  'allows SCTP alone': [{ ...ALLOW, protocol: 'SCTP' }],
  'denies by a set': [
    { ...DENY, source: { selector: "set == 'office'" } },
    { ...DENY, destination: { selector: "role == 'web'" } },
  ],
  'says nothing': [],
} as const;

function byStage(): readonly HostCase[] {
  return Object.entries(STAGES).flatMap(([stage, flags]) =>
    Object.entries(RULES).flatMap(([said, rules]) =>
      (['Ingress', 'Egress'] as const)
        // The door refuses what is before DNAT for what goes out.
        .filter((type) => type === 'Ingress' || !('preDNAT' in flags))
        .map(
          (type): HostCase => ({
            it: `${stage} ${said}, ${type.toLowerCase()}`,
            policies: [{ spec: { ...flags, types: [type], [type.toLowerCase()]: rules } }],
          }),
        ),
    ),
  );
}

const both = (rules: readonly object[], more: object = {}): HostPolicy => ({
  spec: { ...more, types: ['Ingress', 'Egress'], ingress: rules, egress: rules },
});
const ingress = (rules: readonly object[], more: object = {}): HostPolicy => ({
  spec: { ...more, types: ['Ingress'], ingress: rules },
});
const FORWARD = { applyOnForward: true };
const BEFORE_DNAT = { applyOnForward: true, preDNAT: true };
const UNTRACKED = { applyOnForward: true, doNotTrack: true };

const found: readonly HostCase[] = [
  { it: 'no endpoint: all passes', endpoint: () => undefined, policies: [both([DENY])] },
  { it: 'no policy and no profile: only what is always open', policies: [] },
  {
    it: 'no policy and an open profile',
    endpoint: (index) => ({ interfaceName: uplinkOf(index), ...OPEN_PROFILE }),
    policies: [],
  },
  {
    it: 'an unknown profile',
    endpoint: (index) => ({ interfaceName: uplinkOf(index), profiles: ['unknown'] }),
    policies: [],
  },
  {
    it: 'by an address of IPv4',
    endpoint: (index) => ({ expectedIPs: [subnetOf(index).node[4]] }),
    policies: [both([{ ...ALLOW, ...TCP_8080 }], FORWARD)],
  },
  {
    it: 'by an address of IPv6',
    endpoint: (index) => ({ expectedIPs: ['192.0.2.77', subnetOf(index).node[6]] }),
    policies: [both([{ ...ALLOW, ...TCP_8080 }], FORWARD)],
  },
  {
    it: 'by an address that nobody has: all passes',
    endpoint: () => ({ expectedIPs: ['192.0.2.78'] }),
    policies: [both([DENY])],
  },
  {
    it: 'by the name of its interface, whatever its addresses',
    endpoint: (index) => ({ interfaceName: uplinkOf(index), expectedIPs: ['192.0.2.79'] }),
    policies: [both([{ ...ALLOW, ...TCP_8080 }])],
  },
  {
    it: 'of another node: all passes',
    endpoint: (index) => ({ interfaceName: uplinkOf(index), node: 'other' }),
    policies: [both([DENY], FORWARD)],
  },
  {
    it: 'a port by its name',
    endpoint: (index) => ({
      interfaceName: uplinkOf(index),
      expectedIPs: [subnetOf(index).node[4], subnetOf(index).node[6]],
      ports: [{ name: 'api', protocol: 'TCP', port: 9090 }],
    }),
    policies: [ingress([{ ...ALLOW, protocol: 'TCP', destination: { ports: ['api'] } }])],
  },
  {
    it: 'by the labels of the endpoint of a peer’s profile',
    endpoint: (index) => ({ interfaceName: uplinkOf(index), profiles: ['lent'] }),
    policies: [],
  },
];

const together: readonly HostCase[] = [
  {
    it: 'without tracking allowed, denied later',
    policies: [both([{ ...ALLOW, ...TCP_8080 }], UNTRACKED), both([DENY], FORWARD)],
  },
  {
    it: 'without tracking denied, allowed later',
    policies: [both([{ ...DENY, ...TCP_8080 }], UNTRACKED), both([ALLOW], FORWARD)],
  },
  {
    it: 'before DNAT allowed, denied later',
    policies: [ingress([{ ...ALLOW, ...TCP_8080 }], BEFORE_DNAT), both([DENY], FORWARD)],
  },
  {
    it: 'before DNAT denied, allowed later',
    policies: [ingress([{ ...DENY, ...TCP_8080 }], BEFORE_DNAT), both([ALLOW], FORWARD)],
  },
  {
    it: 'without tracking and before DNAT',
    policies: [
      ingress([{ ...ALLOW, ...TCP_8080 }], UNTRACKED),
      ingress([DENY], BEFORE_DNAT),
      both([ALLOW], FORWARD),
    ],
  },
  {
    it: 'normal policy says nothing of what is forwarded',
    policies: [both([DENY])],
  },
  {
    it: 'normal policy and one on forward, in order',
    policies: [
      both([{ ...DENY, protocol: 'UDP' }], { order: 1 }),
      both([{ ...ALLOW }], { ...FORWARD, order: 2 }),
    ],
  },
  {
    it: 'a policy on forward before a normal one',
    policies: [
      both([{ ...DENY, protocol: 'UDP' }], { ...FORWARD, order: 1 }),
      both([{ ...ALLOW }], { order: 2 }),
    ],
  },
  {
    it: 'a tier that denies at its end',
    policies: [both([{ ...PASS, protocol: 'TCP' }], { tier: 'strict', ...FORWARD }), both([ALLOW], FORWARD)],
  },
  {
    it: 'a tier that passes at its end',
    policies: [
      both([{ ...DENY, protocol: 'UDP' }], { tier: 'lenient' }),
      both([{ ...ALLOW, protocol: 'TCP' }]),
    ],
  },
  {
    it: 'passed by all tiers, to an open profile',
    endpoint: (index) => ({ interfaceName: uplinkOf(index), ...OPEN_PROFILE }),
    policies: [both([PASS])],
  },
  {
    it: 'a tier that denies at its end, without tracking: what is not spoken of goes on',
    policies: [
      both([{ ...DENY, protocol: 'UDP' }], { tier: 'strict', ...UNTRACKED }),
      both([ALLOW], FORWARD),
    ],
  },
];

export const HOST_CASES: readonly HostCase[] = [...found, ...together, ...byStage()];

/** The endpoint and the policies of a case, which select it alone. */
export function hostResources({ endpoint, policies }: HostCase, index: number): readonly object[] {
  const id = `h${index}`;
  const place = endpoint === undefined ? { interfaceName: uplinkOf(index) } : endpoint(index);
  return [
    ...(place === undefined
      ? []
      : [
          {
            apiVersion: 'projectcalico.org/v3',
            kind: 'HostEndpoint',
            metadata: { name: id, labels: { case: id } },
            spec: { node: NODE, ...place },
          },
        ]),
    ...policies.map(({ spec }, at) => ({
      apiVersion: 'projectcalico.org/v3',
      kind: 'GlobalNetworkPolicy',
      metadata: { name: nameIn(spec, `${id}-${at}`) },
      spec: { selector: `case == '${id}'`, ...spec },
    })),
  ];
}

function nameIn(spec: object, name: string): string {
  return 'tier' in spec ? `${String(spec.tier)}.${name}` : name;
}

/** What all cases share. */
export const HOST_SURROUNDINGS: readonly object[] = [
  { kind: 'Tier', metadata: { name: 'strict' }, spec: { order: 10 } },
  { kind: 'Tier', metadata: { name: 'lenient' }, spec: { order: 20, defaultAction: 'Pass' } },
  { kind: 'Profile', metadata: { name: 'open' }, spec: { ingress: [ALLOW], egress: [ALLOW] } },
  {
    kind: 'Profile',
    metadata: { name: 'lent' },
    spec: { ingress: [{ ...ALLOW, source: { selector: "set == 'office'" } }], egress: [DENY] },
  },
  {
    kind: 'GlobalNetworkSet',
    metadata: { name: 'office', labels: { set: 'office' } },
    spec: { nets: ['172.20.0.0/16', 'fd20::/32', `${UPLINK[4]}/32`] },
  },
].map((each) => ({ apiVersion: 'projectcalico.org/v3', ...each }));

/** The endpoint of all interfaces that have none of their own, and its policies. */
export const ALL_INTERFACES: readonly object[] = [
  {
    kind: 'HostEndpoint',
    metadata: { name: 'every', labels: { every: 'yes' } },
    spec: { node: NODE, interfaceName: '*' },
  },
  {
    kind: 'GlobalNetworkPolicy',
    metadata: { name: 'every' },
    spec: {
      selector: "every == 'yes'",
      applyOnForward: true,
      types: ['Ingress', 'Egress'],
      ingress: [{ ...DENY, protocol: 'UDP' }, ALLOW],
      egress: [{ ...DENY, protocol: 'SCTP' }, ALLOW],
    },
  },
  {
    kind: 'GlobalNetworkPolicy',
    metadata: { name: 'every-before' },
    spec: {
      selector: "every == 'yes'",
      ...BEFORE_DNAT,
      types: ['Ingress'],
      ingress: [{ ...DENY, protocol: 'TCP', destination: { ports: [9090] } }],
    },
  },
].map((each) => ({ apiVersion: 'projectcalico.org/v3', ...each }));
