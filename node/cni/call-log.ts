/**
 * One line for each call of a runtime, in the file that the network configuration names (Calico's keys): what was asked, for
 * whom, what came of it, how long it took. Rotated by size; old files go by number and age. A log that cannot be written
 * stops no container.
 */
import { appendFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../clock/clock.ts';
import type { CniResponse } from '../../cni-plugin/protocol.ts';
import type { Log } from '../../daemon/log.ts';

export interface CallLogFile {
  readonly path: string;
  /** Octets; the file is put aside before it grows past them. */
  readonly maxBytes: number;
  /** Files put aside that are older go; 0: none does for its age. */
  readonly maxAgeMs: number;
  /** So many files put aside are kept; 0: all. */
  readonly maxFiles: number;
  readonly level: 'debug' | 'info' | 'warning' | 'error';
}

export interface Call {
  readonly command: string;
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
  readonly response: CniResponse;
  readonly millis: number;
}

export class CallLog {
  readonly #clock: Clock;
  readonly #log: () => Log | undefined;
  /** Lines in the order of calls, files one at a time. */
  #tail: Promise<void> = Promise.resolve();
  #isBroken = false;

  /** @param log  where it is told, once, that a file cannot be written */
  constructor(clock: Clock, log: () => Log | undefined) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Returns at once. */
  write(file: CallLogFile, { response, millis, ...call }: Call): void {
    const failed = response.exitCode !== 0;
    if (!failed && (file.level === 'warning' || file.level === 'error')) return;
    const line = `${JSON.stringify({
      time: this.#clock.wall().toISOString(),
      level: failed ? 'error' : 'info',
      ...call,
      millis: Math.round(millis * 10) / 10,
      ...(failed ? { error: response.output } : {}),
      ...(file.level === 'debug' && !failed ? { result: response.output } : {}),
    })}\n`;
    this.#tail = this.#tail.then(() => this.#append(file, line));
  }

  /** Resolves once all lines are written. */
  settled(): Promise<void> {
    return this.#tail;
  }

  async #append(file: CallLogFile, line: string): Promise<void> {
    try {
      const size = await sizeOf(file.path);
      if (size > 0 && size + Buffer.byteLength(line) > file.maxBytes) await this.#rotate(file);
      if (size === 0) await mkdir(dirname(file.path), { recursive: true });
      await appendFile(file.path, line, { mode: 0o600 });
      this.#isBroken = false;
    } catch (error) {
      if (!this.#isBroken)
        this.#log()?.warn({ file: file.path, error: String(error) }, 'cannot write the log of calls');
      this.#isBroken = true;
    }
  }

  async #rotate({ path, maxAgeMs, maxFiles }: CallLogFile): Promise<void> {
    const now = this.#clock.wall();
    const stamp = now.toISOString().replaceAll(':', '-');
    await rename(path, `${path}.${stamp}`);
    const prefix = `${basename(path)}.`;
    const names = (await readdir(dirname(path))).filter((name) => name.startsWith(prefix)).sort();
    const surplus = maxFiles === 0 ? [] : names.slice(0, Math.max(0, names.length - maxFiles));
    for (const name of names) {
      const old = join(dirname(path), name);
      const isOld = maxAgeMs > 0 && now.getTime() - (await stat(old)).mtimeMs > maxAgeMs;
      if (isOld || surplus.includes(name)) await rm(old, { force: true });
    }
  }
}

/** 0 also when there is none. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}
