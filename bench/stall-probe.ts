/**
 * Preloaded into a target of ours (`node --import`): a timer that ought to fire every millisecond, and how late it was at
 * the worst. On SIGUSR2 it tells the longest stall since the last time on a line of standard output, and begins anew.
 */
import { isMainThread } from 'node:worker_threads';

const EVERY_MS = 1;

if (isMainThread) {
  let last = performance.now();
  let longest = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - EVERY_MS);
    last = now;
  }, EVERY_MS);
  timer.unref();
  process.on('SIGUSR2', () => {
    console.log(JSON.stringify({ stallMs: longest, rss: process.memoryUsage().rss }));
    longest = 0;
  });
}
