/** How the Fib keeps time, and what it tells. */
import type { Millis } from '../../clock/clock.ts';
import type { Prefix } from '../../net/addr/index.ts';

export interface FibOptions {
  /** The whole table is read again this often, whatever events said. */
  readonly verifyMs: Millis;
  /** Events come in bursts: one reading of the table for all within this time. */
  readonly gatherMs: Millis;
  readonly retryMs: Millis;
  readonly longestRetryMs: Millis;
  /** Changes sent together, at most: the kernel is busy with them for as long as our turns take, and a turn stays short. */
  readonly batch: number;
  readonly onEvent: (event: FibEvent) => void;
}

export type FibEvent =
  | { readonly type: 'refused' | 'yielded'; readonly prefix: Prefix; readonly reason: string }
  /** Somebody changed or removed routes of ours; they are being put right. */
  | { readonly type: 'repaired'; readonly routes: number }
  | { readonly type: 'unavailable'; readonly reason: string };

export const DEFAULTS: FibOptions = {
  verifyMs: 60_000,
  gatherMs: 50,
  retryMs: 1_000,
  longestRetryMs: 30_000,
  batch: 4096,
  onEvent: () => {},
};
