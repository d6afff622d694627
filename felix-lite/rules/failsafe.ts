/**
 * Ports of the host that no host endpoint's policy closes, so that a policy with a mistake in it does not cut the node
 * off from who could correct it (FelixConfiguration `failsafeInboundHostPorts`, `failsafeOutboundHostPorts`).
 */
import type { IpVersion, Prefix } from '../../net/addr/index.ts';
import { type Chain, type Match, type Rule, type Side, type TableName, rule } from './types.ts';

export interface FailsafePort {
  /** IANA number. */
  readonly protocol: number;
  readonly port: number;
  /** Of the other end. Undefined: anyone. */
  readonly net: Prefix | undefined;
}

export interface Failsafes {
  readonly inbound: readonly FailsafePort[];
  readonly outbound: readonly FailsafePort[];
}

const [TCP, UDP] = [6, 17];

function ports(protocol: number, ...numbers: readonly number[]): readonly FailsafePort[] {
  return numbers.map((port) => ({ protocol, port, net: undefined }));
}

/** As Calico's: SSH, DHCP, DNS, BGP, etcd, Typha, the Kubernetes API. */
export const DEFAULT_FAILSAFES: Failsafes = {
  inbound: [...ports(TCP, 22), ...ports(UDP, 68), ...ports(TCP, 179, 2379, 2380, 5473, 6443, 6666, 6667)],
  outbound: [...ports(UDP, 53, 67), ...ports(TCP, 179, 2379, 2380, 5473, 6443, 6666, 6667)],
};

const ICMPV6 = 58;
/**
 * ICMPv6 by which an interface knows its neighbours, routers and groups: listener discovery, router and neighbour
 * discovery (RFC 4890 §4.4.1). Where they are dropped no packet of IPv6 arrives, by whatever port; IPv4 has ARP for them,
 * which no policy closes either. Calico leaves them to policy, and a node whose policy forgets them has no IPv6.
 */
export const NEIGHBOUR_DISCOVERY: readonly number[] = [130, 131, 132, 133, 134, 135, 136, 143];

export const FAILSAFE_IN = 'cali-failsafe-in';
export const FAILSAFE_OUT = 'cali-failsafe-out';

/**
 * In the raw table, answers pass too: they are not known as such there, and half of a connection must not become
 * untracked.
 */
export function failsafeChains(
  { inbound, outbound }: Failsafes,
  table: TableName,
  version: IpVersion,
): readonly Chain[] {
  const open = (list: readonly FailsafePort[], port: Side, peer: Side): readonly Rule[] =>
    list
      .filter(({ net }) => net === undefined || net.version === version)
      .map((each) => rule(matches(each, port, peer), { kind: 'accept' }));
  const answers = table === 'raw';
  // Behind Calico's own, which keep their places and hashes.
  const neighbours = version === 4 ? [] : NEIGHBOUR_DISCOVERY.map(neighbourRule);
  return [
    {
      name: FAILSAFE_IN,
      rules: [
        ...open(inbound, 'destination', 'source'),
        ...(answers ? open(outbound, 'source', 'source') : []),
        ...neighbours,
      ],
    },
    {
      name: FAILSAFE_OUT,
      rules: [
        ...open(outbound, 'destination', 'destination'),
        ...(answers ? open(inbound, 'source', 'destination') : []),
        ...neighbours,
      ],
    },
  ];
}

function neighbourRule(type: number): Rule {
  return rule(
    [
      { kind: 'protocol', protocol: ICMPV6 },
      { kind: 'icmp', type },
    ],
    { kind: 'accept' },
  );
}

function matches({ protocol, port, net }: FailsafePort, portSide: Side, peer: Side): readonly Match[] {
  return [
    { kind: 'protocol', protocol },
    ...(net === undefined || net.length === 0
      ? []
      : [{ kind: 'net', side: peer, net: net.toString() } as const]),
    { kind: 'ports', side: portSide, ranges: [{ first: port, last: port }] },
  ];
}
