/** Waiting for something to become true, with an end. */
import { pause } from './members.ts';

/**
 * Asks until the answer is no longer undefined, or the time is over.
 * @returns the answer, or undefined when it did not come in time
 */
export async function until<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  options: { readonly withinMs: number; readonly everyMs?: number; readonly check?: () => void },
): Promise<T | undefined> {
  const deadline = performance.now() + options.withinMs;
  for (;;) {
    options.check?.();
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) return undefined;
    await pause(options.everyMs ?? 100);
  }
}
