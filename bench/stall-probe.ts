/**
 * Preloaded into a target of ours (`node --import`): a timer that ought to fire every millisecond, and how late it was at
 * the worst. On SIGUSR2 it tells the longest stall since the last time on a line of standard output, and begins anew. The
 * first SIGUSR2 starts the timer: where nobody asks, there is none.
 */
import { isMainThread } from 'node:worker_threads';

const EVERY_MS = 1;

if (isMainThread) {
  let last = 0;
  let longest = 0;
  let timer: NodeJS.Timeout | undefined;
  const start = (): NodeJS.Timeout => {
    last = performance.now();
    return setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last - EVERY_MS);
      last = now;
    }, EVERY_MS).unref();
  };
  process.on('SIGUSR2', () => {
    timer ??= start();
    console.log(JSON.stringify({ stallMs: longest, rss: process.memoryUsage().rss }));
    longest = 0;
  });
}
