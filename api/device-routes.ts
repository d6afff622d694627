/**
 * The route to a local workload, as FelixConfiguration wants it: what the agent, which writes it when the workload comes, and
 * felix-lite, which keeps it, have to agree upon. Pure.
 */
import { Address, type IpVersion } from '../net/addr/index.ts';
import type { FelixConfiguration } from './kinds/felix-configuration.ts';
import type { Problem } from './problem.ts';

type Spec = FelixConfiguration['spec'];

export interface DeviceRoutes {
  /** Number in the kernel's list of who installed what (rtnetlink(7)). */
  readonly protocol: number;
  /** Undefined: as the kernel has it for routes without one. */
  readonly metric: Readonly<Record<IpVersion, number | undefined>>;
  /** That this machine sends from over such routes; undefined: the kernel chooses. */
  readonly source: Readonly<Record<IpVersion, Address | undefined>>;
}

/** `boot`, what `ip route` writes of itself; Calico's default. */
const PROTOCOL_BOOT = 3;
/** The kernel's own, and those by which bgpd and felix-lite know the routes between nodes: all of these they call theirs. */
const TAKEN: readonly number[] = [0, 2, 80, 81];

export function deviceRoutes(spec: Spec): DeviceRoutes {
  const { deviceRouteProtocol: protocol = PROTOCOL_BOOT } = spec;
  return {
    protocol: TAKEN.includes(protocol) ? PROTOCOL_BOOT : protocol,
    metric: { 4: spec.ipv4NormalRoutePriority, 6: spec.ipv6NormalRoutePriority },
    source: { 4: addressIn(spec.deviceRouteSourceAddress), 6: addressIn(spec.deviceRouteSourceAddressIPv6) },
  };
}

/** What of it cannot be done as it stands. */
export function deviceRouteProblems({ deviceRouteProtocol: protocol }: Spec): readonly Problem[] {
  if (protocol === undefined || !TAKEN.includes(protocol)) return [];
  return [
    {
      code: 'ROUTE_PROTOCOL_TAKEN',
      resource: 'FelixConfiguration',
      field: 'spec.deviceRouteProtocol',
      value: protocol,
      what: `routes of protocol ${protocol} are known as those of somebody else (0 and 2 the kernel, 80 bgpd, 81 felix-lite's between nodes), who would remove those of workloads; ${PROTOCOL_BOOT} is used`,
      remedy: 'choose another number from 4 to 255',
    },
  ];
}

function addressIn(text: string | undefined): Address | undefined {
  return text === undefined ? undefined : Address.parse(text);
}
