/**
 * Table nat: what leaves the cluster under this node's name, and floating IPs. The table is touched only where one of the
 * two is asked for.
 *
 * A floating IP is another address for a workload, which knows nothing of it: the destination is changed on the way in. What
 * the workload sends of itself keeps its own address; only where it calls itself by its floating IP is the source changed,
 * since nobody takes a packet from his own address out of a cable.
 */
import type { IpVersion } from '../../net/addr/index.ts';
import { ALL_POOLS, MASQUERADED_POOLS } from '../calc/fixed-sets.ts';
import type { AddressPair, PortRange } from '../calc/model.ts';
import { setName } from './names.ts';
import { hosts } from './tunnels.ts';
import { type Chain, type HookName, type Match, type Rule, rule, type Verdict } from './types.ts';

export interface NatOptions {
  /** Versions of pools with natOutgoing. */
  readonly masquerade: readonly IpVersion[];
  /** Packets to nodes keep their source too (natOutgoingExclusions: IPPoolsAndHostIPs). */
  readonly spareHosts: boolean;
  /** IPv4; undefined: that of the interface which the packet leaves by (natOutgoingAddress). */
  readonly address?: string;
  /** Of TCP and UDP; undefined: the kernel's choice (natPortRange). */
  readonly ports?: PortRange;
  /** Only what leaves by these, `+` at the end for all that begin so (iptablesNATOutgoingInterfaceFilter). */
  readonly outInterface?: string;
  readonly floatingIps: boolean;
}

const VERSIONS: readonly IpVersion[] = [4, 6];
export const FLOATING_IN = 'cali-fip-dnat';
export const FLOATING_OUT = 'cali-fip-snat';
const OUTGOING = 'cali-nat-outgoing';

/** The hooks of both versions: they are the same, and what one of them jumps to is there. */
export function natHooks({ masquerade, floatingIps }: NatOptions): readonly HookName[] {
  if (floatingIps) return ['PREROUTING', 'OUTPUT', 'POSTROUTING'];
  return masquerade.length > 0 ? ['POSTROUTING'] : [];
}

/** In which versions the table is kept. */
export function natVersions({ masquerade, floatingIps }: NatOptions): readonly IpVersion[] {
  return floatingIps ? VERSIONS : masquerade;
}

/** Undefined where nothing is changed. */
export function natChains(version: IpVersion, options: NatOptions): readonly Chain[] | undefined {
  const names = natHooks(options);
  if (names.length === 0) return undefined;
  const masquerades = options.masquerade.includes(version);
  const after = [...(options.floatingIps ? [FLOATING_OUT] : []), ...(masquerades ? [OUTGOING] : [])];
  return [
    ...names.map((hook) => ({
      name: `cali-${hook}`,
      rules: (hook === 'POSTROUTING' ? after : [FLOATING_IN]).map(jump),
    })),
    ...(masquerades ? [{ name: OUTGOING, rules: outgoing(version, options) }] : []),
    ...(options.floatingIps ? floatingChains([], version) : []),
  ];
}

/** Of two workloads that claim one floating IP, the lower address has it; each is known outside by its lowest floating IP. */
export function floatingChains(pairs: readonly AddressPair[], version: IpVersion): readonly Chain[] {
  const inward = new Map<string, string>();
  const outward = new Map<string, string>();
  const sorted = pairs
    .filter((pair) => pair.version === version)
    .sort((a, b) => compare(a.internal, b.internal) || compare(a.external, b.external));
  for (const { internal, external } of sorted) if (!inward.has(external)) inward.set(external, internal);
  for (const [external, internal] of [...inward].sort(([a], [b]) => compare(a, b)))
    if (!outward.has(internal)) outward.set(internal, external);
  return [
    {
      name: FLOATING_IN,
      rules: [...inward]
        .sort(([a], [b]) => compare(a, b))
        .map(([external, internal]) =>
          rule([net('destination', external)], { kind: 'dnat', address: internal }),
        ),
    },
    {
      name: FLOATING_OUT,
      rules: [...outward]
        .sort(([a], [b]) => compare(a, b))
        .map(([internal, external]) =>
          rule([net('destination', internal), net('source', internal)], { kind: 'snat', address: external }),
        ),
    },
  ];
}

function outgoing(version: IpVersion, options: NatOptions): readonly Rule[] {
  const { ports, address, outInterface, spareHosts } = options;
  const to = version === 4 ? address : undefined;
  const verdict = (range: PortRange | undefined): Verdict => ({
    ...(to === undefined ? ({ kind: 'masquerade' } as const) : ({ kind: 'snat', address: to } as const)),
    ...(range === undefined ? {} : { ports: range }),
  });
  const matches = (protocol?: string): readonly Match[] => [
    { kind: 'set', side: 'source', set: setName(version, MASQUERADED_POOLS), with: 'address' },
    { kind: 'set', side: 'destination', set: setName(version, ALL_POOLS), with: 'address', not: true },
    ...(spareHosts ? [{ ...hosts(version, 'destination'), not: true } as const] : []),
    ...(protocol === undefined ? [] : [{ kind: 'protocol', protocol } as const]),
    ...(outInterface === undefined ? [] : [{ kind: 'out-interface', name: outInterface } as const]),
  ];
  const ranged = ports === undefined ? [] : ['tcp', 'udp'];
  return [
    ...ranged.flatMap((protocol) => [
      rule(matches(protocol), verdict(ports)),
      rule(matches(protocol), { kind: 'return' }),
    ]),
    rule(matches(), verdict(undefined), 'NAT outgoing: to what is outside all pools'),
  ];
}

function jump(chain: string): Rule {
  return rule([], { kind: 'jump', chain });
}

function net(side: 'source' | 'destination', address: string): Match {
  return { kind: 'net', side, net: address };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
