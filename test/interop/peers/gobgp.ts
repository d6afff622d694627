/** A real GoBGP in a node of a {@link Lab}. Its API listens on loopback, which every node has for itself. */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import type { Lab } from './lab.ts';

export class Gobgp {
  readonly #lab: Lab;
  readonly #node: string;
  readonly #config: string;
  readonly #lines: string[] = [];
  #child: ChildProcess | undefined;

  constructor(lab: Lab, node: string) {
    this.#lab = lab;
    this.#node = node;
    this.#config = join(lab.folder, `${node}.toml`);
  }

  /** Starts it with this configuration, and waits until it answers. */
  async start(config: string): Promise<void> {
    writeFileSync(this.#config, config);
    this.#child = this.#lab.start(this.#node, 'gobgpd', ['-f', this.#config, '--pprof-disable', '-p']);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.#lines.push(text));
    await eventually(
      'gobgp answers',
      () => this.gobgp('global'),
      (text) => text.includes('Router-ID'),
    );
  }

  async gobgp(...args: readonly string[]): Promise<string> {
    return this.#lab.run(this.#node, 'gobgp', args);
  }

  async json(...args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.gobgp('-j', ...args));
  }

  /** What gobgpd has logged. */
  log(): string {
    return this.#lines.join('');
  }

  /** Stops it in mid-air, sockets open, and lets it go on. */
  freeze(): void {
    if (this.#child !== undefined) this.#lab.signal(this.#child, 'SIGSTOP');
  }

  thaw(): void {
    if (this.#child !== undefined) this.#lab.signal(this.#child, 'SIGCONT');
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child !== undefined) await this.#lab.kill(this.#child, signal);
  }
}
