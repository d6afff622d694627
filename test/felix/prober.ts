/** Talks to a probe agent inside one network namespace. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export class Prober {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (ok: boolean) => void>();
  #id = 0;

  constructor(netns: string) {
    this.#child = spawn(
      'nsenter',
      [
        `--net=${netns}`,
        '--',
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        join(import.meta.dirname, 'probe-agent.ts'),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    if (this.#child.stdout === null) throw new Error('no pipe');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const { id, ok } = JSON.parse(line) as { id: number; ok: boolean };
      this.#waiting.get(id)?.(ok);
      this.#waiting.delete(id);
    });
  }

  /** Echoes on the port, TCP and UDP, both families. */
  listen(port: number): Promise<boolean> {
    return this.#ask({ op: 'listen', port });
  }

  /** Echoes TCP on every address. */
  listenTcp(port: number): Promise<boolean> {
    return this.#ask({ op: 'listenTcp', port });
  }

  /** Echoes UDP on one address of several, from where it was asked. */
  listenUdp(host: string, port: number): Promise<boolean> {
    return this.#ask({ op: 'listenUdp', host, port });
  }

  /** @param from  address to send from, where the namespace has several */
  reach(protocol: 'tcp' | 'udp', host: string, port: number, from?: string): Promise<boolean> {
    return this.#ask({ op: protocol, host, port, ...(from === undefined ? {} : { from }) });
  }

  /** The id of a connection that stays open, or undefined when it could not be made. */
  async open(host: string, port: number): Promise<number | undefined> {
    const id = this.#id + 1;
    return (await this.#ask({ op: 'open', host, port })) ? id : undefined;
  }

  /** Whether data still goes both ways on an open connection. */
  ping(connection: number): Promise<boolean> {
    return this.#ask({ op: 'ping', port: connection });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.stdin?.end();
    });
  }

  #ask(order: object): Promise<boolean> {
    const id = ++this.#id;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.stdin?.write(`${JSON.stringify({ id, ...order })}\n`);
    });
  }
}
