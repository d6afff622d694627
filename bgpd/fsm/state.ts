/** States, events and actions of one BGP connection: RFC 4271 §8.1 and §8.2, in its words where it has one. */
import type {
  Negotiated,
  NotificationMessage,
  OpenMessage,
  RouteRefreshMessage,
  UpdateMessage,
} from '../wire/types.ts';

/**
 * RFC 4271 §8.2.2. A state carries what it has and no more: without a peer's OPEN there is no `peer`.
 * `delaying`: TCP is up and the DelayOpenTimer runs (§8.1.1, DelayOpen).
 */
export type State =
  | { readonly name: 'Idle' }
  | { readonly name: 'Connect'; readonly delaying: boolean }
  | { readonly name: 'Active'; readonly delaying: boolean }
  | { readonly name: 'OpenSent' }
  | { readonly name: 'OpenConfirm'; readonly peer: Negotiated }
  | { readonly name: 'Established'; readonly peer: Negotiated };

export type StateName = State['name'];

/** Timers of one connection. `send-hold` is RFC 9687's. */
export type TimerName = 'connect-retry' | 'delay-open' | 'hold' | 'keepalive' | 'send-hold';

/** Numbers are those of RFC 4271 §8.1. */
export type Event =
  /** 1, 3 (4, 5 where the configuration is passive). */
  | { readonly type: 'start' }
  /** 2, 8: ends with this Cease. */
  | { readonly type: 'stop'; readonly notification: NotificationMessage }
  /** Ends without a word: a restart that the peer must see as a lost connection, or a connection not needed. */
  | { readonly type: 'abandon'; readonly cause: 'administrative' | 'collision' | 'connection-lost' }
  /** 9, 10, 11, 12; RFC 9687's SendHoldTimer_Expires. */
  | { readonly type: 'timer'; readonly timer: TimerName }
  /** 16, 17. */
  | { readonly type: 'tcp-connected' }
  /** 18. */
  | { readonly type: 'tcp-failed'; readonly reason: string }
  /** 19, 20: an OPEN that `negotiate` has accepted. */
  | { readonly type: 'open-received'; readonly peer: Negotiated }
  /** 21, 22, 28, and a malformed ROUTE-REFRESH: what to answer, and why. */
  | { readonly type: 'message-error'; readonly notification: NotificationMessage; readonly reason: string }
  /** 23. */
  | { readonly type: 'collision-dump' }
  /** 24, 25. */
  | { readonly type: 'notification-received'; readonly notification: NotificationMessage }
  /** 26. */
  | { readonly type: 'keepalive-received' }
  /** 27. Outside Established nobody decodes it, so there it comes without its message. */
  | { readonly type: 'update-received'; readonly message?: UpdateMessage }
  /** RFC 2918. */
  | { readonly type: 'refresh-received'; readonly message?: RouteRefreshMessage };

/** What reaches the session from one connection: as {@link Event}, with the OPEN not yet judged. */
export type ConnectionEvent =
  | Exclude<Event, { readonly type: 'open-received' | 'collision-dump' | 'abandon' | 'start' | 'stop' }>
  | { readonly type: 'open-received'; readonly open: OpenMessage };

export type Action =
  | { readonly do: 'connect' }
  | { readonly do: 'send-open' }
  | { readonly do: 'send-keepalive' }
  | { readonly do: 'send-notification'; readonly notification: NotificationMessage }
  /** Ends TCP after what was sent has left; also a connection attempt. */
  | { readonly do: 'close' }
  | { readonly do: 'arm'; readonly timer: TimerName; readonly seconds: number }
  | { readonly do: 'disarm'; readonly timer: TimerName }
  | { readonly do: 'disarm-all' }
  | { readonly do: 'deliver'; readonly message: UpdateMessage | RouteRefreshMessage };

/** Why a connection came to Idle. */
export interface End {
  readonly cause:
    | 'administrative'
    | 'collision'
    | 'connection-lost'
    | 'hold-timer-expired'
    | 'notification-sent'
    | 'notification-received';
  /** The NOTIFICATION that went out, or came in. */
  readonly sent?: NotificationMessage;
  readonly received?: NotificationMessage;
  /** For people. */
  readonly reason: string;
  /** Whether ConnectRetryCounter grows, and with it the idle hold (RFC 4271 §8.1.1, DampPeerOscillations). */
  readonly counts: boolean;
}

export interface Step {
  readonly state: State;
  readonly actions: readonly Action[];
  /** Set exactly when the connection comes to Idle from another state. */
  readonly end?: End;
}

export interface FsmConfig {
  readonly localAsn: number;
  readonly peerAsn: number | undefined;
  /** With `peerAsn` undefined: any AS but our own. */
  readonly peerKind?: 'external';
  readonly routerId: number;
  readonly holdSeconds: number;
  readonly connectRetrySeconds: number;
  readonly passive: boolean;
  readonly families: readonly Negotiated['families'][number][];
  readonly aigp?: boolean;
  /** Wait this long for the peer's OPEN before sending ours (RFC 4271 §8.1.1); absent or 0: do not wait. */
  readonly delayOpenSeconds?: number;
}
