/**
 * A rehearsal before the doors open: a speaker of the same code, three guests on the loopback address, a small table,
 * one prefix that flaps, and the end of a peer. It leaves nothing behind but machine code.
 *
 * Why: V8 compiles what has run often, and runs the rest four times as slow. A route reflector that has just started is
 * met by all its peers at once; what it says to a single change is otherwise slow for the first thousand of them, and
 * the compiler's threads take the processor from whoever waits. Guarded by scenarios (d) and (e) of the bench.
 *
 * Real sockets, since most of the way of one UPDATE is Node's own code.
 */
import { connect, type Socket } from 'node:net';
import { SystemClock } from '../../clock/system.ts';
import { Address } from '../../net/addr/index.ts';
import { ACCEPT_ALL } from '../filter/policy.ts';
import type { PeerConfig } from '../speaker/config.ts';
import { Listener } from '../speaker/listener.ts';
import { TcpSessions } from '../speaker/sessions.ts';
import { Speaker } from '../speaker/speaker.ts';
import { TcpTransport } from '../speaker/tcp.ts';
import { MessageFramer } from '../wire/index.ts';
import { DOWN_TAIL, FAMILIES_TOLD, flapDown, flapUp, greeting, table, UP_TAIL } from './rehearsal-octets.ts';

const ASN = 65_551;
const ROUTER_ID = 0x7f00_0001;
const ADDRESSES = ['127.181.0.2', '127.181.0.3', '127.181.0.4'] as const;

export interface RehearsalOptions {
  /** UPDATEs of the table. V8's last compiler takes a function after 3,000 calls. */
  readonly updates?: number;
  /** How often the one prefix comes and goes. Its first optimising compiler takes a function after 400 calls. */
  readonly flaps?: number;
  /** Whatever is in the way: a rehearsal must not keep anybody from starting. */
  readonly limitMs?: number;
}

/** @returns whether it came to its end; a machine without a loopback address has none */
export async function rehearse({
  updates = 3200,
  flaps = 400,
  limitMs = 1500,
}: RehearsalOptions = {}): Promise<boolean> {
  const stage = new Stage();
  const limit = setTimeout(() => stage.close('it took too long'), limitMs);
  try {
    await stage.open();
    await stage.play(updates, flaps);
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(limit);
    stage.close('over');
  }
}

class Stage {
  readonly #clock = new SystemClock();
  readonly #listener = new Listener({ clock: this.#clock, port: 0, addresses: ['127.0.0.1'] });
  readonly #speaker: Speaker;
  readonly #guests: Guest[] = [];

  constructor() {
    const sessions = new TcpSessions({
      clock: this.#clock,
      transport: new TcpTransport(this.#clock),
      random: () => 0,
      listener: this.#listener,
    });
    this.#speaker = new Speaker({ clock: this.#clock, sessions });
  }

  async open(): Promise<void> {
    await this.#listener.listen();
    this.#speaker.configure({
      asn: ASN,
      routerId: ROUTER_ID,
      originated: [],
      // Next hop self for IPv6 routes, over sessions that have no such address.
      addresses: [Address.v6(0x2001_0db8, 0xffff_0000, 0, 1)],
      peers: ADDRESSES.map((address, n) => peer(address, asnOf(n))),
    });
    for (const [n, address] of ADDRESSES.entries())
      this.#guests.push(new Guest(address, this.#listener.port, greeting(asnOf(n), n + 2)));
  }

  async play(updates: number, flaps: number): Promise<void> {
    const [sender, ...others] = this.#guests;
    if (sender === undefined) return;
    const all = (tail: readonly number[]): Promise<unknown> =>
      Promise.all(others.map((guest) => guest.hears(tail)));
    const [up, down] = [flapUp(asnOf(0)), flapDown()];
    sender.say(table(asnOf(0), updates));
    for (let n = 0; n < flaps; n++) {
      sender.say(up);
      await all(UP_TAIL);
      sender.say(down);
      await all(DOWN_TAIL);
    }
    sender.say(up);
    await all(UP_TAIL);
    // What came last goes last.
    sender.leave();
    await all(DOWN_TAIL);
  }

  close(reason: string): void {
    this.#speaker.stop('restart');
    this.#listener.close();
    for (const guest of this.#guests) guest.fail(reason);
  }
}

/** Two external peers and a client of the reflector. */
function asnOf(n: number): number {
  return n === 2 ? ASN : ASN + 1 + n;
}

function peer(address: string, asn: number): PeerConfig {
  return {
    session: {
      name: address,
      peerAddress: address,
      peerPort: 179,
      peerAsn: asn,
      localAsn: ASN,
      routerId: ROUTER_ID,
      holdSeconds: 0,
      connectRetrySeconds: 60,
      passive: true,
      families: FAMILIES_TOLD,
    },
    reflectorClient: asn === ASN,
    importPolicy: ACCEPT_ALL,
    exportPolicy: ACCEPT_ALL,
  };
}

/** The other end of a session: says what it is told to, and waits for an UPDATE that ends in a certain way. */
class Guest {
  readonly #socket: Socket;
  readonly #framer = new MessageFramer();
  #tail: readonly number[] | undefined;
  #heard: () => void = () => undefined;
  #failed: (error: Error) => void = () => undefined;
  #failure: string | undefined;

  constructor(address: string, port: number, opening: Uint8Array) {
    this.#socket = connect({ host: '127.0.0.1', port, localAddress: address, noDelay: true });
    this.#socket.on('error', (error) => this.fail(error.message));
    this.#socket.on('close', () => this.fail('the connection was closed'));
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.write(opening);
  }

  say(octets: Uint8Array): void {
    this.#socket.write(octets);
  }

  /** Waits until the last octets of an UPDATE to come are these. @throws once the connection has failed */
  hears(tail: readonly number[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#tail = tail;
    this.#heard = resolve;
    this.#failed = reject;
    if (this.#failure !== undefined) reject(new Error(this.#failure));
    return promise;
  }

  /** As a peer that dies. */
  leave(): void {
    this.#socket.resetAndDestroy();
  }

  fail(reason: string): void {
    this.#failure ??= reason;
    this.#socket.destroy();
    this.#failed(new Error(reason));
  }

  #take(chunk: Uint8Array): void {
    this.#framer.push(chunk, (message) => {
      if (this.#tail === undefined || !endsWith(message, this.#tail)) return true;
      this.#tail = undefined;
      this.#heard();
      return true;
    });
  }
}

function endsWith(octets: Uint8Array, tail: readonly number[]): boolean {
  return tail.every((octet, i) => octets[octets.length - tail.length + i] === octet);
}
