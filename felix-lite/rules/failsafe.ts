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
  return [
    {
      name: FAILSAFE_IN,
      rules: [
        ...open(inbound, 'destination', 'source'),
        ...(answers ? open(outbound, 'source', 'source') : []),
      ],
    },
    {
      name: FAILSAFE_OUT,
      rules: [
        ...open(outbound, 'destination', 'destination'),
        ...(answers ? open(inbound, 'source', 'destination') : []),
      ],
    },
  ];
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
