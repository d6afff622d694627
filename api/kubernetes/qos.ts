/** Limits on a pod's traffic, from its annotations, with Calico's bounds and defaults. */
import type { WorkloadEndpoint } from '../kinds/workload-endpoint.ts';
import { parseQuantity } from './quantity.ts';

type QosControls = NonNullable<WorkloadEndpoint['spec']['qosControls']>;
type Limit = Exclude<keyof QosControls, 'dscp'>;

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Bits a second, bits, bits a second, octets, packets a second, packets, connections. */
const BANDWIDTH: Bounds = { min: 1e3, max: 1e15 };
const BURST: Bounds = { min: 1e3, max: 0xffff_ffff * 8 };
const PEAK_RATE: Bounds = { min: 1010, max: 1.01e15 };
const MIN_BURST: Bounds = { min: 1e3, max: 1e8 };
const PACKETS: Bounds = { min: 1, max: 1e4 };
const CONNECTIONS: Bounds = { min: 1, max: 0xffff_ffff };

const DEFAULT_BURST = 2 ** 32;
const DEFAULT_PACKET_BURST = 5;

/** Later rows win: Kubernetes' own annotations are heard where Calico's are silent. */
const ANNOTATIONS: readonly (readonly [annotation: string, limit: Limit, bounds: Bounds])[] = [
  ['kubernetes.io/ingress-bandwidth', 'ingressBandwidth', BANDWIDTH],
  ['kubernetes.io/egress-bandwidth', 'egressBandwidth', BANDWIDTH],
  ...(['ingress', 'egress'] as const).flatMap((side) =>
    (
      [
        ['Bandwidth', BANDWIDTH],
        ['Burst', BURST],
        ['Peakrate', PEAK_RATE],
        ['Minburst', MIN_BURST],
        ['PacketRate', PACKETS],
        ['PacketBurst', PACKETS],
        ['MaxConnections', CONNECTIONS],
      ] as const
    ).map(([what, bounds]) => [`qos.projectcalico.org/${side}${what}`, `${side}${what}`, bounds] as const),
  ),
];

const DSCP = 'qos.projectcalico.org/dscp';
const DSCP_VALUE = /^(?:DF|EF|VA|LE|CS[0-7]|AF[1-4][1-3]|[0-9]|[1-5][0-9]|6[0-3])$/;

/**
 * Undefined when no limit is set. A value out of bounds counts as the nearest bound, an unreadable one and one that
 * lacks what it goes with (a burst without bandwidth) as none.
 */
export function qosOf(annotations: Readonly<Record<string, string>>): QosControls | undefined {
  const limits: Partial<Record<Limit, number>> = {};
  for (const [annotation, limit, { min, max }] of ANNOTATIONS) {
    const text = annotations[annotation];
    const value = text === undefined ? undefined : parseQuantity(text);
    if (value !== undefined) limits[limit] = Math.min(max, Math.max(min, value));
  }
  for (const side of ['ingress', 'egress'] as const) {
    const bandwidth = limits[`${side}Bandwidth`];
    const peak = limits[`${side}Peakrate`];
    if (bandwidth === undefined) delete limits[`${side}Burst`];
    else limits[`${side}Burst`] ??= DEFAULT_BURST;
    if (peak !== undefined && (bandwidth === undefined || bandwidth >= peak))
      delete limits[`${side}Peakrate`];
    if (limits[`${side}Peakrate`] === undefined) delete limits[`${side}Minburst`];
    if (limits[`${side}PacketRate`] === undefined) delete limits[`${side}PacketBurst`];
    else limits[`${side}PacketBurst`] ??= DEFAULT_PACKET_BURST;
  }
  const dscp = annotations[DSCP]?.toUpperCase();
  const marked = dscp !== undefined && DSCP_VALUE.test(dscp);
  if (!marked && Object.keys(limits).length === 0) return undefined;
  return { ...limits, ...(marked ? { dscp: /^[0-9]/.test(dscp) ? Number(dscp) : dscp } : {}) };
}
