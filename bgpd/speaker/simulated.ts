/**
 * {@link Transport} without a machine: hosts on one simulated wire, on a simulated clock. Octets take the latency to
 * arrive, in order. Connections can be cut at any step, hosts can vanish or stop reading.
 */
import type { Clock, Millis } from '../../clock/clock.ts';
import type {
  ConnectionHandler,
  IncomingConnection,
  Target,
  Transport,
  TransportConnection,
} from './transport.ts';

export interface SimulatedOptions {
  readonly latency?: Millis;
  /** How long a connection attempt to a host that does not exist takes to fail. */
  readonly connectTimeout?: Millis;
  /** Octets that fit between a writer and a reader that has stopped. */
  readonly window?: number;
  /** Cuts what arrives into chunks, to see that nobody counts on whole messages. Default: as written. */
  readonly chunk?: (octets: Uint8Array) => readonly Uint8Array[];
}

export class SimulatedNetwork {
  readonly clock: Clock;
  readonly options: Required<SimulatedOptions>;
  readonly #hosts = new Map<string, SimulatedHost>();
  readonly #pairs = new Set<Pair>();
  /** Deliveries and connection set-ups so far. */
  steps = 0;
  /** Called before each step; true cuts the connection that the step belongs to, for both ends. */
  cutAt: (step: number) => boolean = () => false;

  constructor(clock: Clock, options: SimulatedOptions = {}) {
    this.clock = clock;
    this.options = {
      latency: 1,
      connectTimeout: 60_000,
      window: 65_536,
      chunk: (octets) => [octets],
      ...options,
    };
  }

  host(address: string): SimulatedHost {
    const known = this.#hosts.get(address);
    if (known !== undefined) return known;
    const host = new SimulatedHost(this, address);
    this.#hosts.set(address, host);
    return host;
  }

  find(address: string): SimulatedHost | undefined {
    return this.#hosts.get(address);
  }

  /** Connections with both ends open. */
  get open(): number {
    return [...this.#pairs].filter((pair) => pair.open).length;
  }

  /** Ends every connection of the host with the reset that a killed process leaves behind. */
  cut(address: string): void {
    for (const pair of this.#pairs) if (pair.touches(address)) pair.cut();
  }

  /** The host reads, or stops reading, whatever is sent to it. */
  setReading(address: string, reading: boolean): void {
    this.host(address).reading = reading;
    if (reading) for (const pair of this.#pairs) pair.flushTo(address);
  }

  /** The host has no time to read, or has again; other than one that does not read, it sees that octets wait. */
  setBusy(address: string, busy: boolean): void {
    this.host(address).busy = busy;
    this.setReading(address, !busy);
  }

  /** Octets that reach the host on its open connections although nobody sent them. */
  inject(address: string, octets: Uint8Array): void {
    for (const pair of this.#pairs) pair.inject(address, octets);
  }

  track(pair: Pair): void {
    this.#pairs.add(pair);
  }

  forget(pair: Pair): void {
    this.#pairs.delete(pair);
  }
}

export class SimulatedHost implements Transport {
  readonly network: SimulatedNetwork;
  readonly address: string;
  accept: ((incoming: IncomingConnection) => void) | undefined;
  /** False: octets wait in the sender's buffer. See {@link SimulatedNetwork.setReading}. */
  reading = true;
  /** Octets have come this far and wait to be read. See {@link SimulatedNetwork.setBusy}. */
  busy = false;

  readonly #expected = new Map<string, (incoming: IncomingConnection) => void>();

  constructor(network: SimulatedNetwork, address: string) {
    this.network = network;
    this.address = address;
  }

  /** As the listener's: hands connections from that address to the acceptor, and refuses those nobody expects. */
  expect(address: string, accept: (incoming: IncomingConnection) => void): () => void {
    this.#expected.set(address, accept);
    this.accept ??= (incoming) => {
      const acceptor = this.#expected.get(incoming.remoteAddress);
      if (acceptor === undefined) incoming.refuse();
      else acceptor(incoming);
    };
    return () => {
      if (this.#expected.get(address) === accept) this.#expected.delete(address);
    };
  }

  connect({ address, localAddress }: Target, handler: ConnectionHandler): TransportConnection {
    const from = localAddress === undefined ? this : this.network.host(localAddress);
    const pair = new Pair(this.network, from, address);
    pair.near.handler = handler;
    pair.dial();
    return pair.near;
  }
}

class End implements TransportConnection {
  handler: ConnectionHandler | undefined;
  readonly #pair: Pair;
  readonly host: SimulatedHost | undefined;
  readonly remoteAddress: string;
  readonly waiting: Uint8Array[] = [];
  /** What has come before there was a handler. */
  readonly early: Uint8Array[] = [];
  #blocked = false;

  constructor(pair: Pair, host: SimulatedHost | undefined, remoteAddress: string) {
    this.#pair = pair;
    this.host = host;
    this.remoteAddress = remoteAddress;
  }

  get localAddress(): string | undefined {
    return this.host?.address;
  }

  get buffered(): number {
    return this.waiting.reduce((sum, { length }) => sum + length, 0);
  }

  get unread(): boolean {
    return this.host?.busy === true && this.#pair.other(this).waiting.length > 0;
  }

  write(messages: readonly Uint8Array[]): boolean {
    this.waiting.push(...messages.map((message) => message.slice()));
    this.#pair.flush(this);
    this.#blocked = this.buffered > this.#pair.network.options.window;
    return !this.#blocked;
  }

  flushed(): void {
    this.handler?.progressed();
    if (!this.#blocked || this.buffered > 0) return;
    this.#blocked = false;
    this.handler?.drained();
  }

  close(): void {
    this.handler = undefined;
    this.#pair.close(this);
  }
}

/** One connection, or the attempt at one. */
class Pair {
  readonly network: SimulatedNetwork;
  readonly near: End;
  readonly far: End;
  /** Connected, and neither end has closed. */
  open = false;
  #dead = false;

  constructor(network: SimulatedNetwork, from: SimulatedHost, to: string) {
    this.network = network;
    this.near = new End(this, from, to);
    this.far = new End(this, network.find(to), from.address);
    network.track(this);
  }

  other(end: End): End {
    return end === this.near ? this.far : this.near;
  }

  touches(address: string): boolean {
    return this.near.localAddress === address || this.far.localAddress === address;
  }

  dial(): void {
    const { clock, options } = this.network;
    if (this.far.host === undefined) {
      clock.after(options.connectTimeout, 'simulated connect', () => this.#fail('connect ETIMEDOUT'));
      return;
    }
    clock.after(options.latency, 'simulated connect', () => this.#connect());
  }

  #connect(): void {
    const { accept } = this.far.host ?? {};
    if (this.#dead || this.#isCut()) return;
    if (accept === undefined) {
      this.#fail('connect ECONNREFUSED');
      return;
    }
    this.open = true;
    // The accepting side may refuse; the dialling side has seen its SYN answered by then, as with real TCP.
    this.network.clock.after(this.network.options.latency, 'simulated connect', () => {
      if (!this.#dead && !this.#isCut()) this.near.handler?.connected();
    });
    accept({
      remoteAddress: this.near.localAddress ?? '',
      localAddress: this.far.localAddress ?? '',
      adopt: (handler) => {
        this.far.handler = handler;
        this.network.clock.after(0, 'simulated adoption', () => this.#adopted(this.far));
        return this.far;
      },
      refuse: () => this.far.close(),
    });
  }

  #isCut(): boolean {
    this.network.steps++;
    if (!this.network.cutAt(this.network.steps)) return false;
    this.cut();
    return true;
  }

  flush(from: End): void {
    const to = this.other(from);
    if (this.#dead || !this.open || to.host?.reading === false) return;
    for (const octets of from.waiting.splice(0)) {
      this.network.clock.after(this.network.options.latency, 'simulated octets', () => {
        if (this.#dead || this.#isCut()) return;
        if (to.handler === undefined) to.early.push(octets);
        else this.#deliver(octets, to);
      });
    }
    this.network.clock.after(0, 'simulated flush', () => from.flushed());
  }

  #deliver(octets: Uint8Array, to: End): void {
    for (const chunk of this.network.options.chunk(octets)) to.handler?.received(chunk);
  }

  /** What has come before, the end of the connection included. */
  #adopted(end: End): void {
    for (const octets of end.early.splice(0)) this.#deliver(octets, end);
    if (!this.#dead) return;
    const { handler } = end;
    end.handler = undefined;
    handler?.closed('the peer closed the connection');
  }

  flushTo(address: string): void {
    if (this.far.localAddress === address) this.flush(this.near);
    if (this.near.localAddress === address) this.flush(this.far);
  }

  inject(address: string, octets: Uint8Array): void {
    for (const end of [this.near, this.far])
      if (this.open && end.localAddress === address) end.handler?.received(octets);
  }

  /** What was written before arrives first. */
  close(by: End): void {
    const other = this.other(by);
    const wasOpen = this.open;
    this.open = false;
    this.network.clock.after(this.network.options.latency, 'simulated close', () => {
      this.#dead = true;
      this.network.forget(this);
      const { handler } = other;
      other.handler = undefined;
      // An attempt that was given up may have reached the other side meanwhile.
      if (wasOpen || this.open) handler?.closed('the peer closed the connection');
      this.open = false;
    });
  }

  cut(): void {
    this.#fail('read ECONNRESET');
  }

  #fail(reason: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.open = false;
    this.network.forget(this);
    for (const end of [this.near, this.far]) {
      const { handler } = end;
      end.handler = undefined;
      handler?.closed(reason);
    }
  }
}
