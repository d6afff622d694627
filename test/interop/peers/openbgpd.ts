/** A real OpenBGPD in a node of a {@link Lab}: a parent, and its children for sessions and for routes. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../net/kernel/process.ts';
import { eventually } from './eventually.ts';
import type { Lab } from './lab.ts';

export class Openbgpd {
  readonly #lab: Lab;
  readonly #node: string;
  readonly #socket: string;
  readonly #config: string;
  readonly #lines: string[] = [];
  #child: ChildProcess | undefined;

  constructor(lab: Lab, node: string) {
    this.#lab = lab;
    this.#node = node;
    this.#socket = join(lab.folder, `${node}.sock`);
    this.#config = join(lab.folder, `${node}.conf`);
  }

  /** Starts it with this configuration, and waits until it answers. */
  async start(config: string): Promise<void> {
    // Where its children are locked into; its user's home.
    mkdirSync('/run/openbgpd', { recursive: true, mode: 0o755 });
    // It refuses a configuration that others may read.
    writeFileSync(this.#config, `socket "${this.#socket}"\nfib-update no\n${config}`, { mode: 0o600 });
    this.#child = this.#lab.start(this.#node, '/usr/sbin/bgpd', ['-d', '-v', '-f', this.#config]);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#lines.push(text));
    await eventually(
      'bgpctl answers',
      () => this.bgpctl('show'),
      (text) => text.includes('Neighbor'),
    );
  }

  async bgpctl(...args: readonly string[]): Promise<string> {
    return (await run('bgpctl', ['-s', this.#socket, ...args])).stdout;
  }

  async json(...args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.bgpctl('-j', ...args));
  }

  /** What it has logged. */
  log(): string {
    return this.#lines.join('');
  }

  /** Stops all of it in mid-air, sockets open, and lets it go on. */
  freeze(): void {
    for (const pid of this.#pids()) process.kill(pid, 'SIGSTOP');
  }

  thaw(): void {
    for (const pid of this.#pids()) process.kill(pid, 'SIGCONT');
  }

  /** The parent and its children, who would still say goodbye. */
  async kill(): Promise<void> {
    // Still, all of them, before the first is killed.
    this.freeze();
    for (const pid of this.#pids()) process.kill(pid, 'SIGKILL');
    if (this.#child !== undefined) await this.#lab.kill(this.#child);
  }

  #pids(): readonly number[] {
    const pid = this.#child?.pid;
    if (pid === undefined) return [];
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return [pid, ...children.filter((text) => text !== '').map(Number)];
  }
}
