/**
 * The MTU of workloads: their packets have to fit, wrapped as they may be, whichever pool the other end is in. Pure.
 */
import { OVERHEADS, poolRoutings } from './encapsulation.ts';
import type { FelixConfiguration } from './kinds/felix-configuration.ts';
import type { IPPool } from './kinds/ip-pool.ts';

export interface PodMtu {
  /** Octets. */
  readonly mtu: number;
  /** What decided, in words. */
  readonly because: string;
}

/** WireGuard's, over IPv4 and over IPv6 (calico-data-model §18). */
const WIREGUARD = { 4: 60, 6: 80 } as const;

/** @param uplink  octets that the network between nodes carries */
export function podMtu(uplink: number, pools: readonly IPPool[], spec: FelixConfiguration['spec']): PodMtu {
  const bare = { mtu: uplink, because: `${uplink} of the uplink` };
  const wrapped = (field: keyof typeof spec, overhead: number): PodMtu => {
    const set = spec[field];
    if (typeof set === 'number' && set > 0) return { mtu: set, because: `FelixConfiguration spec.${field}` };
    return { mtu: uplink - overhead, because: `${uplink} of the uplink less ${overhead} for the tunnel` };
  };
  const found = poolRoutings(pools).map(({ encapsulation, cidr }) => {
    if (encapsulation === 'none') return bare;
    if (encapsulation === 'ipip') return wrapped('ipipMTU', OVERHEADS.ipip);
    return wrapped(cidr.version === 4 ? 'vxlanMTU' : 'vxlanMTUV6', OVERHEADS.vxlan[cidr.version]);
  });
  if (spec.wireguardEnabled === true) found.push(wrapped('wireguardMTU', WIREGUARD[4]));
  if (spec.wireguardEnabledV6 === true) found.push(wrapped('wireguardMTUV6', WIREGUARD[6]));
  return found.reduce((least, each) => (each.mtu < least.mtu ? each : least), bare);
}
