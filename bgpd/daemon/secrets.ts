/**
 * Secrets as files: `FOLDER/NAME/KEY` holds one value, which is how Kubernetes shows Secrets to a container, and what
 * anybody can lay out without Kubernetes. So the daemon needs no right to read Secrets from an API, and sees none but those
 * that it was given.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seconds, type Cancel, type Clock } from '../../clock/clock.ts';

/** How often the few files that were asked for are read again; whoever waits for one wants it soon. */
const LOOK_AGAIN = seconds(2);

/** Names of Secrets and of their keys in Kubernetes; never a way out of the folder. */
const NAME = /^(?!\.{1,2}$)[-._a-zA-Z0-9]{1,253}$/;

export class Secrets {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #changed: () => void;
  /** What was answered, by path. */
  readonly #told = new Map<string, string | undefined>();
  #timer: Cancel | undefined;

  /** @param changed  called when something that was asked for is another than it was */
  constructor(folder: string, clock: Clock, changed: () => void) {
    this.#folder = folder;
    this.#clock = clock;
    this.#changed = changed;
    this.#watch();
  }

  /** Forgets what was asked for before: a new configuration asks for what it needs. */
  forget(): void {
    this.#told.clear();
  }

  /** @returns undefined where there is no such file, or it cannot be read. One line break at the end does not count. */
  read(name: string, key: string): string | undefined {
    if (!NAME.test(name) || !NAME.test(key)) return undefined;
    const path = join(this.#folder, name, key);
    const value = contentOf(path);
    this.#told.set(path, value);
    return value;
  }

  stop(): void {
    this.#timer?.();
  }

  #watch(): void {
    this.#timer = this.#clock.after(LOOK_AGAIN, 'secrets', () => {
      this.#watch();
      if ([...this.#told].some(([path, value]) => contentOf(path) !== value)) this.#changed();
    });
  }
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch {
    return undefined;
  }
}
