/** A real FRR (zebra and bgpd) in a node of a {@link Lab}. Every path is given, so nothing of the machine's own FRR is touched. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../net/kernel/process.ts';
import { eventually } from './eventually.ts';
import type { Lab } from './lab.ts';

const DAEMONS = '/usr/lib/frr';

export class Frr {
  readonly #lab: Lab;
  readonly #node: string;
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];

  constructor(lab: Lab, node: string) {
    this.#lab = lab;
    this.#node = node;
    this.#folder = join(lab.folder, `${node}.frr`);
  }

  /** Starts both daemons with this configuration, and waits until they answer. */
  async start(config: string): Promise<void> {
    mkdirSync(this.#folder, { recursive: true, mode: 0o755 });
    await run('chown', ['frr:frr', this.#folder]);
    const file = join(this.#folder, 'frr.conf');
    writeFileSync(file, config, { mode: 0o644 });
    // Empty, so that vtysh does not read the machine's own.
    writeFileSync(join(this.#folder, 'vtysh.conf'), '');
    for (const daemon of ['zebra', 'bgpd']) {
      this.#children.push(this.#lab.start(this.#node, join(DAEMONS, daemon), this.#arguments(daemon, file)));
      await eventually(
        `${daemon} answers`,
        () => this.#vtysh(daemon, 'show version'),
        (text) => text.includes('FRR'),
      );
    }
  }

  #arguments(daemon: string, file: string): string[] {
    const zapi = ['-z', join(this.#folder, 'zserv.api')];
    const paths = ['-f', file, '-i', join(this.#folder, `${daemon}.pid`), '--vty_socket', this.#folder];
    const log = ['--log', `file:${join(this.#folder, `${daemon}.log`)}`, '--log-level', 'informational'];
    return [...paths, ...zapi, ...log, '-P', '0', '-u', 'frr', '-g', 'frr'];
  }

  async vtysh(command: string): Promise<string> {
    return this.#vtysh('bgpd', command);
  }

  async json(command: string): Promise<unknown> {
    return JSON.parse(await this.vtysh(`${command} json`));
  }

  /** What bgpd has logged. */
  async log(): Promise<string> {
    return readFile(join(this.#folder, 'bgpd.log'), 'utf8');
  }

  /** Lines as typed after `configure terminal`. */
  async configure(lines: readonly string[]): Promise<void> {
    const args = ['--vty_socket', this.#folder, '--config_dir', this.#folder, '-d', 'bgpd'];
    await run('vtysh', [...args, ...['configure terminal', ...lines].flatMap((line) => ['-c', line])]);
  }

  async #vtysh(daemon: string, command: string): Promise<string> {
    const args = ['--vty_socket', this.#folder, '--config_dir', this.#folder, '-d', daemon, '-c', command];
    return (await run('vtysh', args)).stdout;
  }

  /** Stops both in mid-air, sockets open, and lets them go on. */
  freeze(): void {
    for (const child of this.#children) this.#lab.signal(child, 'SIGSTOP');
  }

  thaw(): void {
    for (const child of this.#children) this.#lab.signal(child, 'SIGCONT');
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await Promise.all(this.#children.splice(0).map((child) => this.#lab.kill(child, signal)));
  }
}
