/**
 * A process of the soak beside it, which is killed without warning: `worker.ts LOCATION NODE NAME`. Attaches and detaches
 * workloads as the node agent does, several at a time, and says each that is done on stdout: `a` attached, `d` detached,
 * `f` refused (no address left), `b` told to try again, as a runtime would be.
 */
import { writeSync } from 'node:fs';
import { PoplinError } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { openStore, type Store } from '../../datastore/index.ts';
import { Ipam } from '../../ipam/index.ts';
import { dropEndpoint, putEndpoint } from '../../ipam/gc/testing.ts';

/** Workloads of this process, each attached or detached one after the other, all side by side. */
const WORKLOADS = 6;

const [, , location = '', node = '', name = ''] = process.argv;

/** Outrun for good, or the store too slow under the load: said, and tried again. */
const TRY_AGAIN: readonly string[] = ['IPAM_BUSY', 'STORE_UNAVAILABLE'];

async function work(store: Store, ipam: Ipam, pod: string): Promise<never> {
  for (;;) {
    await patiently(async () => attach(store, ipam, pod));
    await new Promise((resolve) => setTimeout(resolve, 200 * Math.random()));
  }
}

async function patiently<T>(what: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await what();
    } catch (error) {
      if (!(error instanceof PoplinError && error.problems.some(({ code }) => TRY_AGAIN.includes(code))))
        throw error;
      writeSync(1, 'b');
    }
  }
}

/** What an earlier attempt left makes way first, as in the agent. */
async function attach(store: Store, ipam: Ipam, pod: string): Promise<void> {
  const handle = `net.${pod}`;
  await dropEndpoint(store, node, pod, 'cni');
  await ipam.releaseByHandle(handle);
  writeSync(1, 'd');
  const given = await ipam.autoAssign({
    host: node,
    handle,
    attributes: { node, namespace: 'default', pod, timestamp: new Date().toISOString() },
    v4: 1,
    v6: Math.random() < 0.5 ? 1 : 0,
  });
  const { v4, v6 } = given.ok ? given.value : { v4: [], v6: [] };
  if (given.ok) await putEndpoint(store, node, pod, [...v4, ...v6].map(String), 'cni');
  writeSync(1, given.ok ? 'a' : 'f');
}

const store = await patiently(async () => openStore(location));
const ipam = new Ipam(store, new SystemClock(), Math.random);
await Promise.all(Array.from({ length: WORKLOADS }, async (_, i) => work(store, ipam, `${name}-${i}`)));
