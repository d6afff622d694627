/** FelixConfiguration, cluster-wide under the node's own, with our defaults. */
import {
  type BGPConfiguration,
  type FelixConfiguration,
  type IPPool,
  parseDuration,
  poolRoutings,
} from '../../api/index.ts';
import { protocolNumber } from '../../api/kinds/rule.ts';
import type { Millis } from '../../clock/clock.ts';
import type { MetricsEndpoint } from '../../daemon/metrics-server.ts';
import { type IpVersion, Prefix } from '../../net/addr/index.ts';
import type { BackendWishes } from '../dataplane/backend.ts';
import { DEFAULT_MAX_ELEMENTS } from '../dataplane/ipset/sets.ts';
import type { PortRange } from '../calc/model.ts';
import { DEFAULT_FAILSAFES, type FailsafePort } from '../rules/failsafe.ts';
import { DEFAULT_MARK_MASK, type Marks, allocateMarks } from '../rules/marks.ts';
import type { RulesOptions } from '../rules/tables.ts';
import type { NatOptions } from '../rules/nat.ts';
import { wireguardSettings } from '../routing/wireguard/settings.ts';
import type { TunnelOptions } from '../rules/tunnels.ts';

export interface FelixSettings {
  readonly rules: RulesOptions;
  /** How often the kernel is read for edits by others; 0 is never, undefined is as the backend needs it. */
  readonly refreshMs: Millis | undefined;
  readonly backend: BackendWishes;
  readonly ipv6: boolean;
  readonly forwarding: boolean;
  readonly maxSetSize: number;
  /** Prefixes of machines beside the nodes that may send through tunnels. */
  readonly externalNodes: readonly string[];
  /** Where Prometheus reads us, as the configuration says (prometheusMetricsEnabled, …Host, …Port). */
  readonly metrics: MetricsEndpoint | undefined;
  /** End connections that policy allowed once and denies by now; else they go on, as in Calico. */
  readonly cutDenied: boolean;
}

/** Annotation of a FelixConfiguration, the node's before the cluster's: `Cut`, or `Keep` (default). */
export const DENIED_CONNECTIONS = 'felix.poplin.dev/denied-connections';

const MODES = { Auto: undefined, Enabled: true, Disabled: false } as const;
const BACKENDS = { Auto: undefined, NFT: 'nft', Legacy: 'legacy' } as const;

export function readSettings(
  cluster: FelixConfiguration | undefined,
  node: FelixConfiguration | undefined,
  pools: readonly IPPool[] = [],
  bgp?: BGPConfiguration,
): FelixSettings {
  const spec = { ...cluster?.spec, ...node?.spec };
  const annotations = { ...cluster?.metadata.annotations, ...node?.metadata.annotations };
  const refresh = spec.iptablesRefreshInterval;
  return {
    rules: {
      marks: marksOf(spec.iptablesMarkMask),
      interfacePrefix: spec.interfacePrefix?.split(',')[0] ?? 'cali',
      endpointToHost: spec.defaultEndpointToHostAction ?? 'Drop',
      logPrefix: spec.logPrefix ?? 'calico-packet',
      logLimit: logLimit(spec.logActionRateLimit, spec.logActionRateLimitBurst),
      failsafes: {
        inbound: failsafes(spec.failsafeInboundHostPorts) ?? DEFAULT_FAILSAFES.inbound,
        outbound: failsafes(spec.failsafeOutboundHostPorts) ?? DEFAULT_FAILSAFES.outbound,
      },
      sourceSpoofing: spec.workloadSourceSpoofing === 'Any',
      ...tunnelsOf(spec, pools),
      ...natOf(spec, pools),
      ...loopsOf(spec, bgp),
      workloadsSend: {
        ipip: spec.allowIPIPPacketsFromWorkloads ?? false,
        vxlan: spec.allowVXLANPacketsFromWorkloads ?? false,
        vxlanPort: spec.vxlanPort ?? DEFAULT_VXLAN_PORT,
      },
    },
    externalNodes: spec.externalNodesList ?? [],
    refreshMs: refresh === undefined ? undefined : parseDuration(refresh),
    backend: {
      nftables: MODES[spec.nftablesMode ?? 'Auto'],
      iptables: BACKENDS[spec.iptablesBackend ?? 'Auto'],
    },
    ipv6: spec.ipv6Support ?? true,
    forwarding: spec.ipForwarding !== 'Disabled',
    maxSetSize: spec.maxIpsetSize ?? DEFAULT_MAX_ELEMENTS,
    metrics: metricsOf(spec),
    cutDenied: annotations[DENIED_CONNECTIONS] === 'Cut',
  };
}

const METRICS_PORT = 9091;

/** Not where they are to go encrypted, which we cannot: plain is not what was asked for. */
function metricsOf(spec: FelixConfiguration['spec']): MetricsEndpoint | undefined {
  const encrypted =
    (spec.prometheusMetricsCertFile ?? '') !== '' || (spec.prometheusMetricsKeyFile ?? '') !== '';
  const port = spec.prometheusMetricsPort ?? METRICS_PORT;
  if (spec.prometheusMetricsEnabled !== true || encrypted || port === 0) return undefined;
  // An empty host is every address of the machine.
  return { address: spec.prometheusMetricsHost ?? '', port };
}

/** Nothing where no pool asks for it: the rules of other clusters stay as they are. */
function tunnelsOf(
  spec: FelixConfiguration['spec'],
  pools: readonly IPPool[],
): { readonly tunnels?: TunnelOptions } {
  const routings = poolRoutings(pools);
  const uses = (kind: 'ipip' | 'vxlan', version: IpVersion): boolean =>
    routings.some(({ encapsulation, cidr }) => encapsulation === kind && cidr.version === version);
  const port = spec.vxlanPort ?? DEFAULT_VXLAN_PORT;
  const ipip = spec.ipipEnabled ?? uses('ipip', 4);
  const vxlan = {
    ...((spec.vxlanEnabled ?? uses('vxlan', 4)) ? { 4: port } : {}),
    ...((spec.vxlanEnabled ?? uses('vxlan', 6)) ? { 6: port } : {}),
  };
  const { enabled, ports, hosts, mark, devices } = wireguardSettings(spec);
  const wireguard = {
    ...(enabled[4] ? { 4: ports[4] } : {}),
    ...(enabled[6] ? { 6: ports[6] } : {}),
  };
  const encrypts = enabled[4] || enabled[6];
  if (!ipip && Object.keys(vxlan).length === 0 && !encrypts) return {};
  const encryptsHosts =
    hosts && mark !== undefined ? { encryptsHosts: { mark, interfaces: [devices[4], devices[6]] } } : {};
  return { tunnels: { ipip, vxlan, ...(encrypts ? { wireguard, ...encryptsHosts } : {}) } };
}

/** Where services are told of by BGP: see Calico's serviceLoopPrevention. */
function loopsOf(
  { serviceLoopPrevention: prevention = 'Drop' }: FelixConfiguration['spec'],
  bgp: BGPConfiguration | undefined,
): Pick<RulesOptions, 'loops'> {
  const { serviceClusterIPs = [], serviceExternalIPs = [], serviceLoadBalancerIPs = [] } = bgp?.spec ?? {};
  const told = [...serviceClusterIPs, ...serviceExternalIPs, ...serviceLoadBalancerIPs];
  const cidrs = [...new Set(told.map(({ cidr }) => cidr))];
  if (cidrs.length === 0 || prevention === 'Disabled') return {};
  return { loops: { cidrs, action: prevention === 'Reject' ? 'reject' : 'drop' } };
}

function natOf(spec: FelixConfiguration['spec'], pools: readonly IPPool[]): { readonly nat?: NatOptions } {
  const natted = pools.filter(({ spec: { natOutgoing } }) => natOutgoing === true);
  const masquerade = ([4, 6] as const).filter((version) =>
    poolRoutings(natted).some(({ cidr }) => cidr.version === version),
  );
  const floatingIps = spec.floatingIPs === 'Enabled';
  if (masquerade.length === 0 && !floatingIps) return {};
  const { natOutgoingAddress: address, iptablesNATOutgoingInterfaceFilter: outInterface = '' } = spec;
  const ports = rangeIn(spec.natPortRange);
  return {
    nat: {
      masquerade,
      spareHosts: spec.natOutgoingExclusions === 'IPPoolsAndHostIPs',
      ...(address === undefined ? {} : { address }),
      ...(ports === undefined ? {} : { ports }),
      ...(outInterface === '' ? {} : { outInterface }),
      floatingIps,
    },
  };
}

/** A port, or `first:last`. */
function rangeIn(value: number | string | undefined): PortRange | undefined {
  const [first, last = first] = String(value ?? '')
    .split(':')
    .map(Number);
  return value === undefined || first === undefined || last === undefined ? undefined : { first, last };
}

const DEFAULT_VXLAN_PORT = 4789;

type HostPorts = FelixConfiguration['spec']['failsafeInboundHostPorts'];

/** An empty list is one: no port stays open. */
function failsafes(ports: HostPorts): readonly FailsafePort[] | undefined {
  return ports?.map(({ protocol, port, net }) => ({
    protocol: protocolNumber(protocol),
    port,
    net: net === undefined ? undefined : Prefix.parse(net.includes('/') ? net : hostPrefix(net)),
  }));
}

function hostPrefix(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}

/** Where none is set, or 0, which leaves it to the kernel in Calico. */
const LOG_BURST = 5;

function logLimit(rate: string | undefined, burst = 0): RulesOptions['logLimit'] {
  const [, number, per] = /^(\d+)\/(second|minute|hour|day)$/.exec(rate ?? '') ?? [];
  return number === undefined
    ? undefined
    : {
        rate: Number(number),
        per: per as 'second' | 'minute' | 'hour' | 'day',
        burst: burst === 0 ? LOG_BURST : burst,
      };
}

/** A mask with too few bits counts as none: marks that overlap would let packets through. */
function marksOf(mask: number | undefined): Marks {
  const marks = allocateMarks(mask ?? DEFAULT_MARK_MASK) ?? allocateMarks(DEFAULT_MARK_MASK);
  if (marks === undefined) throw new Error('the default mask has bits enough');
  return marks;
}
