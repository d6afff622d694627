/** A real BIRD 2 in a node of a {@link Lab}. */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../net/kernel/process.ts';
import { eventually } from './eventually.ts';
import type { Lab } from './lab.ts';

export class Bird {
  readonly #lab: Lab;
  readonly #node: string;
  readonly #socket: string;
  readonly #config: string;
  #child: ChildProcess | undefined;

  constructor(lab: Lab, node: string) {
    this.#lab = lab;
    this.#node = node;
    this.#socket = join(lab.folder, `${node}.ctl`);
    this.#config = join(lab.folder, `${node}.conf`);
  }

  /** Starts it with this configuration, and waits until it answers. */
  async start(config: string): Promise<void> {
    writeFileSync(this.#config, config);
    const args = ['-f', '-c', this.#config, '-s', this.#socket, '-P', `${this.#socket}.pid`];
    this.#child = this.#lab.start(this.#node, 'bird', args);
    await eventually(
      'birdc answers',
      () => this.birdc('show status'),
      (text) => text.includes('up and running'),
    );
  }

  async birdc(...command: readonly string[]): Promise<string> {
    return (await run('birdc', ['-s', this.#socket, '-r', ...command.flatMap((one) => one.split(' '))]))
      .stdout;
  }

  /** For commands that change something; `birdc` itself is read-only. */
  async command(text: string): Promise<string> {
    return (await run('birdc', ['-s', this.#socket, ...text.split(' ')])).stdout;
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
