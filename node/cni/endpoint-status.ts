/**
 * What felix-lite says of an endpoint: one file per endpoint in `<run-dir>/endpoint-status`, there once its
 * policy is in the kernel. A pod must not start before that, or its first packets meet no policy of their own.
 */
import { type FSWatcher, mkdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';

export interface EndpointStatus {
  readonly status: string;
  readonly interface: string;
  /** Store revision of the endpoint that the kernel's policy was computed from. */
  readonly revision: string;
}

/** inotify tells at once; this is for file systems and moments where it does not. */
const LOOK_EVERY: Millis = 250;

export class EndpointStatusFolder {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #watcher: FSWatcher | undefined;
  #poll: Cancel | undefined;

  constructor(runDir: string, clock: Clock) {
    this.#folder = join(runDir, 'endpoint-status');
    this.#clock = clock;
  }

  read(namespace: string, name: string): EndpointStatus | undefined {
    try {
      const path = join(this.#folder, encodeURIComponent(`${namespace}/${name}`));
      const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
      if (typeof value !== 'object' || value === null) return undefined;
      const { status, interface: device, revision } = value as Partial<EndpointStatus>;
      if (typeof status !== 'string' || typeof device !== 'string' || typeof revision !== 'string')
        return undefined;
      return { status, interface: device, revision };
    } catch {
      return undefined;
    }
  }

  /** True once the endpoint, as written at `revision`, is up; false when `limit` passes first. A limit of 0 asks once. */
  waitUntilUp(namespace: string, name: string, revision: string, limit: Millis): Promise<boolean> {
    const isUp = (): boolean => {
      const found = this.read(namespace, name);
      return found?.status === 'up' && found.revision === revision;
    };
    if (isUp()) return Promise.resolve(true);
    if (limit <= 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const finish = (up: boolean): void => {
        timeout();
        this.#waiting.delete(look);
        if (this.#waiting.size === 0) this.#quiet();
        resolve(up);
      };
      const look = (): void => {
        if (isUp()) finish(true);
      };
      const timeout = this.#clock.after(limit, `policy of ${namespace}/${name}`, () => finish(isUp()));
      this.#waiting.add(look);
      this.#listen();
      // The file may have come between the first look and the watch.
      look();
    });
  }

  close(): void {
    this.#waiting.clear();
    this.#quiet();
  }

  #listen(): void {
    if (this.#watcher !== undefined) return;
    mkdirSync(this.#folder, { recursive: true });
    this.#watcher = watch(this.#folder, () => this.#lookAll());
    this.#watcher.on('error', () => {});
    this.#schedule();
  }

  #schedule(): void {
    this.#poll = this.#clock.after(LOOK_EVERY, 'look at endpoint status', () => {
      this.#lookAll();
      if (this.#watcher !== undefined) this.#schedule();
    });
  }

  #lookAll(): void {
    for (const look of this.#waiting) look();
  }

  #quiet(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#poll?.();
    this.#poll = undefined;
  }
}
