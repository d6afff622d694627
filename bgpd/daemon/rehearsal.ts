/**
 * A rehearsal before the doors open: a speaker of the same code, three guests on the loopback address, a small table,
 * one prefix that flaps, and the end of a peer. It leaves nothing behind but machine code.
 *
 * Why: V8 compiles what has run often, and runs the rest four times as slow. A route reflector that has just started is
 * met by all its peers at once; what it says to a single change is otherwise slow for the first thousand of them, and
 * the compiler's threads take the processor from whoever waits. Guarded by scenarios (d) and (e) of the bench.
 *
 * Machine code is made for the values that were seen, and thrown away at the first other one. So nothing here may be
 * simpler than life: several short acts before the long one, as code that has met one speaker only is made for that one;
 * a configuration that has come out of a thread; sessions with a hold time and graceful restart; routes with and without
 * each usual attribute, and addresses above and below 2^31. `node --trace-deopt` shows what is missing: after the
 * rehearsal, forty functions were thrown away as the first peers came, and are five now.
 *
 * Real sockets, since most of the way of one UPDATE is Node's own code.
 */
import { connect, type Socket } from 'node:net';
import { SystemClock } from '../../clock/system.ts';
import { convert } from '../config/convert.ts';
import type { RouterConfig } from '../config/schema.ts';
import type { SpeakerConfig } from '../speaker/config.ts';
import { Listener } from '../speaker/listener.ts';
import { TcpSessions } from '../speaker/sessions.ts';
import { Speaker } from '../speaker/speaker.ts';
import { TcpTransport } from '../speaker/tcp.ts';
import { MessageFramer } from '../wire/index.ts';
import {
  DOWN_TAIL,
  END_TAIL,
  flapDown,
  flapUp,
  greeting,
  HOLD_SECONDS,
  table,
  UP_TAIL,
} from './rehearsal-octets.ts';
import { reopenSocket, setSocketHopLimits } from './sockets.ts';

const ASN = 65_551;
const ADDRESSES = ['127.181.0.2', '127.181.0.3', '127.181.0.4'] as const;

/** In the order of the addresses: two external peers, one of them with a single family, and a client of the reflector. */
const ASNS = [ASN + 1, ASN + 2, ASN] as const;

const ROUTER: RouterConfig = {
  asNumber: ASN,
  routerId: '127.0.0.1',
  // Next hop self for IPv6 routes, over sessions that have no such address.
  addresses: ['2001:db8:ffff::1'],
  peerGroups: {
    guests: {
      passive: true,
      requirePolicy: false,
      families: ['ipv4-unicast', 'ipv6-unicast'],
      timers: { holdSeconds: HOLD_SECONDS },
    },
  },
  peers: ADDRESSES.map((address, n) => ({
    address,
    asNumber: ASNS[n] ?? ASN,
    group: 'guests',
    routeReflectorClient: ASNS[n] === ASN,
    ...(n === 1 ? { families: ['ipv4-unicast'] } : {}),
  })),
};

/** What part of everything each act plays. */
const ACTS = [0.1, 0.1, 0.1, 1] as const;

export interface RehearsalOptions {
  /**
   * UPDATEs of the table. V8's last compiler takes a function after 3,000 calls, and needs the time of as many more; with
   * half of this, forty functions were still compiled while the first table of a peer came in, which took a seventh longer.
   */
  readonly updates?: number;
  /** How often the one prefix comes and goes. Its first optimising compiler takes a function after 400 calls. */
  readonly flaps?: number;
  /** Whatever is in the way: a rehearsal must not keep anybody from starting. */
  readonly limitMs?: number;
}

/** @returns whether it came to its end; a machine without a loopback address has none */
export async function rehearse({
  updates = 12_800,
  flaps = 400,
  limitMs = 3000,
}: RehearsalOptions = {}): Promise<boolean> {
  const until = performance.now() + limitMs;
  for (const share of ACTS) if (!(await act(updates * share, flaps * share, until))) return false;
  return true;
}

async function act(updates: number, flaps: number, until: number): Promise<boolean> {
  const stage = new Stage();
  const limit = setTimeout(() => stage.close('it took too long'), until - performance.now());
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
  readonly #listener = new Listener({
    clock: this.#clock,
    port: 0,
    addresses: ['127.0.0.1'],
    setHopLimits: setSocketHopLimits,
    reopen: reopenSocket,
  });
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
    this.#speaker.configure(speakerConfig());
    for (const [n, address] of ADDRESSES.entries())
      this.#guests.push(new Guest(address, this.#listener.port, greeting(ASNS[n] ?? ASN, n + 2)));
    await Promise.all(this.#guests.map((guest) => guest.hears(END_TAIL)));
  }

  async play(updates: number, flaps: number): Promise<void> {
    const [sender, ...others] = this.#guests;
    if (sender === undefined) return;
    const all = (tail: readonly number[]): Promise<unknown> =>
      Promise.all(others.map((guest) => guest.hears(tail)));
    const [up, down] = [flapUp(ASNS[0]), flapDown()];
    sender.say(table(ASNS[0], updates));
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

/** Like one that was read: by the same code, from what came out of a thread. */
function speakerConfig(): SpeakerConfig {
  return convert(structuredClone(ROUTER)).speaker;
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
