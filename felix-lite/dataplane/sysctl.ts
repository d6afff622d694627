/** Kernel parameters of the whole node. Those of one workload's interface are set by who makes the interface. */
import type { IpVersion } from '../../net/addr/index.ts';
import { readSysctl, writeSysctl } from '../../net/kernel/index.ts';

const FORWARDING: Readonly<Record<IpVersion, string>> = {
  4: 'net.ipv4.ip_forward',
  6: 'net.ipv6.conf.all.forwarding',
};

/** The families that this kernel speaks. */
export function presentVersions(netns?: string): readonly IpVersion[] {
  return ([4, 6] as const).filter((version) => readSysctl(FORWARDING[version], netns) !== undefined);
}

const TCP_LOOSE = 'net.netfilter.nf_conntrack_tcp_loose';

/** Connection tracking takes no TCP connection that it did not see begin. Throws {@link KernelError}. */
export function takeNoneMidway(netns?: string): void {
  if (readSysctl(TCP_LOOSE, netns) !== '0') writeSysctl(TCP_LOOSE, 0, netns);
}

/** Makes the node a router. Writes only what differs: writing `forwarding` resets other parameters. */
export function enableForwarding(versions: readonly IpVersion[], netns?: string): void {
  for (const version of versions) {
    const name = FORWARDING[version];
    if (readSysctl(name, netns) !== '1') writeSysctl(name, 1, netns);
  }
}
