/** A disk of a few megabytes, in a mount namespace of its own that a sleeping process keeps alive. Needs root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class SmallDisk {
  readonly folder = mkdtempSync(join(tmpdir(), 'poplin-disk-'));
  readonly #holder: ChildProcess;

  /** @param size  MiB */
  static async create(size: number): Promise<SmallDisk> {
    const holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sleep', 'infinity'], {
      stdio: 'ignore',
    });
    const own = readlinkSync('/proc/self/ns/mnt');
    // Until then, it is this machine's own namespace that would get the disk.
    while (holder.exitCode === null && readlinkSync(`/proc/${holder.pid ?? 0}/ns/mnt`) === own)
      await new Promise((resolve) => setTimeout(resolve, 5));
    return new SmallDisk(holder, size);
  }

  private constructor(holder: ChildProcess, size: number) {
    this.#holder = holder;
    this.#run('mount', '-t', 'tmpfs', '-o', `size=${size}m`, 'disk', this.folder);
  }

  /** What a command begins with that is to see the disk. */
  get entering(): readonly string[] {
    return ['nsenter', `--mount=/proc/${this.#holder.pid ?? 0}/ns/mnt`, '--'];
  }

  /** @param size  MiB */
  resize(size: number): void {
    this.#run('mount', '-o', `remount,size=${size}m`, this.folder);
  }

  remove(): void {
    this.#holder.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  #run(...command: readonly string[]): void {
    const [enter = '', ...args] = this.entering;
    execFileSync(enter, [...args, ...command], { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
