/** Ctrl-C as a value: work looks at it between its steps and cleans up after itself. */
import { PoplinError } from '../../api/problem.ts';

export interface Interrupt {
  /** @throws PoplinError INTERRUPTED once a signal has come */
  readonly check: () => void;
  readonly signal: AbortSignal;
  /** Gives the signals back to their default. */
  release(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function catchInterrupts(): Interrupt {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: controller.signal,
    check() {
      if (controller.signal.aborted) throw interrupted();
    },
    release() {
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}

export function interrupted(): PoplinError {
  return new PoplinError([
    { code: 'INTERRUPTED', what: 'interrupted', remedy: 'start again whenever you like' },
  ]);
}
