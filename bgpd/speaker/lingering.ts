/**
 * Connections that we have ended and that wait for the peer to read our last words. A peer that opens and leaves
 * hundreds must not hold a file descriptor of ours with each: only its latest few linger.
 */
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';

/** How long a peer may take to read our last words before the connection is torn down. */
const LINGER: Millis = 3_000;
/** For one address; more than an honest peer ever leaves behind. */
const AT_ONCE = 4;

/** What this needs of a socket. */
export interface Ending {
  readonly remoteAddress?: string | undefined;
  destroy(): unknown;
  once(event: 'close', gone: () => void): unknown;
}

export class Lingering {
  readonly #clock: Clock;
  /** By remote address, the oldest first. */
  readonly #sockets = new Map<string, Set<Ending>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(socket: Ending): void {
    const address = socket.remoteAddress ?? '';
    const before = this.#sockets.get(address);
    const own = before ?? new Set<Ending>();
    if (before === undefined) this.#sockets.set(address, own);
    own.add(socket);
    const cancel: Cancel = this.#clock.after(LINGER, 'bgp linger', () => socket.destroy());
    socket.once('close', () => {
      cancel();
      own.delete(socket);
      if (own.size === 0 && this.#sockets.get(address) === own) this.#sockets.delete(address);
    });
    if (own.size > AT_ONCE) this.#dropOldest(own);
  }

  #dropOldest(own: Set<Ending>): void {
    for (const oldest of own) {
      own.delete(oldest);
      oldest.destroy();
      return;
    }
  }
}
