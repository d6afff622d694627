/**
 * One session of the speaker: the pure machine of `../fsm` joined to sockets and timers. Octets come in and become
 * an input, the machine steps, its actions are performed; nothing else happens here.
 */
import { seconds, type Clock, type Millis } from '../../clock/clock.ts';
import {
  INITIAL,
  advance,
  openMessage,
  stateName,
  stopInput,
  type Action,
  type Connection,
  type ConnectionEvent,
  type RestartState,
  type SessionAction,
  type SessionInput,
  type SessionState,
  type SessionTimer,
  type StateName,
  type TimerName,
} from '../fsm/index.ts';
import {
  encodeKeepalive,
  encodeNotification,
  encodeOpen,
  encodeRouteRefresh,
  formatNotification,
  type Family,
  type Negotiated,
} from '../wire/index.ts';
import type { SessionHistory } from './history.ts';
import type { DialTurns } from './dial-turns.ts';
import { Link } from './link.ts';
import type { LogData } from './log-data.ts';
import { SessionRecord } from './record.ts';
import { RefreshLimit } from './refresh-limit.ts';
import type { Session, SessionConfig, SessionCounters, SessionEvents } from './session.ts';
import { Timers } from './timers.ts';
import { downReason, eventOf, messageError } from './translate.ts';
import type { ConnectionHandler, HopLimits, IncomingConnection, Target, Transport } from './transport.ts';

export interface PeerOptions {
  readonly config: SessionConfig;
  readonly events: SessionEvents;
  readonly transport: Transport;
  /** When to call. Absent: at once. */
  readonly dials?: Pick<DialTurns, 'dial'>;
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter of timers (RFC 4271 §10). */
  readonly random: () => number;
  /** One line for people, with the same for programs; called at a bounded rate whatever the peer does. */
  readonly log?: (level: 'info' | 'warn', text: string, data: LogData) => void;
  /** Asked for each OPEN sent. Default: not restarting, forwarding state not kept. */
  readonly restart?: RestartState;
}

const COLD: RestartState = { restarting: false, forwarding: () => false };
const CEASE_ADMINISTRATIVE_SHUTDOWN = 2;

interface Queued {
  readonly input: SessionInput;
  readonly incoming?: IncomingConnection;
}

export class Peer implements Session {
  readonly counters: SessionCounters;
  readonly history: SessionHistory;
  readonly #options: PeerOptions;
  #config: SessionConfig;
  readonly #record: SessionRecord;
  readonly #timers: Timers<SessionTimer>;
  readonly #refreshes: RefreshLimit;
  readonly #links = new Map<number, Link>();
  readonly #queue: Queued[] = [];
  #state: SessionState = INITIAL;
  /** The peer's call that has no answer yet. */
  #waiting: IncomingConnection | undefined;
  /** The one that is Established, if any: asked for with every message, so it is not looked for each time. */
  #standing: Connection | undefined;
  #working = false;
  #shown: StateName = 'Idle';
  #since: Millis;

  constructor(options: PeerOptions) {
    this.#config = options.config;
    this.#options = options;
    this.#since = options.clock.now();
    this.#record = new SessionRecord(options.clock, options.log);
    ({ counters: this.counters, history: this.history } = this.#record);
    this.#refreshes = new RefreshLimit(options.clock, (family) => options.events.refresh(this, family));
    this.#timers = new Timers(options.clock, `bgp ${options.config.name}`, (timer) => {
      this.#input({ type: 'timer', timer });
    });
  }

  get config(): SessionConfig {
    return this.#config;
  }

  get state(): StateName {
    return stateName(this.#state);
  }

  get negotiated(): Negotiated | undefined {
    const state = this.#established()?.state;
    return state?.name === 'Established' ? state.peer : undefined;
  }

  get localAddress(): string | undefined {
    return this.#establishedLink()?.localAddress;
  }

  get since(): Millis {
    return this.#since;
  }

  get lastError(): string | undefined {
    return this.#record.lastError;
  }

  pending(): { readonly name: string; readonly inMs: Millis }[] {
    const holdSeconds = this.negotiated?.holdSeconds;
    const links = [...this.#links.values()];
    return [...this.#timers.pending(), ...links.flatMap((link) => link.pending(holdSeconds))];
  }

  start(): void {
    this.#input({ type: 'start' });
  }

  stop(subcode: number = CEASE_ADMINISTRATIVE_SHUTDOWN, said?: string | Uint8Array): void {
    this.#input(stopInput(subcode, said));
  }

  drop(): void {
    this.#input({ type: 'drop' });
  }

  /** A connection that the peer has opened to our listener. */
  accept(incoming: IncomingConnection): void {
    this.#input({ type: 'accepted' }, incoming);
  }

  send(pieces: readonly Uint8Array[], messages: number = pieces.length): boolean {
    const link = this.#establishedLink();
    if (link === undefined || messages === 0) return true;
    this.counters.messagesOut += messages;
    this.counters.updatesOut += messages;
    return link.write(pieces);
  }

  requestRefresh(family: Family): void {
    const { negotiated } = this;
    if (negotiated?.routeRefresh !== true || !negotiated.families.includes(family)) return;
    this.#write(this.#establishedLink(), encodeRouteRefresh({ family, subtype: 0 }));
  }

  reconfigure(config: SessionConfig): void {
    this.#config = config;
  }

  #established(): Connection | undefined {
    return this.#standing;
  }

  #establishedLink(): Link | undefined {
    const connection = this.#established();
    return connection === undefined ? undefined : this.#links.get(connection.id);
  }

  /** One input at a time: what an action or a listener causes meanwhile waits its turn. */
  #input(input: SessionInput, incoming?: IncomingConnection): void {
    this.#queue.push(incoming === undefined ? { input } : { input, incoming });
    this.#work();
  }

  #work(): void {
    if (this.#working) return;
    this.#working = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const { state, actions } = advance(this.#state, next.input, this.config);
        this.#state = state;
        this.#standing = state.connections.find((connection) => connection.state.name === 'Established');
        this.#noteState();
        for (const action of actions) this.#perform(action, next.incoming);
      }
    } finally {
      this.#working = false;
    }
  }

  #noteState(): void {
    const now = this.state;
    if (now === this.#shown) return;
    this.#shown = now;
    this.#since = this.#options.clock.now();
  }

  #perform(action: SessionAction, incoming: IncomingConnection | undefined): void {
    if ('on' in action) {
      this.#performOn(action.on, action.action);
      return;
    }
    switch (action.do) {
      case 'wait':
        this.#wait(incoming);
        return;
      case 'adopt': {
        const call = incoming ?? this.#waited();
        if (call !== undefined)
          this.#linkOf(action.id).attach(call.adopt(this.#handler(action.id), hopLimits(this.config)));
        return;
      }
      case 'reject':
        (incoming ?? this.#waited())?.refuse();
        this.#record.say(`connection from the peer refused: ${action.reason}`, {
          action: 'refuse-connection',
        });
        return;
      case 'arm-session':
        this.#timers.arm(action.timer, this.#delay(action.timer, action.seconds));
        return;
      case 'disarm-session':
        this.#timers.disarm(action.timer);
        return;
      case 'up':
        this.#record.established(action.peer);
        this.#options.events.established(this, action.peer);
        return;
      case 'down':
        this.#refreshes.forget();
        this.#options.events.down(this, downReason(action.end));
        return;
      case 'ended':
        this.#record.ended(action.end);
    }
  }

  /** A peer calls once at a time, so an older call is dead at the other end. One line in the log for all of them. */
  #wait(incoming: IncomingConnection | undefined): void {
    const older = this.#waited();
    older?.refuse();
    this.#waiting = incoming;
    if (older === undefined)
      this.#record.say('connection from the peer waits for its answer: sessions have failed in a row', {
        action: 'delay-connection',
      });
  }

  #waited(): IncomingConnection | undefined {
    const call = this.#waiting;
    this.#waiting = undefined;
    return call;
  }

  #performOn(id: number, action: Action): void {
    const link = this.#links.get(id);
    switch (action.do) {
      case 'connect':
        this.#connect(id);
        return;
      case 'send-open':
        this.history.openSent = openMessage(this.config, this.#options.restart ?? COLD);
        this.#write(link, encodeOpen(this.history.openSent));
        return;
      case 'send-keepalive':
        this.#write(link, encodeKeepalive());
        return;
      case 'send-notification':
        this.#write(link, encodeNotification(action.notification));
        return;
      case 'close':
        this.#links.delete(id);
        link?.close();
        return;
      case 'arm':
        this.#linkOf(id).timers.arm(action.timer, this.#delay(action.timer, action.seconds));
        return;
      case 'disarm':
        link?.timers.disarm(action.timer);
        return;
      case 'disarm-all':
        link?.timers.disarmAll();
        return;
      case 'deliver':
        if (action.message.type === 'update') this.#options.events.update(this, action.message);
        // BoRR and EoRR (RFC 7313) announce the peer's own refresh and ask for nothing.
        else if (action.message.subtype === 0) this.#refreshes.ask(action.message.family);
    }
  }

  #connect(id: number): void {
    const { peerAddress: address, peerPort: port, localAddress, password } = this.config;
    const hops = hopLimits(this.config);
    const target: Target = {
      address,
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(hops === undefined ? {} : { hops }),
      ...(password === undefined ? {} : { password }),
    };
    const link = this.#linkOf(id);
    const call = (): void => {
      // It may have ended before its turn came.
      if (this.#links.get(id) === link)
        link.attach(this.#options.transport.connect(target, this.#handler(id)));
    };
    if (this.#options.dials === undefined) call();
    else this.#options.dials.dial(call);
  }

  /** Made when the first of its timers or its TCP connection is; gone with `close`. */
  #linkOf(id: number): Link {
    const known = this.#links.get(id);
    if (known !== undefined) return known;
    const owner = `bgp ${this.config.name} ${id}`;
    const timers = new Timers<TimerName>(this.#options.clock, owner, (timer) => this.#timerFired(id, timer));
    const link = new Link(timers, this.#options.clock);
    this.#links.set(id, link);
    return link;
  }

  #handler(id: number): ConnectionHandler {
    return {
      connected: () => this.#event(id, { type: 'tcp-connected' }),
      received: (chunk) => this.#received(id, chunk),
      lull: () => this.#options.events.lull?.(this),
      progressed: () => this.#links.get(id)?.progressed(),
      drained: () => {
        if (this.#established()?.id === id) this.#options.events.writable(this);
      },
      closed: (reason) => {
        if (this.#links.has(id)) this.#record.unreachable(reason);
        this.#event(id, { type: 'tcp-failed', reason });
      },
    };
  }

  #event(id: number, event: ConnectionEvent): void {
    if (this.#links.has(id)) this.#input({ type: 'connection', id, event });
  }

  #timerFired(id: number, timer: TimerName): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    const { negotiated } = this;
    if (timer === 'send-hold' && negotiated !== undefined && link.peerTakes(negotiated.holdSeconds)) return;
    if (timer === 'hold' && link.looksAgain()) return;
    this.#event(id, { type: 'timer', timer });
  }

  #received(id: number, chunk: Uint8Array): void {
    const error = this.#links.get(id)?.framer.push(chunk, (message) => {
      this.counters.messagesIn++;
      const event = this.#decode(id, message);
      if (!this.#isRoutine(id, event)) this.#event(id, event);
      return this.#links.has(id);
    });
    if (error !== undefined) this.#event(id, messageError(error, formatNotification(error)));
  }

  /**
   * Does what the machine says to KEEPALIVE and UPDATE in Established (RFC 4271 §8.2.2, events 26 and 27) without asking
   * it: hold timer, deliver, same state. A full table is some 200,000 of them, and asking cost more than the answer;
   * `peer.test.ts` holds the two together.
   */
  #isRoutine(id: number, event: ConnectionEvent): boolean {
    if (event.type !== 'update-received' && event.type !== 'keepalive-received') return false;
    const connection = this.#established();
    const link = this.#links.get(id);
    if (this.#working || connection?.id !== id || connection.state.name !== 'Established') return false;
    const { holdSeconds } = connection.state.peer;
    if (holdSeconds > 0) link?.timers.arm('hold', seconds(holdSeconds));
    if (event.type === 'update-received' && event.message !== undefined) {
      this.#working = true;
      try {
        this.#options.events.update(this, event.message);
      } finally {
        this.#working = false;
      }
      this.#work();
    }
    return true;
  }

  #decode(id: number, bytes: Uint8Array): ConnectionEvent {
    const state = this.#standing?.id === id ? this.#standing.state : undefined;
    const { event, faults } = eventOf(bytes, state?.name === 'Established' ? state.peer : undefined);
    if (event.type === 'update-received' && event.message !== undefined) this.counters.updatesIn++;
    if (event.type === 'open-received') this.history.openReceived = event.open;
    if (faults.length > 0)
      this.#record.malformed(faults, bytes, event.type === 'update-received' ? event.message : undefined);
    return event;
  }

  /** RFC 4271 §10: 0.75 to 1 of the time, so that peers do not fall into step. The hold times are kept to the letter. */
  #delay(timer: TimerName | SessionTimer, wanted: number): Millis {
    const exact = timer === 'hold' || timer === 'send-hold' || timer === 'stable' || timer === 'delay-open';
    return seconds(wanted) * (exact ? 1 : 0.75 + 0.25 * this.#options.random());
  }

  #write(link: Link | undefined, message: Uint8Array): void {
    if (link === undefined) return;
    this.counters.messagesOut++;
    link.write([message]);
  }
}

/** Undefined where the system's will do. */
function hopLimits({ ttl, minimalTtl }: SessionConfig): HopLimits | undefined {
  if (ttl === undefined && minimalTtl === undefined) return undefined;
  return { ...(ttl === undefined ? {} : { ttl }), ...(minimalTtl === undefined ? {} : { minimalTtl }) };
}
