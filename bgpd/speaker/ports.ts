/** What a speaker needs from outside: sessions (sockets), a forwarding table, and someone to tell. */
import type { Cancel } from '../../clock/clock.ts';
import type { Address, Prefix } from '../../net/addr/index.ts';
import type { Family } from '../wire/types.ts';
import type { Session, SessionConfig, SessionEvents } from './session.ts';

/** What our next OPEN says about ourselves (RFC 4724 §3). Asked anew for each OPEN. */
export interface RestartState {
  /** R bit: we have restarted and want our peers' End-of-RIB before we decide. */
  readonly restarting: boolean;
  /** F bit: our forwarding state for the family has outlived whatever happened to the sessions. */
  forwarding(family: Family): boolean;
}

export interface SessionFactory {
  /** A session that stands still until `start()`. */
  create(config: SessionConfig, events: SessionEvents, restart: RestartState): Session;
  /** The session is of no more use; it has been stopped. */
  remove(session: Session): void;
}

/** What the forwarding table shall do with a prefix. */
export type ForwardingEntry =
  | { readonly type: 'blackhole' }
  | { readonly type: 'unicast'; readonly gateways: readonly Address[] };

export interface ForwardingStatus {
  /** `yielded`: somebody else's route stands there. `degraded`: only one of several gateways could be used. */
  readonly state: 'installed' | 'pending' | 'refused' | 'yielded' | 'degraded';
  /** Why not, in words, for all but `installed` and `pending`. */
  readonly reason?: string;
}

/** The forwarding table as the speaker sees it; `bgpd/fib` drives a kernel with it. */
export interface ForwardingTable {
  /** Routes of ours were found there at the start: reason to defer selection. */
  adopted(family: Family): boolean;
  /** What we programmed for the family stands, from before a restart or since: the F bit of the next OPEN. */
  preserved(family: Family): boolean;
  set(prefix: Prefix, entry: ForwardingEntry | undefined): void;
  /** Whether it could take more right now than it has been told of. */
  isHungry?(): boolean;
  /** Every route of the family has been set: what was adopted and has not been set may go. */
  complete(family: Family): void;
  /** Undefined: nothing is wanted for the prefix. */
  status(prefix: Prefix): ForwardingStatus | undefined;
  /** Name of the link over which packets to an address go, where that is known; policies ask. */
  linkTo?(address: Address): string | undefined;
  /** Calls back whenever an answer that {@link linkTo} has given is another by now. */
  watchLinks?(changed: () => void): void;
}

/** What stands on this machine's interfaces, for next hop self in the version of IP that a session does not run over. */
export interface LinkAddresses {
  /** Addresses of the interface that `local` is on, of both versions, the best first; none where that is not known. */
  beside(local: Address): readonly Address[];
  /** Calls back whenever an answer may be another by now. */
  watch(changed: () => void): Cancel;
}

/** Events worth a line in a log or a place in a history. */
export type SpeakerEvent =
  | { readonly type: 'established'; readonly peer: string; readonly families: readonly Family[] }
  | { readonly type: 'down'; readonly peer: string; readonly reason: string; readonly kept: number }
  | {
      readonly type: 'stale-removed';
      readonly peer: string;
      readonly routes: number;
      readonly reason: string;
    }
  | { readonly type: 'selection-released'; readonly family: Family; readonly reason: string }
  | {
      readonly type: 'peer-added' | 'peer-removed' | 'peer-restarted' | 'peer-changed';
      readonly peer: string;
    }
  /** RFC 8212: nothing is taken from the peer, or told to it, until it has a policy for that. */
  | {
      readonly type: 'policy-missing';
      readonly peer: string;
      readonly directions: readonly ('import' | 'export')[];
    }
  | {
      readonly type: 'prefix-limit-warning' | 'prefix-limit-cleared';
      readonly peer: string;
      readonly family: Family;
      readonly count: number;
      readonly max: number;
    }
  | {
      readonly type: 'prefix-limit-exceeded';
      readonly peer: string;
      readonly family: Family;
      readonly count: number;
      readonly max: number;
      readonly action: 'warn' | 'reject' | 'restart' | 'shutdown';
    };
