/** The chains that do not depend on endpoints: how packets come to the dispatch chains, and what frames them. */
import type { IpVersion } from '../../net/addr/index.ts';
import { FROM_WORKLOAD, TO_WORKLOAD } from './dispatch.ts';
import type { Marks } from './marks.ts';
import { type Chain, type Hook, type Match, type Rule, type TableName, rule } from './types.ts';

export interface StaticOptions {
  readonly marks: Marks;
  /** Interfaces whose names begin so are workloads', and nobody else's. */
  readonly interfacePrefix: string;
  /** What becomes of packets from a workload to this host itself that its egress policy allows. */
  readonly endpointToHost: 'Drop' | 'Accept' | 'Return';
}

const ICMPV6 = 58;
/**
 * ICMPv6 that a router must hear, whatever policy says: multicast listener query, report and done, router
 * solicitation, neighbour solicitation and advertisement (RFC 4861, RFC 2710).
 */
const NEIGHBOUR_TYPES = [130, 131, 132, 133, 135, 136];

export function staticHooks(options: StaticOptions): ReadonlyMap<TableName, readonly Hook[]> {
  return new Map([
    ['raw', [{ chain: 'PREROUTING', first: jump('cali-PREROUTING'), last: [] }]],
    [
      'filter',
      [
        { chain: 'INPUT', first: jump('cali-INPUT'), last: [] },
        { chain: 'FORWARD', first: jump('cali-FORWARD'), last: acceptAccepted(options.marks) },
      ],
    ],
  ]);
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
  return new Map([
    ['raw', [rawPrerouting(options)]],
    ['filter', [forward(options), input(options), workloadToHost(version, options)]],
  ]);
}

/** A workload may not use an address that is routed elsewhere. */
function rawPrerouting({ marks, interfacePrefix }: StaticOptions): Chain {
  const fromWorkload = marks.scratch0;
  return {
    name: 'cali-PREROUTING',
    rules: [
      rule([], { kind: 'clear-mark', mask: marks.all }),
      rule([{ kind: 'in-interface', name: `${interfacePrefix}+` }], {
        kind: 'set-mark',
        value: fromWorkload,
        mask: fromWorkload,
      }),
      rule([{ kind: 'mark', value: fromWorkload, mask: fromWorkload }, { kind: 'rpf-failed' }], {
        kind: 'drop',
      }),
    ],
  };
}

/** Both may apply: a packet between two workloads of this node meets the egress policy of one, then the ingress of the other. */
function forward({ marks, interfacePrefix }: StaticOptions): Chain {
  const workloads = `${interfacePrefix}+`;
  return {
    name: 'cali-FORWARD',
    rules: [
      // Other rules may have left bits behind. No policy of ours comes before this chain.
      rule([], { kind: 'clear-mark', mask: marks.all }),
      rule([{ kind: 'in-interface', name: workloads }], { kind: 'jump', chain: FROM_WORKLOAD }),
      rule([{ kind: 'out-interface', name: workloads }], { kind: 'jump', chain: TO_WORKLOAD }),
    ],
  };
}

function input({ interfacePrefix }: StaticOptions): Chain {
  return {
    name: 'cali-INPUT',
    rules: [
      rule([{ kind: 'in-interface', name: `${interfacePrefix}+` }], {
        kind: 'goto',
        chain: 'cali-wl-to-host',
      }),
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
