/**
 * The port that peers connect to, as the configuration says it at the moment. A port that is taken is no reason to stop:
 * our own calls go out all the same, and the port is asked for again.
 */
import type { Cancel, Clock } from '../../clock/clock.ts';
import { seconds } from '../../clock/clock.ts';
import { Listener, type ListenerOptions } from '../speaker/listener.ts';
import type { IncomingConnection } from '../speaker/transport.ts';

const RETRY = seconds(5);

export interface Endpoint {
  readonly port: number;
  /** Undefined: every address of the machine. */
  readonly addresses: readonly string[] | undefined;
}

type Sockets = Pick<ListenerOptions, 'setHopLimits' | 'reopen' | 'setPassword' | 'prepare' | 'stranger'>;
type Accept = (connection: IncomingConnection) => void;

export class Listening {
  readonly #clock: Clock;
  readonly #log: (level: 'info' | 'warn', text: string) => void;
  readonly #sockets: Sockets;
  readonly #expected = new Map<string, { readonly accept: Accept; readonly password: string | undefined }>();
  #endpoint: Endpoint | undefined;
  #listener: Listener | undefined;
  #retry: Cancel | undefined;
  #failure: string | undefined;

  constructor(clock: Clock, log: (level: 'info' | 'warn', text: string) => void, sockets: Sockets = {}) {
    this.#clock = clock;
    this.#sockets = sockets;
    this.#log = log;
  }

  /** Why nobody can connect to us at the moment; undefined: they can. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** See {@link Listener.expect}; outlives a change of the port. */
  expect(address: string, accept: Accept, password?: string): () => void {
    const expected = { accept, password };
    this.#expected.set(address, expected);
    this.#listener?.expect(address, accept, password);
    return () => {
      if (this.#expected.get(address) !== expected) return;
      this.#expected.delete(address);
      this.#listener?.forget(address);
    };
  }

  /** Listens there from now on. Connections that stand are not touched. */
  listenOn(endpoint: Endpoint): void {
    if (JSON.stringify(endpoint) === JSON.stringify(this.#endpoint)) return;
    this.#endpoint = endpoint;
    void this.#open(endpoint);
  }

  close(): void {
    this.#endpoint = undefined;
    this.#retry?.();
    this.#listener?.close();
  }

  async #open(endpoint: Endpoint): Promise<void> {
    this.#retry?.();
    this.#listener?.close();
    const { port, addresses } = endpoint;
    const listener = new Listener({
      clock: this.#clock,
      port,
      log: this.#log,
      ...(addresses === undefined ? {} : { addresses }),
      ...this.#sockets,
    });
    for (const [address, { accept, password }] of this.#expected) listener.expect(address, accept, password);
    this.#listener = listener;
    try {
      await listener.listen();
      this.#failure = undefined;
      if (addresses?.length !== 0) this.#log('info', `listening on port ${port}`);
    } catch (error) {
      this.#failed(endpoint, error);
    }
  }

  #failed(endpoint: Endpoint, error: unknown): void {
    if (endpoint !== this.#endpoint) return;
    const reason = `cannot listen on port ${endpoint.port}: ${error instanceof Error ? error.message : String(error)}`;
    if (reason !== this.#failure) this.#log('warn', `${reason}; trying again`);
    this.#failure = reason;
    this.#retry = this.#clock.after(RETRY, 'listen', () => void this.#open(endpoint));
  }
}
