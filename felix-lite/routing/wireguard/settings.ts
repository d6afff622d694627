/** What FelixConfiguration says of WireGuard, with Calico's defaults. Pure. */
import { type FelixConfiguration, parseDuration } from '../../../api/index.ts';
import type { IpVersion } from '../../../net/addr/index.ts';

type Spec = FelixConfiguration['spec'];
type PerVersion<T> = Readonly<Record<IpVersion, T>>;

export interface WireGuardSettings {
  readonly enabled: PerVersion<boolean>;
  readonly devices: PerVersion<string>;
  /** UDP. */
  readonly ports: PerVersion<number>;
  /** Octets; undefined: that of the interface below less the overhead. */
  readonly mtu: PerVersion<number | undefined>;
  /** What nodes say to each other themselves is encrypted too. */
  readonly hosts: boolean;
  /** Seconds; 0: never. */
  readonly keepalive: number;
  /** Of the rule that leads to the table. */
  readonly priority: number;
  readonly tables: PerVersion<number>;
  /** The kernel decrypts in threads of its own. */
  readonly threads: boolean;
  /** Peers are told to Prometheus. */
  readonly measured: boolean;
  /** Of WireGuard's own packets, which must not be wrapped again. Undefined: iptablesMarkMask has no bit left for it. */
  readonly mark: number | undefined;
}

/** Octets that WireGuard adds to a packet, over IPv4 and over IPv6. */
export const OVERHEAD = { 4: 60, 6: 80 } as const;

const DEFAULT_MARK_MASK = 0xffff_0000;
/** Bits of the mask that policy takes first (felix-lite/rules/marks.ts). */
const TAKEN = 5;
const DEFAULT_RANGES = [{ min: 1, max: 250 }];
/** default, main and local. */
const RESERVED: ReadonlySet<number> = new Set([253, 254, 255]);

export function wireguardSettings(spec: Spec): WireGuardSettings {
  const port = spec.wireguardListeningPort ?? 51_820;
  const [first = 1, second = 2] = tables(spec);
  return {
    enabled: { 4: spec.wireguardEnabled === true, 6: spec.wireguardEnabledV6 === true },
    devices: {
      4: spec.wireguardInterfaceName ?? 'wireguard.cali',
      6: spec.wireguardInterfaceNameV6 ?? 'wg-v6.cali',
    },
    ports: { 4: port, 6: spec.wireguardListeningPortV6 ?? 51_821 },
    mtu: { 4: given(spec.wireguardMTU), 6: given(spec.wireguardMTUV6) },
    hosts: spec.wireguardHostEncryptionEnabled === true,
    keepalive: Math.round((parseDuration(spec.wireguardKeepAlive ?? '0s') ?? 0) / 1000),
    priority: spec.wireguardRoutingRulePriority ?? 99,
    tables: { 4: first, 6: second },
    threads: spec.wireguardThreadingEnabled === true,
    measured: spec.prometheusWireGuardMetricsEnabled ?? true,
    mark: bitOf(spec.iptablesMarkMask ?? DEFAULT_MARK_MASK, TAKEN),
  };
}

function given(mtu: number | undefined): number | undefined {
  return mtu === 0 ? undefined : mtu;
}

/** The first two that may be used. */
function tables({ routeTableRanges, routeTableRange }: Spec): readonly number[] {
  const ranges = routeTableRanges ?? (routeTableRange === undefined ? DEFAULT_RANGES : [routeTableRange]);
  const found: number[] = [];
  for (const { min, max } of ranges)
    for (let table = min; table <= max && found.length < 2; table++)
      if (!RESERVED.has(table)) found.push(table);
  return found;
}

function bitOf(mask: number, index: number): number | undefined {
  let left = index;
  for (let bit = 0; bit < 32; bit++) if (((mask >>> bit) & 1) === 1 && left-- === 0) return 2 ** bit;
  return undefined;
}
