/**
 * Who may send through tunnels. A tunnel's packets are believed only from nodes that the datastore knows (and from
 * externalNodesList), and a workload may send none unless it is allowed to: behind a masquerade it would look like its node.
 */
import type { IpVersion } from '../../net/addr/index.ts';
import { ALL_HOSTS } from '../calc/fixed-sets.ts';
import { setName } from './names.ts';
import { type Chain, type Match, type Rule, rule, type Verdict } from './types.ts';

export interface TunnelOptions {
  readonly ipip: boolean;
  /** UDP port, by version of the network below; absent: no VXLAN. */
  readonly vxlan: { readonly 4?: number; readonly 6?: number };
  /** The same of WireGuard. */
  readonly wireguard?: { readonly 4?: number; readonly 6?: number };
  /** Where WireGuard encrypts what nodes themselves say: see {@link incomingMark}. */
  readonly encryptsHosts?: {
    /** That leads around the tunnel. */
    readonly mark: number;
    readonly interfaces: readonly string[];
  };
}

type Kind = 'ipip' | 'vxlan' | 'wireguard';

const IPIP = 4;

function encapsulated(kind: Kind, version: IpVersion, options: TunnelOptions): readonly Match[] | undefined {
  if (kind === 'ipip')
    return version === 4 && options.ipip ? [{ kind: 'protocol', protocol: IPIP }] : undefined;
  const port = options[kind]?.[version];
  if (port === undefined) return undefined;
  const ports = { kind: 'ports', side: 'destination', ranges: [{ first: port, last: port }] } as const;
  return [{ kind: 'protocol', protocol: 'udp' }, ports];
}

const KINDS: readonly Kind[] = ['ipip', 'vxlan', 'wireguard'];
const NAMES = { ipip: 'IPIP', vxlan: 'VXLAN', wireguard: 'WireGuard' } as const;

/** For INPUT: from known nodes, and from nobody else. */
export function tunnelInput(version: IpVersion, options: TunnelOptions | undefined): readonly Rule[] {
  return each(version, options, (kind, matches) => [
    rule([...matches, hosts(version, 'source')], ACCEPT, `Allow ${NAMES[kind]} packets from known nodes`),
    // WireGuard knows its peers by their keys, whatever address their packets come from.
    ...(kind === 'wireguard' ? [] : [rule(matches, DROP, `Drop ${NAMES[kind]} packets from others`)]),
  ]);
}

const INCOMING_MARK = 'cali-wireguard-incoming-mark';

/**
 * With it the way back to another node leads into the tunnel, and a strict check of reverse paths (rp_filter) would drop all
 * that comes from that node by any other interface, the tunnel's own packets first. What comes by neither the tunnel nor a
 * workload gets the mark that leads around the tunnel, which the check then goes by (src_valid_mark).
 */
export function incomingMark(
  options: TunnelOptions | undefined,
  workloads: string,
): { readonly chains: readonly Chain[]; readonly first: readonly Rule[] } {
  if (options?.encryptsHosts === undefined) return { chains: [], first: [] };
  const { mark, interfaces } = options.encryptsHosts;
  const others = ['lo', ...interfaces, `${workloads}+`];
  const rules = [
    ...others.map((name) => rule([{ kind: 'in-interface', name }], { kind: 'return' })),
    rule([], { kind: 'set-mark', value: mark, mask: mark }),
  ];
  return {
    chains: [{ name: INCOMING_MARK, rules }],
    first: [rule([], { kind: 'jump', chain: INCOMING_MARK })],
  };
}

/** For OUTPUT: our own tunnels, whatever a host endpoint's policy says. */
export function tunnelOutput(version: IpVersion, options: TunnelOptions | undefined): readonly Rule[] {
  return each(version, options, (kind, matches) => [
    rule([...matches, hosts(version, 'destination')], ACCEPT, `Allow ${NAMES[kind]} packets to known nodes`),
  ]);
}

/**
 * For the raw table: the two directions of a VXLAN tunnel have ports of their own, so that each flow inside would leave a
 * connection without an answer in the kernel's table.
 */
export function tunnelUntracked(version: IpVersion, options: TunnelOptions | undefined): readonly Rule[] {
  const matches = options === undefined ? undefined : encapsulated('vxlan', version, options);
  return matches === undefined ? [] : [rule(matches, { kind: 'notrack' })];
}

const ACCEPT: Verdict = { kind: 'accept' };
const DROP: Verdict = { kind: 'drop' };

export function hosts(version: IpVersion, side: 'source' | 'destination') {
  return { kind: 'set', side, set: setName(version, ALL_HOSTS), with: 'address' } as const;
}

function each(
  version: IpVersion,
  options: TunnelOptions | undefined,
  rules: (kind: Kind, matches: readonly Match[]) => readonly Rule[],
): readonly Rule[] {
  if (options === undefined) return [];
  return KINDS.flatMap((kind) => {
    const matches = encapsulated(kind, version, options);
    return matches === undefined ? [] : rules(kind, matches);
  });
}
