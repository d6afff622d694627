/**
 * A network of speakers without sockets or FSM: sessions that come up and go when the test says so, and carry UPDATEs
 * as encoded octets, a millisecond each way. What the FSM would settle by OPEN is computed here.
 */
import type { SimulatedClock } from '../../../clock/simulated.ts';
import {
  decodeMessage,
  isEndOfRib,
  readPlainUpdate,
  type Family,
  type Negotiated,
  type UpdateMessage,
} from '../../wire/index.ts';
import { SessionHistory } from '../history.ts';
import type { RestartState, SessionFactory } from '../ports.ts';
import {
  noCounters,
  type DownReason,
  type Session,
  type SessionConfig,
  type SessionEvents,
  type SessionStateName,
} from '../session.ts';

const LATENCY = 1;

export class SimulatedSession implements Session {
  config: SessionConfig;
  readonly events: SessionEvents;
  readonly restart: RestartState;
  readonly counters = noCounters();
  readonly history = new SessionHistory();
  state: SessionStateName = 'Idle';
  negotiated: Negotiated | undefined;
  since = 0;
  lastError: string | undefined;
  other: SimulatedSession | undefined;
  /** UPDATEs as they arrived, End-of-RIB included. */
  readonly received: UpdateMessage[] = [];
  readonly refreshed: Family[] = [];
  /** Subcode and data of each Cease we sent. */
  readonly stops: { readonly subcode: number; readonly said: string | Uint8Array | undefined }[] = [];
  /** While true the peer does not read: `send` answers false and what was sent waits. */
  stuck = false;
  removed = false;
  readonly #clock: SimulatedClock;
  readonly #unread: Uint8Array[] = [];

  constructor(config: SessionConfig, events: SessionEvents, restart: RestartState, clock: SimulatedClock) {
    this.config = config;
    this.events = events;
    this.restart = restart;
    this.#clock = clock;
  }

  get localAddress(): string | undefined {
    return this.config.localAddress;
  }

  pending(): [] {
    return [];
  }

  start(): void {
    this.state = 'Connect';
  }

  stop(subcode = 2, said?: string | Uint8Array): void {
    this.stops.push({ subcode, said });
    const notification = { type: 'notification', code: 6, subcode, data: new Uint8Array() } as const;
    this.lose({ cause: 'administrative' }, { cause: 'notification-received', notification });
    this.state = 'Idle';
  }

  drop(): void {
    this.lose({ cause: 'administrative' }, { cause: 'connection-lost' });
  }

  send(pieces: readonly Uint8Array[], count: number): boolean {
    const to = this.other;
    if (this.state !== 'Established' || to === undefined) return true;
    const messages = pieces.flatMap(messagesIn);
    if (messages.length !== count) throw new Error(`${messages.length} messages sent as ${count}`);
    this.counters.updatesOut += messages.length;
    if (this.stuck) this.#unread.push(...messages);
    else
      this.#clock.after(LATENCY, 'wire', () => {
        for (const message of messages) to.#arrive(this, message);
      });
    return !this.stuck;
  }

  /** The peer reads again. */
  unstick(): void {
    this.stuck = false;
    const waiting = this.#unread.splice(0);
    this.send(waiting, waiting.length);
    this.events.writable(this);
  }

  requestRefresh(family: Family): void {
    const to = this.other;
    this.refreshed.push(family);
    if (to !== undefined) this.#clock.after(LATENCY, 'wire', () => to.events.refresh(to, family));
  }

  reconfigure(config: SessionConfig): void {
    this.config = config;
  }

  /** Both ends are Established. */
  connect(other: SimulatedSession): void {
    this.other = other;
    other.other = this;
    this.#rise();
    other.#rise();
    this.events.established(this, this.negotiated as Negotiated);
    other.events.established(other, other.negotiated as Negotiated);
  }

  /** The session falls, for each side for its own reason. */
  lose(here: DownReason, there: DownReason): void {
    const other = this.other;
    this.#fall(here);
    if (other !== undefined) other.#fall(there);
  }

  #rise(): void {
    const peer = this.other as SimulatedSession;
    const offered = peer.config.gracefulRestart;
    const families = this.config.families.filter((family) => peer.config.families.includes(family));
    this.state = 'Established';
    this.counters.establishedTransitions++;
    this.negotiated = {
      peerAsn: peer.config.localAsn,
      peerRouterId: peer.config.routerId,
      internal: peer.config.localAsn === this.config.localAsn,
      holdSeconds: 90,
      keepaliveSeconds: 30,
      families,
      fourOctetAs: true,
      extendedMessages: false,
      routeRefresh: true,
      enhancedRefresh: false,
      addPathReceive: [],
      addPathSend: [],
      ...(offered === undefined
        ? {}
        : {
            gracefulRestart: {
              code: 64,
              restarting: peer.restart.restarting,
              notification: false,
              restartSeconds: offered.restartSeconds,
              families: families.map((family) => ({ family, forwarding: peer.restart.forwarding(family) })),
            },
          }),
    };
  }

  #fall(reason: DownReason): void {
    const stood = this.state === 'Established';
    this.state = 'Connect';
    this.negotiated = undefined;
    this.other = undefined;
    this.#unread.length = 0;
    if (stood) this.events.down(this, reason);
  }

  #arrive(from: SimulatedSession, octets: Uint8Array): void {
    if (this.other !== from || this.state !== 'Established') return;
    const decoded = decodeMessage(octets, this.negotiated);
    if (!decoded.ok || decoded.message?.type !== 'update')
      throw new Error(`undecodable: ${JSON.stringify(decoded)}`);
    this.received.push(decoded.message);
    this.counters.updatesIn++;
    this.events.update(this, readPlainUpdate(octets, this.negotiated as Negotiated) ?? decoded.message);
  }

  /** How many End-of-RIB markers have arrived. */
  get endsOfRib(): number {
    return this.received.filter((update) => isEndOfRib(update) !== undefined).length;
  }
}

function messagesIn(piece: Uint8Array): readonly Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < piece.length; ) {
    const length = ((piece[at + 16] ?? 0) << 8) | (piece[at + 17] ?? 0);
    messages.push(piece.subarray(at, at + length));
    at += length;
  }
  return messages;
}

export class SimulatedSessions implements SessionFactory {
  readonly all: SimulatedSession[] = [];
  readonly #clock: SimulatedClock;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  create(config: SessionConfig, events: SessionEvents, restart: RestartState): SimulatedSession {
    const session = new SimulatedSession(config, events, restart, this.#clock);
    this.all.push(session);
    return session;
  }

  remove(session: Session): void {
    const found = this.all.find((each) => each === session);
    if (found !== undefined) found.removed = true;
  }

  get(name: string): SimulatedSession {
    const session = this.all.find((each) => each.config.name === name && !each.removed);
    if (session === undefined) throw new Error(`no session ${name}`);
    return session;
  }
}
