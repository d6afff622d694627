/**
 * One session with one peer: up to one connection that we open, and those that the peer opens, each a machine of its
 * own (`step.ts`), held together by the rules that concern them jointly: collision (RFC 4271 §6.8), restart of
 * the peer (RFC 4724 §5), idle hold. Pure.
 *
 * What always holds, and is tested: at most one connection is Established; while started, there is a connection or
 * the idle hold runs; every `up` has its `down`; a call waits only while the session is quiet, and one at a time.
 */
import { cease } from '../wire/notification.ts';
import type { Negotiated, NotificationMessage } from '../wire/types.ts';
import { survivor } from './collision.ts';
import { ANSWERED_SECONDS, STABLE_SECONDS, idleHoldSeconds, quietSeconds } from './damping.ts';
import { negotiate } from './negotiate.ts';
import type { Action, ConnectionEvent, End, Event, FsmConfig, State, StateName } from './state.ts';
import { step, type Initiator } from './step.ts';

export interface Connection {
  readonly id: number;
  readonly initiator: Initiator;
  readonly state: State;
  /** Ids from here on belong to connections that came after this one was Established. */
  readonly establishedBefore?: number;
}

export interface SessionState {
  readonly started: boolean;
  readonly connections: readonly Connection[];
  readonly nextId: number;
  /** RFC 4271 §8: connections that ended badly since the last stable session. */
  readonly connectRetryCounter: number;
  /** We do not call the peer. */
  readonly holding: boolean;
  /** Nor do we answer its calls. */
  readonly quiet: boolean;
  /** The id kept for the peer's call that waits for an answer. */
  readonly waiting: number | undefined;
}

export type SessionInput =
  | { readonly type: 'start' }
  | { readonly type: 'stop'; readonly notification: NotificationMessage }
  /** Close without a NOTIFICATION. */
  | { readonly type: 'drop' }
  /** The peer has opened a TCP connection to us. */
  | { readonly type: 'accepted' }
  | { readonly type: 'timer'; readonly timer: SessionTimer }
  | { readonly type: 'connection'; readonly id: number; readonly event: ConnectionEvent };

/** `stable` runs from Established on and forgives when it fires; when `quiet` fires, the peer's call is answered. */
export type SessionTimer = 'idle-hold' | 'quiet' | 'stable';

export type SessionAction =
  | { readonly on: number; readonly action: Action }
  /** Answers `accepted`: keep the connection unread, and turn away one that waits already. */
  | { readonly do: 'wait' }
  /** Answers `accepted`, or at another time the connection that waits: it is this one, or is turned away. */
  | { readonly do: 'adopt'; readonly id: number }
  | { readonly do: 'reject'; readonly reason: string }
  | { readonly do: 'arm-session'; readonly timer: SessionTimer; readonly seconds: number }
  | { readonly do: 'disarm-session'; readonly timer: SessionTimer }
  | { readonly do: 'up'; readonly id: number; readonly peer: Negotiated }
  | { readonly do: 'down'; readonly id: number; readonly end: End }
  /** A connection ended; for the log, whether it was up or not. */
  | { readonly do: 'ended'; readonly id: number; readonly end: End };

export interface SessionStep {
  readonly state: SessionState;
  readonly actions: readonly SessionAction[];
}

export const INITIAL: SessionState = {
  started: false,
  connections: [],
  nextId: 1,
  connectRetryCounter: 0,
  holding: false,
  quiet: false,
  waiting: undefined,
};

const RANK: Readonly<Record<StateName, number>> = {
  Idle: 0,
  Active: 1,
  Connect: 2,
  OpenSent: 3,
  OpenConfirm: 4,
  Established: 5,
};

/** The session's state is that of its furthest connection. */
export function stateName({ connections }: SessionState): StateName {
  let furthest: StateName = 'Idle';
  for (const { state } of connections) if (RANK[state.name] > RANK[furthest]) furthest = state.name;
  return furthest;
}

export function advance(state: SessionState, input: SessionInput, config: FsmConfig): SessionStep {
  const session = new Working(state, config);
  switch (input.type) {
    case 'start':
      session.start();
      break;
    case 'stop':
      session.end({ type: 'stop', notification: input.notification });
      break;
    case 'drop':
      session.end({ type: 'abandon', cause: 'administrative' });
      break;
    case 'accepted':
      session.accept();
      break;
    case 'timer':
      session.timer(input.timer);
      break;
    case 'connection':
      session.event(input.id, input.event);
  }
  return session.finish();
}

/** The state while one input is worked in. Lives for one call of {@link advance}. */
class Working {
  readonly #config: FsmConfig;
  readonly #actions: SessionAction[] = [];
  #connections: readonly Connection[];
  #started: boolean;
  #nextId: number;
  #counter: number;
  #holding: boolean;
  #quiet: boolean;
  #waiting: number | undefined;

  constructor(state: SessionState, config: FsmConfig) {
    this.#config = config;
    this.#connections = state.connections;
    this.#started = state.started;
    this.#nextId = state.nextId;
    this.#counter = state.connectRetryCounter;
    this.#holding = state.holding;
    this.#quiet = state.quiet;
    this.#waiting = state.waiting;
  }

  finish(): SessionStep {
    if (this.#started && this.#connections.length === 0 && !this.#holding)
      this.#hold(idleHoldSeconds(this.#counter));
    return {
      state: {
        started: this.#started,
        connections: this.#connections,
        nextId: this.#nextId,
        connectRetryCounter: this.#counter,
        holding: this.#holding,
        quiet: this.#quiet,
        waiting: this.#waiting,
      },
      actions: this.#actions,
    };
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#counter = 0;
    this.#dial();
  }

  /** RFC 4271 §8.2.2: a manual stop also sets ConnectRetryCounter to 0. */
  end(event: Event): void {
    this.#started = false;
    for (const { id } of this.#connections) this.#step(id, event);
    this.#counter = 0;
    this.#holding = false;
    this.#quiet = false;
    if (this.#waiting !== undefined) this.#reject('the session was stopped');
    this.#waiting = undefined;
    for (const timer of ['idle-hold', 'quiet', 'stable'] as const)
      this.#actions.push({ do: 'disarm-session', timer });
  }

  accept(): void {
    if (!this.#started) return this.#reject('the session is not started');
    if (!this.#quiet) return this.#answer(this.#nextId++);
    // The id is of now: whether the call came before an Established session or after it makes a difference.
    this.#waiting = this.#nextId++;
    this.#actions.push({ do: 'wait' });
  }

  #answer(id: number): void {
    const opened = this.#connections.filter(({ initiator }) => initiator === 'peer');
    if (opened.some(({ state }) => state.name === 'OpenConfirm'))
      return this.#reject('another one is being opened');
    // A peer dials once at a time. The one before, if it never got to its OPEN, is dead at the other end.
    for (const one of opened)
      if (one.state.name !== 'Established') this.#step(one.id, { type: 'abandon', cause: 'collision' });
    this.#add('peer', id);
    this.#actions.push({ do: 'adopt', id });
    this.#step(id, { type: 'start' });
    this.#step(id, { type: 'tcp-connected' });
  }

  /** @returns whether a call waited that has its answer now */
  #endQuiet(): boolean {
    const id = this.#waiting;
    this.#quiet = false;
    this.#waiting = undefined;
    if (id !== undefined) this.#answer(id);
    return id !== undefined;
  }

  timer(timer: SessionTimer): void {
    if (timer === 'stable') {
      this.#counter = 0;
      return;
    }
    if (timer === 'quiet') {
      if (this.#quiet) this.#endQuiet();
      return;
    }
    this.#holding = false;
    if (!this.#started) return;
    if (this.#quiet) {
      this.#actions.push({ do: 'disarm-session', timer: 'quiet' });
      if (this.#endQuiet()) return this.#hold(ANSWERED_SECONDS);
    }
    const busy = this.#connections.some(
      ({ initiator, state }) => initiator === 'local' || RANK[state.name] >= RANK.OpenConfirm,
    );
    if (!busy) this.#dial();
  }

  event(id: number, event: ConnectionEvent): void {
    if (event.type !== 'open-received') {
      this.#step(id, event);
      return;
    }
    const negotiation = negotiate(event.open, this.#config);
    if (negotiation.ok) this.#opened(id, negotiation.peer);
    else
      this.#step(id, {
        type: 'message-error',
        notification: negotiation.notification,
        reason: negotiation.reason,
      });
  }

  /** A valid OPEN: the other connections give way, or this one does (RFC 4271 §6.8). */
  #opened(id: number, peer: Negotiated): void {
    const own = this.#find(id);
    if (own === undefined || !awaitsOpen(own.state)) return this.#step(id, { type: 'open-received', peer });
    for (const other of this.#connections) {
      if (other.id === id) continue;
      const verdict = this.#verdict(own, other, peer);
      if (verdict === 'both') continue;
      if (verdict === 'other') return this.#step(id, { type: 'collision-dump' });
      this.#step(other.id, verdict);
    }
    this.#step(id, { type: 'open-received', peer });
  }

  /** Who stays: this connection (then: how the other one ends), the other, or both for now. */
  #verdict(own: Connection, other: Connection, peer: Negotiated): Event | 'other' | 'both' {
    switch (other.state.name) {
      case 'Idle':
      case 'OpenSent':
        // No OPEN has come on it yet, so whose it is remains to be seen; when one comes, it is judged against this.
        return 'both';
      case 'Connect':
      case 'Active':
        return other.initiator === 'local' ? { type: 'abandon', cause: 'collision' } : 'both';
      case 'OpenConfirm': {
        const local = { routerId: this.#config.routerId, asn: this.#config.localAsn };
        const stays = survivor(local, { routerId: peer.peerRouterId, asn: peer.peerAsn });
        return stays === own.initiator ? { type: 'collision-dump' } : 'other';
      }
      case 'Established':
        return hasRestarted(own, other) ? { type: 'abandon', cause: 'connection-lost' } : 'other';
    }
  }

  #dial(): void {
    const id = this.#nextId++;
    this.#add('local', id);
    this.#step(id, { type: 'start' });
  }

  #reject(reason: string): void {
    this.#actions.push({ do: 'reject', reason });
  }

  #add(initiator: Initiator, id: number): void {
    this.#connections = [...this.#connections, { id, initiator, state: { name: 'Idle' } }];
  }

  #find(id: number): Connection | undefined {
    return this.#connections.find((connection) => connection.id === id);
  }

  #step(id: number, event: Event): void {
    const connection = this.#find(id);
    if (connection === undefined) return; // An event of a connection that is gone: it came too late to matter.
    const next = step(connection.state, event, this.#config, connection.initiator);
    for (const action of next.actions) this.#actions.push({ on: id, action });
    if (next.end !== undefined) {
      this.#ended(connection, next.end);
    } else if (next.state.name === 'Established' && connection.state.name !== 'Established') {
      this.#replace({ ...connection, state: next.state, establishedBefore: this.#nextId });
      this.#actions.push({ do: 'up', id, peer: next.state.peer });
      this.#actions.push({ do: 'arm-session', timer: 'stable', seconds: STABLE_SECONDS });
    } else {
      this.#replace({ ...connection, state: next.state });
    }
  }

  #replace(connection: Connection): void {
    this.#connections = this.#connections.map((one) => (one.id === connection.id ? connection : one));
  }

  #ended(connection: Connection, end: End): void {
    this.#connections = this.#connections.filter(({ id }) => id !== connection.id);
    this.#actions.push({ do: 'ended', id: connection.id, end });
    if (connection.state.name === 'Established') {
      this.#actions.push({ do: 'disarm-session', timer: 'stable' }, { do: 'down', id: connection.id, end });
    }
    // What happens beside an Established session says nothing about it: a stranger at the peer's address may do it.
    const established = this.#connections.some(({ state }) => state.name === 'Established');
    // A session that was up and is over has flapped, whatever the peer did to end it: else one that says Cease or comes
    // back on a new connection each time would never be held off.
    const flapped = connection.state.name === 'Established' && end.cause !== 'administrative';
    if ((!end.counts && !flapped) || established || !this.#started) return;
    this.#counter++;
    this.#hold(idleHoldSeconds(this.#counter));
    this.#beQuiet(quietSeconds(this.#counter, flapped), flapped);
  }

  #hold(seconds: number): void {
    this.#holding = true;
    this.#actions.push({ do: 'arm-session', timer: 'idle-hold', seconds });
  }

  /** Two connections may end one after the other: the second failure does not shorten what a flap has begun. */
  #beQuiet(seconds: number, flapped: boolean): void {
    if (seconds === 0 || (this.#quiet && !flapped)) return;
    this.#quiet = true;
    this.#actions.push({ do: 'arm-session', timer: 'quiet', seconds });
  }
}

function awaitsOpen(state: State): boolean {
  return state.name === 'OpenSent' || ('delaying' in state && state.delaying);
}

/**
 * RFC 4724 §5: a peer that can restart gracefully and opens a connection while one is Established has restarted, and
 * the old one is as good as lost. The RFC acts when TCP is up; we wait for a valid OPEN, so that a stray connection
 * harms nothing. One that was under way before the session was Established is an ordinary collision.
 */
function hasRestarted(own: Connection, established: Connection): boolean {
  const peer = established.state.name === 'Established' ? established.state.peer : undefined;
  return (
    peer?.gracefulRestart !== undefined &&
    own.id >= (established.establishedBefore ?? Number.POSITIVE_INFINITY)
  );
}

/** What `stop` sends: Cease with the subcode and its data, or a text (RFC 9003). */
export function stopInput(subcode: number, said?: string | Uint8Array): SessionInput {
  return { type: 'stop', notification: cease(subcode, said) };
}
