/**
 * A BGP speaker of a few lines on the simulated wire, which says exactly the octets that it is told to. As an honest
 * peer it answers, keeps the session alive and remembers what it has been told; as a hostile one it only remembers.
 */
import { seconds, type Cancel, type Clock } from '../../clock/clock.ts';
import type { SimulatedNetwork } from '../../bgpd/speaker/simulated.ts';
import type { TransportConnection } from '../../bgpd/speaker/transport.ts';
import {
  MessageFramer,
  decodeMessage,
  encodeKeepalive,
  encodeOpen,
  type Message,
  type Negotiated,
  type NotificationMessage,
  type OpenMessage,
} from '../../bgpd/wire/index.ts';

export interface ClientOptions {
  readonly clock: Clock;
  readonly network: SimulatedNetwork;
  readonly address: string;
  readonly speaker: string;
  /** As the client sees the session: what it needs to read UPDATEs. */
  readonly session: Negotiated;
}

export class Client {
  readonly options: ClientOptions;
  /** Prefixes that the speaker has told and not withdrawn. */
  readonly told = new Set<string>();
  /** Every message that the speaker sent on the present connection, in order, by type. */
  readonly heard: string[] = [];
  notification: NotificationMessage | undefined;
  /** What the speaker said that no peer may say. */
  readonly complaints: string[] = [];
  closed = true;
  octetsHeard = 0;
  updatesHeard = 0;
  #connection: TransportConnection | undefined;
  #framer = new MessageFramer();
  #alive: Cancel | undefined;

  constructor(options: ClientOptions) {
    this.options = options;
  }

  connect(): void {
    this.disconnect();
    this.told.clear();
    this.heard.length = 0;
    this.notification = undefined;
    this.octetsHeard = 0;
    this.closed = false;
    this.#framer = new MessageFramer(this.options.session.extendedMessages ? 65_535 : 4_096);
    const { network, address, speaker } = this.options;
    this.#connection = network.host(address).connect(
      { address: speaker, port: 179 },
      {
        connected: () => undefined,
        received: (chunk) => this.#received(chunk),
        progressed: () => undefined,
        drained: () => undefined,
        closed: () => {
          this.closed = true;
        },
      },
    );
  }

  disconnect(): void {
    this.#alive?.();
    this.#alive = undefined;
    this.#connection?.close();
    this.#connection = undefined;
    this.closed = true;
  }

  /** Forgets the connection without closing it, as a machine does that has crashed. */
  abandon(): void {
    this.#alive?.();
    this.#alive = undefined;
    this.#connection = undefined;
  }

  say(octets: Uint8Array): void {
    this.#connection?.write([octets]);
  }

  /** OPEN, KEEPALIVE, and from then on a KEEPALIVE whenever the session needs one. */
  greet(open: Omit<OpenMessage, 'type'>): void {
    this.say(encodeOpen(open));
    this.#keepAlive();
  }

  #keepAlive(): void {
    this.say(encodeKeepalive());
    const { clock, session } = this.options;
    this.#alive = clock.after(seconds(session.keepaliveSeconds), 'client keepalive', () => this.#keepAlive());
  }

  #received(chunk: Uint8Array): void {
    this.octetsHeard += chunk.length;
    const error = this.#framer.push(chunk, (bytes) => {
      const decoded = decodeMessage(bytes, this.options.session);
      if (!decoded.ok) this.complaints.push(decoded.reason);
      else if (decoded.faults.length > 0)
        this.complaints.push(`an UPDATE with ${decoded.faults.length} faults`);
      else if (decoded.message !== undefined) this.#heard(decoded.message);
      return true;
    });
    if (error !== undefined) this.complaints.push('a message with a bad header');
  }

  #heard(message: Message): void {
    this.heard.push(message.type);
    if (message.type === 'notification') this.notification = message;
    if (message.type !== 'update') return;
    this.updatesHeard++;
    for (const { nlri } of message.unreach)
      for (const { prefix } of nlri) this.told.delete(prefix.toString());
    for (const { nlri } of message.reach) for (const { prefix } of nlri) this.told.add(prefix.toString());
  }
}
