/**
 * The finite state machine of one BGP connection, RFC 4271 §8.2.2. Total: every (state, event) has an answer, and
 * no function has a `default`, so a new event does not compile until each state has said what it does. Pure.
 *
 * Departures from the letter; BIRD and FRR make all but the last two too:
 * - Connect, TCP fails: to Active, not Idle. Idle would refuse the peer's own connection until the next start.
 * - A passive connection arms no ConnectRetryTimer: it would dial when that fired.
 * - OpenSent, NOTIFICATION: no FSM error in answer (§6.4 forbids answering a NOTIFICATION).
 * - Connect and Active, an error while the open is delayed: the NOTIFICATION is sent (SendNOTIFICATIONwithoutOPEN).
 * - A collision (event 23) does not count towards the idle hold, on either side: nothing is wrong with the peer.
 * - OpenConfirm, hold time 0: the large hold time of OpenSent runs on until the first KEEPALIVE.
 * A connection that the peer opened has one life: where the RFC goes back to Active, it comes to Idle, and the
 * session's own connection (see `session.ts`) is the one that waits.
 */
import { formatNotification } from '../wire/notification.ts';
import type { Negotiated } from '../wire/types.ts';
import type { Event, FsmConfig, State, Step, TimerName } from './state.ts';
import {
  abandoned,
  connected,
  dial,
  dumped,
  established,
  holdExpired,
  idle,
  keepalive,
  listen,
  lost,
  openConfirm,
  openSent,
  refused,
  restartHold,
  stay,
  stopped,
  told,
  unexpected,
} from './transitions.ts';

export type Initiator = 'local' | 'peer';

export function step(state: State, event: Event, config: FsmConfig, initiator: Initiator): Step {
  switch (state.name) {
    case 'Idle':
      return atIdle(event, config, initiator);
    case 'Connect':
      return atConnect(state, event, config);
    case 'Active':
      return atActive(state, event, config, initiator);
    case 'OpenSent':
      return atOpenSent(event, config, initiator);
    case 'OpenConfirm':
      return atOpenConfirm(state.peer, event);
    case 'Established':
      return atEstablished(state.peer, event);
  }
}

/** Refuses everything but a start. A connection that the peer opened starts where TCP already stands. */
function atIdle(event: Event, config: FsmConfig, initiator: Initiator): Step {
  switch (event.type) {
    case 'start':
      if (initiator === 'peer') return stay({ name: 'Active', delaying: false });
      return config.passive ? listen(config) : dial(config);
    case 'stop':
    case 'abandon':
    case 'timer':
    case 'tcp-connected':
    case 'tcp-failed':
    case 'open-received':
    case 'message-error':
    case 'collision-dump':
    case 'notification-received':
    case 'keepalive-received':
    case 'update-received':
    case 'refresh-received':
      return stay({ name: 'Idle' });
  }
}

type Waiting = Extract<State, { name: 'Connect' | 'Active' }>;

function atConnect(state: Waiting, event: Event, config: FsmConfig): Step {
  switch (event.type) {
    case 'start':
      return stay(state);
    case 'stop':
      return stopped(state.delaying ? event.notification : undefined);
    case 'abandon':
      return abandoned(event.cause);
    case 'timer':
      if (event.timer === 'connect-retry') return redial(config);
      return waitingTimer(state, event.timer);
    case 'tcp-connected':
      return connected('Connect', config);
    case 'tcp-failed':
      return listen(config);
    case 'open-received':
      return state.delaying ? openConfirm(event.peer, true) : notNow(state, event);
    case 'collision-dump':
      return dumped();
    case 'message-error':
      return refused(event.notification, event.reason);
    case 'notification-received':
      return told(event.notification);
    case 'keepalive-received':
    case 'update-received':
    case 'refresh-received':
      return notNow(state, event);
  }
}

function atActive(state: Waiting, event: Event, config: FsmConfig, initiator: Initiator): Step {
  switch (event.type) {
    case 'start':
      return stay(state);
    case 'stop':
      return stopped(state.delaying ? event.notification : undefined);
    case 'abandon':
      return abandoned(event.cause);
    case 'timer':
      if (event.timer === 'connect-retry') return config.passive ? stay(state) : dial(config);
      return waitingTimer(state, event.timer);
    case 'tcp-connected':
      return connected('Active', config);
    case 'tcp-failed':
      if (initiator === 'local' && !state.delaying) return stay(state);
      return lost(event.reason);
    case 'open-received':
      return state.delaying ? openConfirm(event.peer, true) : notNow(state, event);
    case 'collision-dump':
      return dumped();
    case 'message-error':
      return refused(event.notification, event.reason);
    case 'notification-received':
      return told(event.notification);
    case 'keepalive-received':
    case 'update-received':
    case 'refresh-received':
      return notNow(state, event);
  }
}

function redial(config: FsmConfig): Step {
  const next = dial(config);
  return { ...next, actions: [{ do: 'disarm-all' }, { do: 'close' }, ...next.actions] };
}

/** The delay is over: our OPEN goes out. No other timer runs in these states; a stray one changes nothing. */
function waitingTimer(state: Waiting, timer: Exclude<TimerName, 'connect-retry'>): Step {
  return timer === 'delay-open' && state.delaying ? openSent() : stay(state);
}

/** "Any other event" of Connect and Active: everything is let go, without a word as no OPEN was sent. */
function notNow(state: Waiting, event: Event): Step {
  return idle({ cause: 'connection-lost', reason: `${event.type} in ${state.name}`, counts: true });
}

function atOpenSent(event: Event, config: FsmConfig, initiator: Initiator): Step {
  switch (event.type) {
    case 'start':
      return stay({ name: 'OpenSent' });
    case 'stop':
      return stopped(event.notification);
    case 'abandon':
      return abandoned(event.cause);
    case 'timer':
      return event.timer === 'hold' ? holdExpired() : stay({ name: 'OpenSent' });
    case 'tcp-connected':
      return stay({ name: 'OpenSent' });
    case 'tcp-failed':
      if (initiator === 'local') return listen(config);
      return idle({ cause: 'connection-lost', reason: event.reason, counts: false });
    case 'open-received':
      return openConfirm(event.peer, false);
    case 'collision-dump':
      return dumped();
    case 'message-error':
      return refused(event.notification, event.reason);
    case 'notification-received':
      return told(event.notification);
    case 'keepalive-received':
      return unexpected('OpenSent', 'KEEPALIVE before OPEN');
    case 'update-received':
      return unexpected('OpenSent', 'UPDATE before OPEN');
    case 'refresh-received':
      return unexpected('OpenSent', 'ROUTE-REFRESH before OPEN');
  }
}

function atOpenConfirm(peer: Negotiated, event: Event): Step {
  const here: State = { name: 'OpenConfirm', peer };
  switch (event.type) {
    case 'start':
      return stay(here);
    case 'stop':
      return stopped(event.notification);
    case 'abandon':
      return abandoned(event.cause);
    case 'timer':
      if (event.timer === 'hold') return holdExpired();
      return event.timer === 'keepalive' ? stay(here, ...keepalive(peer)) : stay(here);
    case 'tcp-connected':
      return stay(here);
    case 'tcp-failed':
      return lost(event.reason);
    case 'open-received':
      return unexpected('OpenConfirm', 'a second OPEN');
    case 'collision-dump':
      return dumped();
    case 'message-error':
      return refused(event.notification, event.reason);
    case 'notification-received':
      return told(event.notification);
    case 'keepalive-received':
      return established(peer);
    case 'update-received':
      return unexpected('OpenConfirm', 'UPDATE before KEEPALIVE');
    case 'refresh-received':
      return unexpected('OpenConfirm', 'ROUTE-REFRESH before KEEPALIVE');
  }
}

function atEstablished(peer: Negotiated, event: Event): Step {
  const here: State = { name: 'Established', peer };
  switch (event.type) {
    case 'start':
      return stay(here);
    case 'stop':
      return stopped(event.notification);
    case 'abandon':
      return abandoned(event.cause);
    case 'timer':
      return establishedTimer(here, peer, event.timer);
    case 'tcp-connected':
      return stay(here);
    case 'tcp-failed':
      return lost(event.reason);
    case 'open-received':
      return unexpected('Established', 'OPEN in an established session');
    case 'collision-dump':
      return dumped();
    case 'message-error':
      return refused(event.notification, event.reason);
    case 'notification-received':
      return told(event.notification);
    case 'keepalive-received':
      return stay(here, ...restartHold(peer));
    case 'update-received':
      return stay(here, ...restartHold(peer), ...deliver(event.message));
    case 'refresh-received':
      return stay(here, ...deliver(event.message));
  }
}

function deliver(
  message: (Event & { type: 'update-received' | 'refresh-received' })['message'],
): Step['actions'] {
  return message === undefined ? [] : [{ do: 'deliver', message }];
}

function establishedTimer(here: State, peer: Negotiated, timer: TimerName): Step {
  switch (timer) {
    case 'hold':
      return holdExpired();
    case 'keepalive':
      return stay(here, ...keepalive(peer));
    case 'send-hold': {
      // RFC 9687 §3.2: the NOTIFICATION is tried, though a peer that does not read will hardly see it.
      const answer = { type: 'notification', code: 8, subcode: 0, data: new Uint8Array(0) } as const;
      return refused(answer, `${formatNotification(answer)}: the peer has stopped reading`);
    }
    case 'connect-retry':
    case 'delay-open':
      return stay(here);
  }
}
