/** A WireGuard device as a value: what it should be, what it is, and the change between the two. Pure. */
import type { Address, Prefix } from '../../addr/index.ts';

/** 32 octets in base64, as people and resources write them. */
export type Key = string;

export interface Endpoint {
  readonly address: Address;
  /** UDP. */
  readonly port: number;
}

export interface PeerWish {
  readonly publicKey: Key;
  readonly endpoint: Endpoint;
  /** Seconds; 0: never. */
  readonly keepalive: number;
  /** Whose packets it may send, and which are sent to it. */
  readonly allowed: readonly Prefix[];
}

export interface PeerState extends Omit<PeerWish, 'endpoint'> {
  readonly endpoint: Endpoint | undefined;
  /** Seconds since 1970; 0: never yet. */
  readonly handshakeAt: number;
  /** Octets. */
  readonly received: number;
  readonly sent: number;
}

export interface DeviceState {
  readonly privateKey: Key | undefined;
  /** UDP; 0: none yet. */
  readonly port: number;
  /** Of its own packets. */
  readonly mark: number;
  readonly peers: readonly PeerState[];
}

export interface DeviceWish {
  readonly privateKey: Key;
  readonly port: number;
  readonly mark: number;
  readonly peers: readonly PeerWish[];
}

export interface PeerChange {
  readonly publicKey: Key;
  readonly remove?: true;
  readonly endpoint?: Endpoint;
  readonly keepalive?: number;
  /** Replaces what was allowed. */
  readonly allowed?: readonly Prefix[];
}

export interface DeviceChange {
  readonly privateKey?: Key;
  readonly port?: number;
  readonly mark?: number;
  /** Those that go come first. */
  readonly peers: readonly PeerChange[];
}

/** Talks to a device by its name. */
export interface WireGuardDoor {
  /** @throws KernelError, ENODEV when there is no such device */
  read(device: string): Promise<DeviceState>;
  change(device: string, change: DeviceChange): Promise<void>;
}

/** Undefined when the device is as it should be. What a device holds of a peer beside (its keys of now) stays. */
export function changeBetween(actual: DeviceState, wanted: DeviceWish): DeviceChange | undefined {
  const known = new Map(actual.peers.map((peer) => [peer.publicKey, peer]));
  const staying = new Set(wanted.peers.map(({ publicKey }) => publicKey));
  const peers: PeerChange[] = [
    ...actual.peers
      .filter(({ publicKey }) => !staying.has(publicKey))
      .map(({ publicKey }): PeerChange => ({ publicKey, remove: true })),
    ...wanted.peers.flatMap((peer) => peerChange(known.get(peer.publicKey), peer) ?? []),
  ];
  const change: DeviceChange = {
    ...(actual.privateKey === wanted.privateKey ? {} : { privateKey: wanted.privateKey }),
    ...(actual.port === wanted.port ? {} : { port: wanted.port }),
    ...(actual.mark === wanted.mark ? {} : { mark: wanted.mark }),
    peers,
  };
  return Object.keys(change).length === 1 && peers.length === 0 ? undefined : change;
}

function peerChange(actual: PeerState | undefined, wanted: PeerWish): PeerChange | undefined {
  if (actual === undefined) return wanted;
  const change: PeerChange = {
    publicKey: wanted.publicKey,
    ...(sameEndpoint(actual.endpoint, wanted.endpoint) ? {} : { endpoint: wanted.endpoint }),
    ...(actual.keepalive === wanted.keepalive ? {} : { keepalive: wanted.keepalive }),
    ...(samePrefixes(actual.allowed, wanted.allowed) ? {} : { allowed: wanted.allowed }),
  };
  return Object.keys(change).length === 1 ? undefined : change;
}

function sameEndpoint(a: Endpoint | undefined, b: Endpoint): boolean {
  return a?.port === b.port && a.address.equals(b.address);
}

function samePrefixes(a: readonly Prefix[], b: readonly Prefix[]): boolean {
  if (a.length !== b.length) return false;
  const texts = new Set(a.map(String));
  return b.every((prefix) => texts.has(prefix.toString()));
}
