/** Our own sessions in a node of a {@link Lab}: sockets in that namespace, the code in this process. */
import { BoundSocket, type Socket, connect } from 'node:net';
import { SystemClock } from '../../../clock/system.ts';
import type { RouteRefreshMessage, UpdateMessage } from '../../../bgpd/wire/index.ts';
import { Listener } from '../../../bgpd/speaker/listener.ts';
import { Peer } from '../../../bgpd/speaker/peer.ts';
import type { DownReason, SessionConfig, SessionEvents } from '../../../bgpd/speaker/session.ts';
import { TcpTransport } from '../../../bgpd/speaker/tcp.ts';
import type { Target } from '../../../bgpd/speaker/transport.ts';
import { inNamespace } from '../../../net/kernel/netns.ts';
import type { Lab } from './lab.ts';

/** Connects from inside the namespace. The bind is synchronous, so the thread is back before anything else runs. */
export function dialFrom(netns: string): (target: Target) => Socket {
  return ({ address, port, localAddress }) => {
    const host = localAddress ?? (address.includes(':') ? '::' : '0.0.0.0');
    const handle = inNamespace(netns, () => new BoundSocket({ host, port: 0 }));
    return connect({ handle, host: address, port });
  };
}

export function bindIn(netns: string): (address: string, port: number) => BoundSocket {
  return (address, port) =>
    inNamespace(netns, () => new BoundSocket({ host: address, port, ipv6Only: address.includes(':') }));
}

/** What a session told, in order. */
export class Recorder implements SessionEvents {
  readonly updates: UpdateMessage[] = [];
  readonly refreshes: RouteRefreshMessage['family'][] = [];
  readonly downs: DownReason[] = [];
  ups = 0;
  established(): void {
    this.ups++;
  }
  update(_session: unknown, update: UpdateMessage): void {
    this.updates.push(update);
  }
  refresh(_session: unknown, family: RouteRefreshMessage['family']): void {
    this.refreshes.push(family);
  }
  down(_session: unknown, reason: DownReason): void {
    this.downs.push(reason);
  }
  writable(): void {
    // Nothing waits here.
  }
}

export class PoplinNode {
  readonly clock = new SystemClock();
  readonly lines: string[] = [];
  readonly listener: Listener;
  readonly #transport: TcpTransport;
  readonly #peers: Peer[] = [];

  constructor(lab: Lab, node: string, port = 179) {
    const netns = lab.netns(node);
    const log = (_level: string, text: string): void => void this.lines.push(text);
    this.listener = new Listener({ clock: this.clock, port, bind: bindIn(netns), log });
    this.#transport = new TcpTransport(this.clock, dialFrom(netns));
  }

  peer(config: SessionConfig): { readonly peer: Peer; readonly recorder: Recorder } {
    const recorder = new Recorder();
    const log = (_level: string, text: string): void => void this.lines.push(`${config.name}: ${text}`);
    const options = { config, events: recorder, transport: this.#transport, clock: this.clock, log };
    const peer = new Peer({ ...options, random: Math.random });
    this.listener.expect(config.peerAddress, (incoming) => peer.accept(incoming));
    this.#peers.push(peer);
    return { peer, recorder };
  }

  close(): void {
    for (const peer of this.#peers) peer.stop();
    this.listener.close();
  }
}
