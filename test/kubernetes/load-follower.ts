/** Follows a cluster as felix-lite does, with a mirror for policy and one for routes, and says what it costs: see `load.ts`. */
import { Mirror, openStore } from '../../datastore/index.ts';
import { CALC_KINDS } from '../../felix-lite/calc/calculator.ts';
import { ROUTING_KINDS } from '../../felix-lite/routing/facts.ts';
import type { Figures } from './load.ts';

const collect = (globalThis as { gc?: () => void }).gc;
const store = await openStore(process.argv[2] ?? '');
const began = performance.now();
const mirrors = [[...CALC_KINDS, 'FelixConfiguration'], ROUTING_KINDS].map(
  (kinds) =>
    new Mirror(
      store,
      kinds.map((kind) => ({ kind })),
    ),
);
for (const mirror of mirrors) mirror.start();
await Promise.all(mirrors.map(async (mirror) => new Promise<void>((resolve) => void mirror.onSync(resolve))));
const synced = (performance.now() - began) / 1000;
say();
for await (const _ of process.stdin) {
  // What was changed is heard of in a moment.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  say();
}
for (const mirror of mirrors) await mirror.stop();
await store.close();

function say(): void {
  // First what the list left behind: it is no work of the changes after it.
  collect?.();
  const { user, system } = process.cpuUsage();
  const { heapUsed, rss } = process.memoryUsage();
  const entries = mirrors.reduce((sum, mirror) => sum + mirror.entries().length, 0);
  const figures: Figures = {
    synced,
    cpu: (user + system) / 1e6,
    heap: heapUsed / 2 ** 20,
    rss: rss / 2 ** 20,
    entries,
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}
