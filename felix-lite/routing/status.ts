/** What routing tells of itself: `GET /status` of felix-lite, `poplin node status`. */
import type { Problem } from '../../api/index.ts';
import type { DeviceOutcome, TunnelStatus } from './devices.ts';
import type { RoutesOutcome } from './kernel.ts';
import type { RoutingPlan } from './plan.ts';
import type { RoutingSettings } from './settings.ts';
import type { WireGuardOutcome, WireGuardStatus } from './wireguard/wireguard.ts';
import type { WorkloadRoutesOutcome } from './workload-routes.ts';

/** What the last pass over each part came to; absent before the first, and for routes while routeSyncDisabled. */
export interface LastPass {
  readonly devices?: DeviceOutcome | undefined;
  readonly routes?: RoutesOutcome | undefined;
  readonly refused?: readonly Problem[] | undefined;
  readonly workloads?: WorkloadRoutesOutcome | undefined;
  readonly wireguard?: WireGuardOutcome | undefined;
}

export interface PoolStatus {
  readonly pool: string;
  readonly cidr: string;
  /** `none`, `ipip` or `vxlan`; with `CrossSubnet` only to nodes of other subnets. */
  readonly encapsulation: string;
  readonly crossSubnet: boolean;
  /** Who writes its routes: `bgpd`, `felix`, or `nobody`. */
  readonly writer: string;
}

export interface RoutingStatus {
  readonly synced: boolean;
  readonly passes: number;
  /** How often links, addresses, a table of routes, or the neighbours or entries of a device have been read in full. */
  readonly fullReads: number;
  /** False: routeSyncDisabled, no route is touched. */
  readonly routeSync: boolean;
  readonly pools: readonly PoolStatus[];
  /** By device. */
  readonly tunnels: Readonly<Record<string, TunnelStatus>>;
  /** That felix-lite wants between nodes. */
  readonly routes: number;
  /** Of another mode, until bgpd has taken their place. */
  readonly kept: number;
  /** That the kernel or somebody else's route keeps out. */
  readonly missing: number;
  readonly workloads: {
    readonly routes: number;
    /** Interfaces that endpoints name and that are not there, or off. */
    readonly waiting: readonly string[];
  };
  /** By IP version; absent where it is switched off or not to be had. */
  readonly wireguard: Readonly<Partial<Record<'4' | '6', WireGuardStatus>>>;
  readonly problems: readonly Problem[];
}

export interface Known extends LastPass {
  readonly synced: boolean;
  readonly passes: number;
  /** How often links, addresses, a table of routes, or the neighbours or entries of a device have been read in full. */
  readonly fullReads: number;
  readonly settings: RoutingSettings;
  readonly plan: RoutingPlan | undefined;
  readonly problems: readonly Problem[];
}

export function routingStatus({
  plan,
  settings,
  devices,
  routes,
  workloads,
  wireguard,
  ...rest
}: Known): RoutingStatus {
  return {
    synced: rest.synced,
    passes: rest.passes,
    fullReads: rest.fullReads,
    routeSync: settings.sync,
    pools: (plan?.pools ?? []).map(({ cidr, ...pool }) => ({ ...pool, cidr: cidr.toString() })),
    tunnels: Object.fromEntries(devices?.standing ?? []),
    routes: routes?.routes ?? 0,
    kept: routes?.kept ?? 0,
    missing: routes?.missing ?? 0,
    workloads: { routes: workloads?.routes ?? 0, waiting: workloads?.waiting ?? [] },
    wireguard: wireguard?.status ?? {},
    problems: rest.problems,
  };
}
