/** Real sessions for the speaker: peers over TCP, each waited for by the listener. */
import type { Clock } from '../../clock/clock.ts';
import { DialTurns } from './dial-turns.ts';
import type { Listener } from './listener.ts';
import type { LogData } from './log-data.ts';
import { Peer } from './peer.ts';
import type { RestartState, SessionFactory } from './ports.ts';
import type { Session, SessionConfig, SessionEvents } from './session.ts';
import type { IncomingConnection, Transport } from './transport.ts';

export interface TcpSessionsOptions {
  readonly clock: Clock;
  readonly transport: Transport;
  /** Uniform in [0, 1), for the timers' jitter. */
  readonly random: () => number;
  /** Absent: sessions only dial. */
  readonly listener?: Pick<Listener, 'expect'>;
  /** `data` says the same for programs; which message, attribute, offset and action, where there is one. */
  readonly log?: (level: 'info' | 'warn', text: string, peer: string, data: LogData) => void;
}

export class TcpSessions implements SessionFactory {
  readonly #options: TcpSessionsOptions;
  readonly #dials: DialTurns;
  readonly #forget = new Map<Session, () => void>();

  constructor(options: TcpSessionsOptions) {
    this.#options = options;
    this.#dials = new DialTurns(options.clock);
  }

  create(config: SessionConfig, events: SessionEvents, restart: RestartState): Peer {
    const { clock, transport, random, log, listener } = this.#options;
    const peer = new Peer({
      config,
      events,
      transport,
      dials: this.#dials,
      clock,
      random,
      restart,
      log: (level, text, data) => log?.(level, text, config.name, data),
    });
    const accept = (incoming: IncomingConnection): void => peer.accept(incoming);
    const forget = listener?.expect(config.peerAddress, accept, config.password);
    if (forget !== undefined) this.#forget.set(peer, forget);
    return peer;
  }

  remove(session: Session): void {
    this.#forget.get(session)?.();
    this.#forget.delete(session);
  }
}
