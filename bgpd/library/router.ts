/**
 * A speaker with its sockets, for programs: the parts that `poplin bgpd` is made of, put together in one call. Whoever
 * wants other sessions, another clock or no socket at all uses {@link Speaker} and its ports directly.
 */
import type { Clock } from '../../clock/clock.ts';
import { SystemClock } from '../../clock/system.ts';
import type { RouterSetup } from '../config/index.ts';
import type { SpeakerConfig } from '../speaker/config.ts';
import { Listener } from '../speaker/listener.ts';
import type { ForwardingTable, LinkAddresses, SessionFactory, SpeakerEvent } from '../speaker/ports.ts';
import type { SessionEvents } from '../speaker/session.ts';
import { TcpSessions } from '../speaker/sessions.ts';
import { Speaker } from '../speaker/speaker.ts';
import { TcpTransport } from '../speaker/tcp.ts';
import type { UpdateMessage } from '../wire/types.ts';

export interface RouterOptions {
  /** Sessions that come and go, and what the speaker does about it. */
  readonly onEvent?: (event: SpeakerEvent) => void;
  /** What a peer says, before import policy. Errors have ended as RFC 7606 wants: a withdrawal may be one of them. */
  readonly onUpdate?: (peer: string, update: UpdateMessage) => void;
  /** One line for people, at a bounded rate. */
  readonly log?: (level: 'info' | 'warn', text: string, peer?: string) => void;
  /** Where chosen routes go. Absent: nothing is forwarded, as by a route reflector. */
  readonly forwarding?: ForwardingTable;
  /** Which addresses stand on one interface. Absent: next hop self is as the configuration's `addresses` say. */
  readonly linkAddresses?: LinkAddresses;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Uniform in [0, 1), for the jitter of timers. Default: Math.random. */
  readonly random?: () => number;
}

export interface Router {
  readonly speaker: Speaker;
  /** The port that peers connect to; undefined where it listens on no address. */
  readonly port: number | undefined;
  /** Becomes what the configuration says, touching only what differs. Where it listens stays as it is. */
  configure(setup: Pick<RouterSetup, 'speaker'>): void;
  /** Ends all sessions with Cease, administrative shutdown, and the text (RFC 9003), and stops listening. */
  close(text?: string): void;
}

/**
 * Listens, and speaks with the peers of the setup until `close`. Port 0 is any free one.
 *
 * Node cannot set the TTL of a connection, so TTLs of the setup are left to the system here; a {@link TcpTransport}
 * with a `dial` of your own can. Nor can it sign: a session with a password does not come up here, and says why.
 *
 * @throws the system's error where the port cannot be listened on, EADDRINUSE or EACCES for instance
 */
export async function openRouter(
  setup: Pick<RouterSetup, 'speaker' | 'listen'>,
  options: RouterOptions = {},
): Promise<Router> {
  const { clock = new SystemClock(), random = Math.random.bind(Math), log, forwarding, onEvent } = options;
  const { port, addresses } = setup.listen;
  const listener = new Listener({
    clock,
    port,
    ...(addresses === undefined ? {} : { addresses }),
    ...(log === undefined ? {} : { log }),
  });
  const sessions = new TcpSessions({
    clock,
    transport: new TcpTransport(clock),
    random,
    listener,
    ...(log === undefined ? {} : { log: (level, text, peer) => log(level, text, peer) }),
  });
  const speaker = new Speaker({
    clock,
    random,
    sessions: options.onUpdate === undefined ? sessions : tapped(sessions, options.onUpdate),
    ...(forwarding === undefined ? {} : { forwarding }),
    ...(options.linkAddresses === undefined ? {} : { linkAddresses: options.linkAddresses }),
    ...(onEvent === undefined ? {} : { onEvent }),
  });
  const listens = addresses?.length !== 0;
  if (listens) await listener.listen();
  speaker.configure(withoutTtl(setup.speaker));
  return {
    speaker,
    port: listens ? listener.port : undefined,
    configure: (next) => speaker.configure(withoutTtl(next.speaker)),
    close: (text) => {
      speaker.stop('shutdown', text);
      listener.close();
    },
  };
}

function withoutTtl(config: SpeakerConfig): SpeakerConfig {
  const peers = config.peers.map((peer) => {
    const { ttl: _ttl, minimalTtl: _minimal, ...session } = peer.session;
    return { ...peer, session };
  });
  return { ...config, peers };
}

/** Sessions whose UPDATEs somebody reads along. */
function tapped(sessions: SessionFactory, onUpdate: NonNullable<RouterOptions['onUpdate']>): SessionFactory {
  return {
    create: (config, events, restart) => {
      const tap: SessionEvents = {
        established: (session, negotiated) => events.established(session, negotiated),
        update: (session, update) => {
          onUpdate(config.name, update);
          events.update(session, update);
        },
        refresh: (session, family) => events.refresh(session, family),
        down: (session, reason) => events.down(session, reason),
        writable: (session) => events.writable(session),
      };
      return sessions.create(config, tap, restart);
    },
    remove: (session) => sessions.remove(session),
  };
}
