/**
 * Tells watchers, in this and in every other process, that the store has changed.
 *
 * A writer touches the file `<database>-notify` after its commit, and inotify carries that to the others within
 * a millisecond. The write-ahead log itself would not do: it changes before the commit becomes visible.
 * A writer that dies between commit and touch leaves watchers waiting, so each also looks for itself twice a
 * second: one indexed read, which costs an idle daemon next to nothing. A wake-up is a hint and never carries data:
 * lost or doubled, it changes no result.
 */
import { closeSync, constants, type FSWatcher, openSync, watch, writeSync } from 'node:fs';
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';

const LOOK_EVERY: Millis = 500;
/** Where no inotify watch can be had (the user's limit is reached), looking has to do it all. */
const LOOK_EVERY_UNAIDED: Millis = 25;
const TOUCH = new Uint8Array([0x0a]);

export class Wakeup {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #fd: number;
  readonly #subscribers = new Set<() => void>();
  #watcher: FSWatcher | undefined;
  #cancelLook: Cancel = () => {};

  /** @throws the system's error when the file cannot be created */
  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.#fd = openSync(path, constants.O_CREAT | constants.O_WRONLY, 0o600);
  }

  /** To be called after a commit. Never fails: the commit stands, and watchers find it by looking. */
  announce(): void {
    this.#wakeAll();
    try {
      writeSync(this.#fd, TOUCH, 0, 1, 0);
    } catch {
      // Disk full or gone: the next commit will say so itself.
    }
  }

  subscribe(wake: () => void): Cancel {
    this.#subscribers.add(wake);
    if (this.#subscribers.size === 1) this.#start();
    return () => {
      if (this.#subscribers.delete(wake) && this.#subscribers.size === 0) this.#stop();
    };
  }

  close(): void {
    this.#stop();
    closeSync(this.#fd);
  }

  #start(): void {
    try {
      this.#watcher = watch(this.#path, () => this.#wakeAll());
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      this.#watcher = undefined;
    }
    this.#look();
  }

  #look(): void {
    const delay = this.#watcher === undefined ? LOOK_EVERY_UNAIDED : LOOK_EVERY;
    this.#cancelLook = this.#clock.after(delay, 'look for datastore changes', () => {
      this.#wakeAll();
      if (this.#subscribers.size > 0) this.#look();
    });
  }

  #stop(): void {
    this.#cancelLook();
    this.#unwatch();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #wakeAll(): void {
    for (const wake of this.#subscribers) wake();
  }
}
