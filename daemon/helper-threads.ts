/**
 * V8's own threads, which compile and collect, behind the thread that decides: on a node whose processors are all busy
 * they otherwise take its place for whole ticks of the scheduler (4 ms), and a change waits for machine code that is only
 * wanted for later ones. libuv's threads do what we wait for and stay as they are.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';

const NICE = 10;
/** As Node names them. */
const OWN = /V8Worker$/;

/** Of this process, as far as there are some by now: Node starts them before it runs anything. */
export function yieldHelpers(): void {
  for (const entry of readdirSync('/proc/self/task')) {
    const thread = Number(entry);
    if (thread === process.pid) continue;
    try {
      // Of one thread, on Linux.
      if (OWN.test(readFileSync(`/proc/self/task/${entry}/comm`, 'utf8').trim())) setPriority(thread, NICE);
    } catch {
      // It has ended, or may not: then all is as it was.
    }
  }
}
