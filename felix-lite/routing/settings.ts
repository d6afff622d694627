/** What FelixConfiguration says of routes and tunnels, with Calico's defaults. Pure. */
import {
  type DeviceRoutes,
  deviceRouteProblems,
  deviceRoutes,
  type FelixConfiguration,
  parseDuration,
  type Problem,
} from '../../api/index.ts';
import type { Millis } from '../../clock/clock.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import { type WireGuardSettings, wireguardSettings } from './wireguard/settings.ts';

type Spec = FelixConfiguration['spec'];

export interface RoutingSettings {
  /** Forced on or off, whatever pools ask for; undefined: as they ask. */
  readonly tunnels: { readonly ipip: boolean | undefined; readonly vxlan: boolean | undefined };
  /** Octets; undefined: that of the interface below less the overhead. */
  readonly mtu: {
    readonly ipip: number | undefined;
    readonly vxlan: Readonly<Record<IpVersion, number | undefined>>;
  };
  readonly vxlan: { readonly vni: number; readonly port: number };
  /**
   * False: checksums of what goes into a VXLAN tunnel are worked out here and not by the hardware, which some kernels and
   * drivers get wrong. Undefined: as this kernel can be trusted with it.
   */
  readonly checksumOffload: boolean | undefined;
  readonly clusterRoutes: Spec['programClusterRoutes'];
  /** Routes lead to each workload by itself, since addresses come from somebody else's IPAM. */
  readonly perWorkload: boolean;
  /** False: no route of the machine is touched. */
  readonly sync: boolean;
  readonly workloads: DeviceRoutes;
  /** Routes over workloads' interfaces that nobody asked for go. */
  readonly removeExternal: boolean;
  /** Names of workloads' interfaces begin with one of these. */
  readonly interfacePrefixes: readonly string[];
  readonly floatingIps: boolean;
  readonly wireguard: WireGuardSettings;
  readonly refresh: Millis;
  readonly problems: readonly Problem[];
}

const DEFAULT_VNI = 4096;
const DEFAULT_PORT = 4789;
const REFRESH: Millis = 90_000;

export function routingSettings(spec: Spec): RoutingSettings {
  return {
    tunnels: { ipip: spec.ipipEnabled, vxlan: spec.vxlanEnabled },
    mtu: { ipip: given(spec.ipipMTU), vxlan: { 4: given(spec.vxlanMTU), 6: given(spec.vxlanMTUV6) } },
    vxlan: { vni: spec.vxlanVNI ?? DEFAULT_VNI, port: spec.vxlanPort ?? DEFAULT_PORT },
    checksumOffload: notBroken(spec.featureDetectOverride),
    clusterRoutes: spec.programClusterRoutes,
    perWorkload: spec.routeSource === 'WorkloadIPs',
    sync: spec.routeSyncDisabled !== true,
    workloads: deviceRoutes(spec),
    removeExternal: spec.removeExternalRoutes ?? true,
    interfacePrefixes: (spec.interfacePrefix ?? 'cali').split(',').filter((prefix) => prefix !== ''),
    floatingIps: spec.floatingIPs === 'Enabled',
    wireguard: wireguardSettings(spec),
    refresh: refreshOf(spec.routeRefreshInterval),
    problems: deviceRouteProblems(spec),
  };
}

/** In FelixConfiguration, 0 leaves an MTU to us. */
function given(mtu: number | undefined): number | undefined {
  return mtu === 0 ? undefined : mtu;
}

/** 0 would be never: what the kernel does not tell of is still looked for, if seldom. */
function refreshOf(text: string | undefined): Millis {
  const millis = text === undefined ? REFRESH : (parseDuration(text) ?? REFRESH);
  return millis === 0 ? REFRESH : millis;
}

/** What `ChecksumOffloadBroken=true` or `=false` says, among other features that are overridden. */
function notBroken(override = ''): boolean | undefined {
  const value = /(?:^|,)ChecksumOffloadBroken=(true|false)(?:,|$)/.exec(override)?.[1];
  return value === undefined ? undefined : value === 'false';
}
