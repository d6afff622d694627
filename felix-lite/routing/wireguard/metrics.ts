/** What WireGuard tells Prometheus, under Calico's names and labels, which dashboards know. */
import type { Metric, Sample } from '../../../daemon/metrics.ts';
import type { DeviceState } from '../../../net/kernel/index.ts';

type PeerState = DeviceState['peers'][number];

/** A device as its implementation describes it. */
export interface WireGuardMeasured {
  readonly device: string;
  readonly publicKey: string;
  /** UDP. */
  readonly port: number;
  readonly peers: readonly PeerState[];
}

export interface WireGuardSubject {
  readonly status: { readonly node: string };
  /** Empty where there is none, or where prometheusWireGuardMetricsEnabled is off. */
  readonly wireguard: readonly WireGuardMeasured[];
}

function ofPeers(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (peer: PeerState) => number,
): Metric<WireGuardSubject> {
  return {
    name,
    type,
    help,
    labels: ['hostname', 'public_key', 'peer_key', 'peer_endpoint'],
    read: ({ status, wireguard }) =>
      wireguard.flatMap(({ publicKey, peers }) =>
        peers.map((peer): Sample => {
          const labels = [status.node, publicKey, peer.publicKey, endpointOf(peer)];
          return { labels, value: read(peer) };
        }),
      ),
  };
}

function endpointOf({ endpoint }: PeerState): string {
  if (endpoint === undefined) return '';
  const { address, port } = endpoint;
  return address.version === 6 ? `[${address.toString()}]:${port}` : `${address.toString()}:${port}`;
}

export const WIREGUARD_METRICS: readonly Metric<WireGuardSubject>[] = [
  {
    name: 'wireguard_meta',
    type: 'gauge',
    help: '1 for each WireGuard device of this node',
    labels: ['hostname', 'public_key', 'iface', 'listen_port'],
    read: ({ status, wireguard }) =>
      wireguard.map(({ device, publicKey, port }) => ({
        labels: [status.node, publicKey, device, String(port)],
        value: 1,
      })),
  },
  ofPeers('wireguard_bytes_sent', 'counter', 'Octets sent to a peer', ({ sent }) => sent),
  ofPeers('wireguard_bytes_rcvd', 'counter', 'Octets received from a peer', ({ received }) => received),
  ofPeers(
    'wireguard_latest_handshake_seconds',
    'gauge',
    'When a peer last shook hands, in seconds since 1970; 0: never yet',
    ({ handshakeAt }) => handshakeAt,
  ),
];
