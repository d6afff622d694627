/** The chains that do not depend on endpoints: how packets come to the dispatch chains, and what frames them. */
import type { IpVersion } from '../../net/addr/index.ts';
import { FROM_WORKLOAD, TO_WORKLOAD } from './dispatch.ts';
import { type Failsafes, failsafeChains } from './failsafe.ts';
import { FROM_HOST_ENDPOINT, FROM_HOST_FORWARD, TO_HOST_ENDPOINT, TO_HOST_FORWARD } from './host-chains.ts';
import type { Marks } from './marks.ts';
import { RPF_SKIP, rpfSkipChain } from './source-spoofing.ts';
import { natChains, natHooks, type NatOptions } from './nat.ts';
import { incomingMark, tunnelInput, type TunnelOptions, tunnelOutput, tunnelUntracked } from './tunnels.ts';
import {
  type Chain,
  type Hook,
  type HookName,
  type Match,
  type Rule,
  type TableName,
  rule,
} from './types.ts';

export interface ServiceLoops {
  readonly cidrs: readonly string[];
  readonly action: 'drop' | 'reject';
}

export interface StaticOptions {
  readonly marks: Marks;
  /** Interfaces whose names begin so are workloads', and nobody else's. */
  readonly interfacePrefix: string;
  /** What becomes of packets from a workload to this host itself that its egress policy allows. */
  readonly endpointToHost: 'Drop' | 'Accept' | 'Return';
  /** Of host endpoints. */
  readonly failsafes: Failsafes;
  /** Workloads may send from the prefixes that their endpoints name. */
  readonly sourceSpoofing: boolean;
  /** Absent: no pool needs a tunnel. */
  readonly tunnels?: TunnelOptions;
  /** Prefixes of services, told to peers, that go round in circles where no service answers; absent: none. */
  readonly loops?: ServiceLoops;
  /** Absent: no address is changed. */
  readonly nat?: NatOptions;
}

const ICMPV6 = 58;
/**
 * ICMPv6 that a router must hear, whatever policy says: multicast listener query, report and done, router
 * solicitation, neighbour solicitation and advertisement (RFC 4861, RFC 2710).
 */
const NEIGHBOUR_TYPES = [130, 131, 132, 133, 135, 136];

export function staticHooks(options: StaticOptions): ReadonlyMap<TableName, readonly Hook[]> {
  const accept = options.marks.accept;
  const hooks = options.nat === undefined ? [] : natHooks(options.nat);
  const nat: [TableName, readonly Hook[]][] =
    hooks.length > 0 ? [['nat', hooks.map((name) => hook(name))]] : [];
  return new Map<TableName, readonly Hook[]>([
    ...nat,
    ['raw', [hook('PREROUTING'), hook('OUTPUT')]],
    ['mangle', [hook('PREROUTING'), hook('POSTROUTING')]],
    [
      'filter',
      [
        hook('INPUT'),
        hook('FORWARD', [
          ...acceptAccepted(options.marks),
          // Says in mangle POSTROUTING that the packet is forwarded, and no business of the host's own policy.
          rule([], { kind: 'set-mark', value: accept, mask: accept }),
        ]),
        hook('OUTPUT'),
      ],
    ],
  ]);
}

function hook(chain: HookName, last: readonly Rule[] = []): Hook {
  return { chain, first: jump(`cali-${chain}`), last };
}

function jump(chain: string): readonly Rule[] {
  return [rule([], { kind: 'jump', chain })];
}

/** Behind the rules of others in FORWARD, so that theirs may still refuse what policy allows. */
function acceptAccepted(marks: Marks): readonly Rule[] {
  return [
    rule(
      [{ kind: 'mark', value: marks.accept, mask: marks.accept }],
      { kind: 'accept' },
      'Policy explicitly accepted packet.',
    ),
  ];
}

export function staticChains(
  version: IpVersion,
  options: StaticOptions,
): ReadonlyMap<TableName, readonly Chain[]> {
  const failsafes = (table: TableName): readonly Chain[] => failsafeChains(options.failsafes, table, version);
  const nat = options.nat === undefined ? undefined : natChains(version, options.nat);
  return new Map<TableName, readonly Chain[]>([
    ...(nat === undefined ? [] : ([['nat', nat]] as const)),
    [
      'raw',
      [
        rawPrerouting(version, options),
        ...incomingMark(options.tunnels, options.interfacePrefix).chains,
        rawOutput(version, options),
        rpfSkipChain(new Map(), version),
        ...failsafes('raw'),
      ],
    ],
    ['mangle', [manglePrerouting(options), manglePostrouting(options), ...failsafes('mangle')]],
    [
      'filter',
      [
        forward(options),
        ...(options.loops === undefined ? [] : [cidrBlock(version, options.loops)]),
        input(version, options),
        output(version, options),
        workloadToHost(version, options),
        ...failsafes('filter'),
      ],
    ],
  ]);
}

function accepted({ accept }: Marks): readonly Match[] {
  return [{ kind: 'mark', value: accept, mask: accept }];
}

/** To a host endpoint's policy, and what it allows out of our way. */
function judged(chain: string, marks: Marks, kind: 'accept' | 'return'): readonly Rule[] {
  return [
    rule([], { kind: 'jump', chain }),
    rule(accepted(marks), { kind }, 'Host endpoint policy accepted packet.'),
  ];
}

/** A workload may not use an address that is routed elsewhere. What is allowed here is seen by no later policy of hosts. */
function rawPrerouting(version: IpVersion, { marks, interfacePrefix, tunnels }: StaticOptions): Chain {
  const fromWorkload = marks.scratch0;
  return {
    name: 'cali-PREROUTING',
    rules: [
      rule([], { kind: 'clear-mark', mask: marks.all }),
      ...incomingMark(tunnels, interfacePrefix).first,
      ...tunnelUntracked(version, tunnels),
      rule([{ kind: 'in-interface', name: `${interfacePrefix}+` }], {
        kind: 'set-mark',
        value: fromWorkload,
        mask: fromWorkload,
      }),
      rule([{ kind: 'mark', value: fromWorkload, mask: fromWorkload }], { kind: 'jump', chain: RPF_SKIP }),
      rule([{ kind: 'mark', value: fromWorkload, mask: fromWorkload }, { kind: 'rpf-failed' }], {
        kind: 'drop',
      }),
      rule([{ kind: 'mark-clear', mask: fromWorkload }], { kind: 'jump', chain: FROM_HOST_ENDPOINT }),
      rule(accepted(marks), { kind: 'accept' }),
    ],
  };
}

function rawOutput(version: IpVersion, { marks, tunnels }: StaticOptions): Chain {
  return {
    name: 'cali-OUTPUT',
    rules: [
      rule([], { kind: 'clear-mark', mask: marks.all }),
      rule([], { kind: 'jump', chain: TO_HOST_ENDPOINT }),
      ...tunnelUntracked(version, tunnels),
      rule(accepted(marks), { kind: 'accept' }),
    ],
  };
}

function manglePrerouting({ marks }: StaticOptions): Chain {
  return {
    name: 'cali-PREROUTING',
    rules: [
      rule([{ kind: 'conntrack', states: 'RELATED,ESTABLISHED' }], { kind: 'accept' }),
      rule(accepted(marks), { kind: 'accept' }),
      ...judged(FROM_HOST_ENDPOINT, marks, 'accept'),
    ],
  };
}

/**
 * What the host itself sends to a destination that somebody's DNAT has changed: only here is it known by which interface
 * it leaves. Forwarded packets come with the accept bit.
 */
function manglePostrouting({ marks }: StaticOptions): Chain {
  return {
    name: 'cali-POSTROUTING',
    rules: [
      rule(accepted(marks), { kind: 'return' }),
      rule([], { kind: 'clear-mark', mask: marks.all }),
      rule([{ kind: 'destination-changed' }], { kind: 'jump', chain: TO_HOST_ENDPOINT }),
      rule(accepted(marks), { kind: 'return' }, 'Host endpoint policy accepted packet.'),
    ],
  };
}

/**
 * More than one may apply: a packet between two workloads of this node meets the egress policy of one, then the ingress
 * of the other; one from outside meets that of the interface it came by first.
 */
function forward({ marks, interfacePrefix, loops }: StaticOptions): Chain {
  const workloads = `${interfacePrefix}+`;
  return {
    name: 'cali-FORWARD',
    rules: [
      // Other rules may have left bits behind; the accept bit is the word of our earlier tables.
      rule([], { kind: 'clear-mark', mask: marks.all - marks.accept }),
      rule([{ kind: 'mark-clear', mask: marks.accept }], { kind: 'jump', chain: FROM_HOST_FORWARD }),
      rule([{ kind: 'in-interface', name: workloads }], { kind: 'jump', chain: FROM_WORKLOAD }),
      rule([{ kind: 'out-interface', name: workloads }], { kind: 'jump', chain: TO_WORKLOAD }),
      rule([], { kind: 'jump', chain: TO_HOST_FORWARD }),
      ...(loops === undefined ? [] : [rule([], { kind: 'jump', chain: CIDR_BLOCK })]),
    ],
  };
}

const CIDR_BLOCK = 'cali-cidr-block';

/**
 * A packet for a service has another destination by now, if somebody answers for it. One that has not would go by the default
 * route to the router that sent it here because we told it of the prefix.
 */
function cidrBlock(version: IpVersion, { cidrs, action }: ServiceLoops): Chain {
  const own = cidrs.filter((cidr) => cidr.includes(':') === (version === 6)).sort();
  return {
    name: CIDR_BLOCK,
    rules: own.map((net) => rule([{ kind: 'net', side: 'destination', net }], { kind: action })),
  };
}

function input(version: IpVersion, { marks, interfacePrefix, tunnels }: StaticOptions): Chain {
  return {
    name: 'cali-INPUT',
    rules: [
      ...tunnelInput(version, tunnels),
      rule([{ kind: 'in-interface', name: `${interfacePrefix}+` }], {
        kind: 'goto',
        chain: 'cali-wl-to-host',
      }),
      rule(accepted(marks), { kind: 'accept' }),
      rule([], { kind: 'clear-mark', mask: marks.all }),
      ...judged(FROM_HOST_ENDPOINT, marks, 'accept'),
    ],
  };
}

/** The host may always reach its own workloads: whoever holds the host holds these rules too. */
function output(version: IpVersion, { marks, interfacePrefix, tunnels }: StaticOptions): Chain {
  return {
    name: 'cali-OUTPUT',
    rules: [
      rule(accepted(marks), { kind: 'accept' }),
      rule([{ kind: 'out-interface', name: `${interfacePrefix}+` }], { kind: 'return' }),
      ...tunnelOutput(version, tunnels),
      rule([], { kind: 'clear-mark', mask: marks.all }),
      rule([{ kind: 'destination-changed', not: true }], { kind: 'jump', chain: TO_HOST_ENDPOINT }),
      rule(accepted(marks), { kind: 'accept' }, 'Host endpoint policy accepted packet.'),
    ],
  };
}

function workloadToHost(version: IpVersion, { marks, endpointToHost }: StaticOptions): Chain {
  const neighbours = NEIGHBOUR_TYPES.map((type) => {
    const matches: readonly Match[] = [
      { kind: 'protocol', protocol: ICMPV6 },
      { kind: 'icmp', type },
    ];
    return rule(matches, { kind: 'accept' });
  });
  const action = { Drop: 'drop', Accept: 'accept', Return: 'return' } as const;
  return {
    name: 'cali-wl-to-host',
    rules: [
      ...(version === 6 ? neighbours : []),
      rule([], { kind: 'clear-mark', mask: marks.all }),
      rule([], { kind: 'jump', chain: FROM_WORKLOAD }),
      rule([], { kind: action[endpointToHost] }, 'Configured DefaultEndpointToHostAction'),
    ],
  };
}
