/**
 * A store for a daemon that starts when it likes: the datastore may come up after it (a whole rack after a power cut, the
 * API server that is itself a pod of this node), and a daemon that ended over that would only be started again and again.
 */
import { PoplinError } from '../api/problem.ts';
import type { Clock, Millis } from '../clock/clock.ts';
import type { Store } from './store.ts';

export interface ReachOptions {
  readonly clock: Clock;
  /** Told of the first failure, and then once in {@link TELL_AGAIN} while it stays so. */
  readonly onWait: (error: unknown, waited: Millis) => void;
  /** Which failures are waited out; default {@link mayPass}. */
  readonly mayPass?: (error: unknown) => boolean;
  /** From 0 to 1, uniformly. */
  readonly random?: () => number;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
}

/** Between attempts, growing. Drawn from its upper half: the daemons of all nodes may be waiting. */
const FIRST_PAUSE: Millis = 500;
const LONGEST_PAUSE: Millis = 5000;
const TELL_AGAIN: Millis = 60_000;

/**
 * What others mend while we wait: the servers come, somebody gives us rights, or installs the definitions. A location that
 * is none stays so, and a file that is no datastore as well.
 */
const PASSING: ReadonlySet<string> = new Set([
  'STORE_UNAVAILABLE',
  'STORE_LOGIN',
  'STORE_TLS',
  'STORE_DENIED',
  'STORE_FORBIDDEN',
  'STORE_UNPREPARED',
]);

export function mayPass(error: unknown): boolean {
  return error instanceof PoplinError && error.problems.every(({ code }) => PASSING.has(code));
}

/** @throws what `open` throws when that does not pass, or when `signal` aborts */
export async function reachStore(
  open: () => Promise<Store>,
  { clock, onWait, mayPass: isWaitedOut = mayPass, random = Math.random, signal }: ReachOptions,
): Promise<Store> {
  const began = clock.now();
  let told: Millis | undefined;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    try {
      return await open();
    } catch (error) {
      if (!isWaitedOut(error)) throw error;
      const now = clock.now();
      if (told === undefined || now - told >= TELL_AGAIN) {
        told = now;
        onWait(error, now - began);
      }
    }
    signal?.throwIfAborted();
    await wait(pause * (0.5 + random() / 2), clock, signal);
    signal?.throwIfAborted();
  }
}

async function wait(delay: Millis, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(delay, 'open the datastore again', resolve);
  const stop = (): void => resolve();
  signal?.addEventListener('abort', stop, { once: true });
  await promise;
  signal?.removeEventListener('abort', stop);
  cancel();
}
