/**
 * A process of the soak beside it, which is killed without warning: `worker.ts LOCATION NODE NAME`. Attaches and detaches
 * workloads as the node agent does, several at a time, and says each that is done on stdout: `a` attached, `d` detached,
 * `f` refused (no address left), `b` outrun by others for good, as a runtime would be told to try again.
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

async function work(store: Store, ipam: Ipam, pod: string): Promise<never> {
  for (;;) {
    try {
      await attach(store, ipam, pod);
    } catch (error) {
      if (!(error instanceof PoplinError && error.problems.some(({ code }) => code === 'IPAM_BUSY')))
        throw error;
      writeSync(1, 'b');
    }
    await new Promise((resolve) => setTimeout(resolve, 200 * Math.random()));
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

const store = await openStore(location);
const ipam = new Ipam(store, new SystemClock(), Math.random);
await Promise.all(Array.from({ length: WORKLOADS }, async (_, i) => work(store, ipam, `${name}-${i}`)));
