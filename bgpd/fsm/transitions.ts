/** Entry actions, each in one place: what going to a state does is not repeated by the arms that go there. */
import { CEASE, ERROR, cease, formatNotification, notification } from '../wire/notification.ts';
import type { Negotiated, NotificationMessage } from '../wire/types.ts';
import type { Action, End, FsmConfig, State, Step } from './state.ts';

/** RFC 4271 §8.2.2, OpenSent: "large value" for the hold timer until the OPEN has come. */
export const OPEN_HOLD_SECONDS = 240;

/** RFC 9687 §3.1: the greater of 8 minutes and twice the hold time. */
export function sendHoldSeconds(holdSeconds: number): number {
  return Math.max(8 * 60, 2 * holdSeconds);
}

export function stay(state: State, ...actions: readonly Action[]): Step {
  return { state, actions };
}

/** To Idle: an answer if there is one, then everything let go. */
export function idle(end: End): Step {
  const answer: readonly Action[] =
    end.sent === undefined ? [] : [{ do: 'send-notification', notification: end.sent }];
  return { state: { name: 'Idle' }, actions: [...answer, { do: 'disarm-all' }, { do: 'close' }], end };
}

export function refused(answer: NotificationMessage, reason: string): Step {
  return idle({ cause: 'notification-sent', sent: answer, reason: `sent ${reason}`, counts: true });
}

export function stopped(answer: NotificationMessage | undefined): Step {
  const end = { cause: 'administrative', counts: false } as const;
  return idle(
    answer === undefined
      ? { ...end, reason: 'stopped here' }
      : { ...end, reason: `stopped here, with ${formatNotification(answer)}`, sent: answer },
  );
}

export function abandoned(cause: 'administrative' | 'collision' | 'connection-lost'): Step {
  const reason = {
    administrative: 'closed here, to resume',
    collision: 'another connection to the peer was kept',
    'connection-lost': 'the peer opened a new connection, so it has restarted',
  }[cause];
  return idle({ cause, reason, counts: false });
}

export function dumped(): Step {
  const answer = cease(CEASE.connectionCollision);
  return idle({
    cause: 'collision',
    sent: answer,
    reason: `sent ${formatNotification(answer)}`,
    counts: false,
  });
}

export function lost(reason: string): Step {
  return idle({ cause: 'connection-lost', reason, counts: true });
}

/** A version error does not count (RFC 4271 §8.2.2, event 24); nor does the peer's collision dump: nothing is wrong. */
export function told(message: NotificationMessage): Step {
  const collision = message.code === ERROR.cease && message.subcode === CEASE.connectionCollision;
  const version = message.code === ERROR.open && message.subcode === 1;
  return idle({
    cause: collision ? 'collision' : 'notification-received',
    received: message,
    reason: `received ${formatNotification(message)}`,
    counts: !collision && !version,
  });
}

export function holdExpired(): Step {
  const answer = notification(ERROR.holdTimerExpired);
  const reason = 'nothing came from the peer within the hold time';
  return idle({ cause: 'hold-timer-expired', sent: answer, reason, counts: true });
}

/** RFC 6608 §3: the subcode says in which state the message was unexpected. */
export function unexpected(state: 'OpenSent' | 'OpenConfirm' | 'Established', what: string): Step {
  const subcode = { OpenSent: 1, OpenConfirm: 2, Established: 3 }[state];
  const answer = notification(ERROR.fsm, subcode);
  return refused(answer, `${formatNotification(answer)}: ${what}`);
}

export function dial(config: FsmConfig): Step {
  return stay(
    { name: 'Connect', delaying: false },
    { do: 'arm', timer: 'connect-retry', seconds: config.connectRetrySeconds },
    { do: 'connect' },
  );
}

/** Waits for the peer to come; tries again itself unless passive. */
export function listen(config: FsmConfig): Step {
  const retry: readonly Action[] = config.passive
    ? []
    : [{ do: 'arm', timer: 'connect-retry', seconds: config.connectRetrySeconds }];
  return stay({ name: 'Active', delaying: false }, { do: 'disarm-all' }, { do: 'close' }, ...retry);
}

export function connected(from: 'Connect' | 'Active', config: FsmConfig): Step {
  const delay = config.delayOpenSeconds ?? 0;
  if (delay === 0) return openSent();
  return stay(
    { name: from, delaying: true },
    { do: 'disarm', timer: 'connect-retry' },
    { do: 'arm', timer: 'delay-open', seconds: delay },
  );
}

export function openSent(): Step {
  return stay(
    { name: 'OpenSent' },
    { do: 'disarm', timer: 'connect-retry' },
    { do: 'disarm', timer: 'delay-open' },
    { do: 'send-open' },
    { do: 'arm', timer: 'hold', seconds: OPEN_HOLD_SECONDS },
  );
}

/**
 * A hold time of 0 means that neither timer runs (RFC 4271 §4.2, §4.4), but that is for a session that stands: a peer
 * that vanished before its first KEEPALIVE would keep this connection, and so its own next one out, for ever.
 */
export function openConfirm(peer: Negotiated, sendOpen: boolean): Step {
  const timers: readonly Action[] =
    peer.holdSeconds === 0
      ? [{ do: 'arm', timer: 'hold', seconds: OPEN_HOLD_SECONDS }]
      : [
          { do: 'arm', timer: 'keepalive', seconds: peer.keepaliveSeconds },
          { do: 'arm', timer: 'hold', seconds: peer.holdSeconds },
        ];
  return stay(
    { name: 'OpenConfirm', peer },
    { do: 'disarm', timer: 'connect-retry' },
    { do: 'disarm', timer: 'delay-open' },
    ...(sendOpen ? ([{ do: 'send-open' }] as const) : []),
    { do: 'send-keepalive' },
    ...timers,
  );
}

export function established(peer: Negotiated): Step {
  if (peer.holdSeconds === 0) return stay({ name: 'Established', peer }, { do: 'disarm', timer: 'hold' });
  return stay({ name: 'Established', peer }, ...restartHold(peer), {
    do: 'arm',
    timer: 'send-hold',
    seconds: sendHoldSeconds(peer.holdSeconds),
  });
}

export function restartHold(peer: Negotiated): readonly Action[] {
  return peer.holdSeconds === 0 ? [] : [{ do: 'arm', timer: 'hold', seconds: peer.holdSeconds }];
}

export function keepalive(peer: Negotiated): readonly Action[] {
  const again: readonly Action[] =
    peer.holdSeconds === 0 ? [] : [{ do: 'arm', timer: 'keepalive', seconds: peer.keepaliveSeconds }];
  return [{ do: 'send-keepalive' }, ...again];
}
