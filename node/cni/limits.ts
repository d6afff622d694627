/**
 * How much a workload may send and receive, as token buckets: `spec.qosControls` of its endpoint, which come from the
 * annotations of Calico (`qos.projectcalico.org/`) and Kubernetes, or from a runtime's `bandwidth`. Pure.
 *
 * Rates of packets, numbers of connections and DSCP are not here: those are rules, and felix-lite's.
 */
import type { WorkloadEndpoint } from '../../api/index.ts';
import type { TokenBucket } from '../../net/kernel/index.ts';

export type QosControls = NonNullable<WorkloadEndpoint['spec']['qosControls']>;

export interface Limits {
  readonly toWorkload?: TokenBucket;
  readonly fromWorkload?: TokenBucket;
}

/** Calico's: how long a packet may wait for its turn. */
const LATENCY_SECONDS = 0.025;
/** Of a burst; Calico's default burst is half a gigabyte, which no workload may fill with packets that wait. */
const MOST_QUEUED = 256 * 1024;
const ETHERNET_HEADER = 14;

/** @param mtu  of the interface: a bucket that holds less than one packet would let none through */
export function limitsOf(qos: QosControls, mtu: number): Limits {
  const packet = mtu + ETHERNET_HEADER;
  const to = bucketOf(
    qos.ingressBandwidth,
    qos.ingressBurst,
    qos.ingressPeakrate,
    qos.ingressMinburst,
    packet,
  );
  const from = bucketOf(qos.egressBandwidth, qos.egressBurst, qos.egressPeakrate, qos.egressMinburst, packet);
  return {
    ...(to === undefined ? {} : { toWorkload: to }),
    ...(from === undefined ? {} : { fromWorkload: from }),
  };
}

/** Bits a second, bits, bits a second, octets. */
function bucketOf(
  bandwidth = 0,
  burstBits = 0,
  peakRate = 0,
  minBurst = 0,
  packet = 0,
): TokenBucket | undefined {
  if (bandwidth < 8) return undefined;
  const rate = Math.floor(bandwidth / 8);
  const burst = Math.max(Math.floor(burstBits / 8), packet);
  const peak = Math.floor(peakRate / 8);
  return {
    rate,
    burst,
    limit: Math.ceil(rate * LATENCY_SECONDS) + Math.min(burst, MOST_QUEUED),
    ...(peak > rate ? { peak: { rate: peak, minBurst: Math.max(minBurst, packet) } } : {}),
  };
}

const OF_KUBERNETES = ['kubernetes.io/ingress-bandwidth', 'kubernetes.io/egress-bandwidth'];

/**
 * Whether the `bandwidth` plugin may stand behind us in the chain and have its own work to do: it fails where somebody
 * shapes already. It hears of Kubernetes' annotations alone, and not where the runtime tells us of them.
 */
export function mayShapeAtOnce(
  annotations: Readonly<Record<string, string>>,
  conf: { readonly shapes: boolean },
): boolean {
  return conf.shapes || !OF_KUBERNETES.some((name) => annotations[name] !== undefined);
}
