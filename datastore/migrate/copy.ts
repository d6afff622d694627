/** From one store into another without a file between them. */
import { fail, type Result } from '../../api/index.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Store } from '../store.ts';
import { setReady } from './lock.ts';
import { differencesOf, restore, type Restored, type RestoreOptions } from './restore.ts';
import { exportStore, snapshot } from './snapshot.ts';

/**
 * Locks both and leaves them locked. At the end it looks at the source once more: an attachment that was under way when
 * the lock came may have been written after the first look, and is then a problem, not a loss.
 */
export async function copyStore(
  from: Store,
  to: Store,
  clock: Clock,
  options: RestoreOptions,
): Promise<Result<Restored>> {
  await setReady(from, clock, false);
  const exported = await exportStore(from);
  if (!exported.ok) return exported;
  const restored = await restore(to, clock, exported.value, options);
  if (!restored.ok) return restored;
  const again = await exportStore(from);
  if (!again.ok) return again;
  const late = differencesOf(again.value, await snapshot(to));
  return late.length > 0 ? fail(...late) : restored;
}
