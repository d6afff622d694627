/**
 * The seam between one session (FSM, transport, timers: `peer.ts`) and the routing side (RIBs, filters:
 * `speaker.ts`). Sessions report upwards through {@link SessionEvents}; the routing side talks back
 * through {@link Session}.
 */
import type { Millis } from '../../clock/clock.ts';
import type { Family, Negotiated, NotificationMessage, UpdateMessage } from '../wire/types.ts';
import type { SessionHistory } from './history.ts';

export type SessionStateName = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

/** Everything one session needs to know. What a change of each field does to a session that stands: `plan.ts`. */
export interface SessionConfig {
  /** Unique, stable, for people: `tor-a` or the address. */
  readonly name: string;
  readonly description?: string;
  readonly peerAddress: string;
  readonly peerPort: number;
  /** Undefined accepts any AS (dynamic neighbours). */
  readonly peerAsn: number | undefined;
  /** With `peerAsn` undefined: any AS but our own. */
  readonly peerKind?: 'external';
  readonly localAsn: number;
  /** 32-bit BGP identifier. */
  readonly routerId: number;
  /** Source address of outgoing connections; undefined lets the kernel choose. */
  readonly localAddress?: string;
  /** TTL (IPv6: hop limit) of what we send, 1 to 255; undefined: the system's. The transport must be able to set it. */
  readonly ttl?: number;
  /**
   * GTSM (RFC 5082): packets of the peer with less TTL than this are dropped; with a `ttl` of 255 on both sides it says how
   * far away the peer may be, 255 for a neighbour on the link. The transport must be able to set it.
   */
  readonly minimalTtl?: number;
  /**
   * Key of TCP MD5 signatures (RFC 2385), at most 80 octets; what is not signed with it is dropped. The transport must be
   * able to sign. Never shown.
   */
  readonly password?: string;
  /** Proposed hold time: 0, or 3 and more. */
  readonly holdSeconds: number;
  readonly connectRetrySeconds: number;
  /** Never open a connection ourselves. */
  readonly passive: boolean;
  /** Once connected, wait this long for the peer's OPEN before sending ours (RFC 4271 §8.1.1). Default 0. */
  readonly delayOpenSeconds?: number;
  readonly families: readonly Family[];
  /** Speak AIGP (RFC 7311 §3.3). Default false. */
  readonly aigp?: boolean;
  /** Graceful restart we offer; undefined = capability not sent. */
  readonly gracefulRestart?: { readonly restartSeconds: number };
}

export type DownReason =
  | {
      readonly cause: 'notification-received' | 'notification-sent';
      readonly notification: NotificationMessage;
    }
  | { readonly cause: 'connection-lost' | 'hold-timer-expired' | 'administrative' };

export interface SessionEvents {
  established(session: Session, negotiated: Negotiated): void;
  /** Already validated (RFC 7606 applied: attributes discarded, or turned into `unreach`). */
  update(session: Session, update: UpdateMessage): void;
  /** The peer has said something, little, and nothing more at the moment. */
  lull?(session: Session): void;
  /** The peer asks us to send the family again (RFC 2918). */
  refresh(session: Session, family: Family): void;
  /** Called once for each `established`. */
  down(session: Session, reason: DownReason): void;
  /** The write buffer has drained after {@link Session.send} returned false. */
  writable(session: Session): void;
}

export interface Session {
  readonly config: SessionConfig;
  readonly state: SessionStateName;
  readonly negotiated: Negotiated | undefined;
  /** Local end of the TCP connection while Established: next hop self, link-local lookup. */
  readonly localAddress: string | undefined;
  /** Milliseconds of the clock when the state was entered. */
  readonly since: number;
  readonly lastError: string | undefined;
  readonly counters: SessionCounters;
  readonly history: SessionHistory;
  /** Timers that run, with the time left. */
  pending(): readonly { readonly name: string; readonly inMs: Millis }[];
  start(): void;
  /** Ends the session with Cease/subcode (RFC 4486; default 2, administrative shutdown); a text is per RFC 9003. */
  stop(subcode?: number, said?: string | Uint8Array): void;
  /** Closes without a NOTIFICATION, so that a graceful-restart helper keeps our routes (used on planned restart). */
  drop(): void;
  /**
   * Queues UPDATEs, already encoded; a piece may hold several whole messages. Pieces are shared with other sessions and
   * never written to. False: wait for `writable` before sending more. Ignored unless Established.
   *
   * @param messages  how many there are in all pieces; one each where not given
   */
  send(pieces: readonly Uint8Array[], messages?: number): boolean;
  requestRefresh(family: Family): void;
  /** Another configuration of the same session, different only in fields that need no restart (`plan.ts`). */
  reconfigure(config: SessionConfig): void;
}

export interface SessionCounters {
  messagesIn: number;
  messagesOut: number;
  updatesIn: number;
  updatesOut: number;
  /** UPDATEs that RFC 7606 turned into withdrawals, and attributes it discarded. */
  treatedAsWithdraw: number;
  attributesDiscarded: number;
  establishedTransitions: number;
}

export function noCounters(): SessionCounters {
  return {
    messagesIn: 0,
    messagesOut: 0,
    updatesIn: 0,
    updatesOut: 0,
    treatedAsWithdraw: 0,
    attributesDiscarded: 0,
    establishedTransitions: 0,
  };
}
