/** `poplin bgpd --config`, as a process in a node of a {@link Lab}, with a configuration that tests change. */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, run } from '../../../net/kernel/process.ts';
import { askControl } from '../../../daemon/control.ts';
import { unwrap } from '../../../api/index.ts';
import type { Lab } from './lab.ts';

const MAIN = join(import.meta.dirname, '../../../cli/main.ts');

interface Status {
  readonly peers: readonly { readonly name: string; readonly state: string; readonly lastError?: string }[];
  readonly problems: readonly { readonly code: string; readonly what: string }[];
}

export class Alone {
  /** Everything the daemon has logged. */
  readonly lines: string[] = [];
  readonly file: string;
  readonly socket: string;
  readonly #lab: Lab;
  readonly #node: string;
  #child: ChildProcess | undefined;

  constructor(lab: Lab, node: string) {
    this.#lab = lab;
    this.#node = node;
    this.file = join(lab.folder, `${node}.yaml`);
    this.socket = join(lab.folder, `${node}.sock`);
  }

  /** @param text  without `controlSocket` */
  write(text: string): void {
    writeFileSync(this.file, `controlSocket: ${this.socket}\n${text}`);
  }

  start(): void {
    this.#child = this.#lab.start(this.#node, process.execPath, [MAIN, 'bgpd', '--config', this.file]);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.lines.push(text));
  }

  /** SIGHUP and the like. */
  signal(signal: NodeJS.Signals): void {
    if (this.#child !== undefined) this.#lab.signal(this.#child, signal);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child !== undefined) await this.#lab.kill(this.#child, signal);
  }

  /** `poplin bgp reload`, as a user calls it. */
  async reload(
    ...args: readonly string[]
  ): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    const words = [MAIN, 'bgp', 'reload', '--socket', this.socket, ...args];
    try {
      const { stdout, stderr } = await run(process.execPath, words);
      return { code: 0, out: stdout, err: stderr };
    } catch (error) {
      if (!(error instanceof CommandError) || error.exitCode === undefined) throw error;
      return { code: error.exitCode, out: '', err: error.stderr };
    }
  }

  /** `poplin bgp clear`. @returns what it printed */
  async clear(...args: readonly string[]): Promise<string> {
    const words = [MAIN, 'bgp', 'clear', '--socket', this.socket, ...args];
    return (await run(process.execPath, words)).stdout;
  }

  async status(): Promise<Status> {
    return unwrap(await askControl<Status>(this.socket, 'GET', '/status'));
  }
}
