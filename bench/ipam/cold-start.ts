/** All nodes of a cluster start at once, each with its workloads: how many transactions until everybody has its addresses? */
import { unwrap } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { openStore } from '../../datastore/index.ts';
import { FollowedFacts, Ipam } from '../../ipam/index.ts';
import { CountingStore } from './counting-store.ts';

export interface ColdStart {
  readonly nodes: number;
  readonly pods: number;
  readonly seconds: number;
  /** As the store counts them: its revision grows by one for each. */
  readonly written: number;
  /** Asked for in vain, as others were quicker. */
  readonly refused: number;
  readonly reads: number;
  /** The fewest that will do: a block of 64 takes the pods of a node, both IP versions, in one. */
  readonly fewest: number;
}

export async function coldStart(location: string, nodes: number, pods: number): Promise<ColdStart> {
  const clock = new SystemClock();
  const opened = await Promise.all(
    Array.from({ length: nodes }, async (_, i) => {
      const store = new CountingStore(await openStore(location));
      const facts = new FollowedFacts(store);
      await facts.start();
      return { host: `node-${i}`, store, facts, ipam: new Ipam(store, clock, Math.random, facts) };
    }),
  );
  const any = opened[0]!.store;
  const before = BigInt(await any.revision());
  for (const { store } of opened) Object.assign(store.counts, { reads: 0, commits: 0, refused: 0 });
  const begun = performance.now();
  const given = await Promise.all(
    opened.flatMap(({ host, ipam }) =>
      Array.from({ length: pods }, async (_, pod) => {
        const attributes = { node: host, namespace: 'bench', pod: `pod-${pod}` };
        return unwrap(await ipam.autoAssign({ host, handle: `${host}.${pod}`, attributes, v4: 1, v6: 1 }));
      }),
    ),
  );
  const seconds = (performance.now() - begun) / 1000;
  const written = Number(BigInt(await any.revision()) - before);
  const addresses = new Set(given.flatMap(({ v4, v6 }) => [...v4, ...v6].map(String)));
  if (addresses.size !== nodes * pods * 2)
    throw new Error(`${addresses.size} addresses of ${nodes * pods * 2}`);
  const sum = (of: 'refused' | 'reads'): number =>
    opened.reduce((total, { store }) => total + store.counts[of], 0);
  const [refused, reads] = [sum('refused'), sum('reads')];
  const fewest = nodes * Math.ceil(pods / 64);
  for (const { facts, store } of opened) {
    await facts.stop();
    await store.close();
  }
  return { nodes, pods, seconds, written, refused, reads, fewest };
}
