/** What gives addresses in the bench: Poplin, a compare-and-swap for each address as in Calico, and etcd by itself. */
import { SystemClock } from '../../clock/system.ts';
import { unwrap, validate } from '../../api/index.ts';
import { openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import { FollowedFacts, Ipam } from '../../ipam/index.ts';
import type { Pool } from '../../ipam/pools.ts';
import { Prefix } from '../../net/addr/index.ts';
import { OneByOne } from './one-by-one.ts';
import { CountingStore, type StoreCounts } from './counting-store.ts';

/** One node, with a connection of its own. */
export interface PeerNode {
  readonly counts: StoreCounts;
  /** One address, or for etcd by itself one compare-and-swap. */
  give(id: string): Promise<void>;
  /** Back to a node without workloads; not measured. */
  reset(ids: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  open(location: string, node: string): Promise<PeerNode>;
}

/** Blocks of 64 addresses, 1024 of them: a cluster of a few hundred nodes. */
export const POOL: Pool = { name: 'bench-v4', cidr: Prefix.parse('10.0.0.0/16')!, blockLength: 26 };
export const POOL6: Pool = { name: 'bench-v6', cidr: Prefix.parse('fd00:b::/112')!, blockLength: 122 };

/** A cluster with the pools and nothing else. */
export async function prepare(location: string): Promise<void> {
  const store = await openStore(location);
  const client = new ResourceClient(store, new SystemClock());
  for (const { name, cidr } of [POOL, POOL6]) {
    const spec = { cidr: cidr.toString() };
    const pool = { apiVersion: 'projectcalico.org/v3', kind: 'IPPool', metadata: { name }, spec };
    unwrap(await client.create(unwrap(validate(pool))));
  }
  await store.close();
}

async function open(location: string): Promise<CountingStore> {
  return new CountingStore(await openStore(location));
}

/** As the node agent has it: pools and settings followed, the node's blocks held, requests grouped. */
export const POPLIN: Peer = {
  name: 'Poplin',
  open: async (location, node) => {
    const store = await open(location);
    const clock = new SystemClock();
    const facts = new FollowedFacts(store);
    await facts.start();
    const ipam = new Ipam(store, clock, Math.random, facts);
    return {
      counts: store.counts,
      give: async (id) => {
        const attributes = attributesOf(node, id);
        unwrap(await ipam.autoAssign({ host: node, handle: id, attributes, v4: 1, v6: 0 }));
      },
      reset: async (ids) => releaseAll(ipam, ids),
      close: async () => {
        await facts.stop();
        await store.close();
      },
    };
  },
};

export const ONE_BY_ONE: Peer = {
  name: 'one CAS an address',
  open: async (location, node) => {
    const store = await open(location);
    const ipam = new Ipam(store, new SystemClock(), Math.random);
    const allocator = new OneByOne(store, POOL, node);
    return {
      counts: store.counts,
      give: async (id) => allocator.give(id, attributesOf(node, id)),
      reset: async (ids) => releaseAll(ipam, ids),
      close: async () => store.close(),
    };
  },
};

/** A key of the size of a handle for each caller, written by compare-and-swap again and again. */
export const BARE: Peer = {
  name: 'bare CAS',
  open: async (location, node) => {
    const store = await open(location);
    const idle: { name: string; revision: string | undefined }[] = [];
    let keys = 0;
    return {
      counts: store.counts,
      give: async () => {
        const mine = idle.pop() ?? { name: `${node}.caller-${keys++}`, revision: undefined };
        await swap(store, mine);
        idle.push(mine);
      },
      reset: async () => {},
      close: async () => store.close(),
    };
  },
};

async function swap(
  store: Store,
  mine: { readonly name: string; revision: string | undefined },
): Promise<void> {
  const commit = await store.commit([
    {
      type: 'put',
      key: { kind: 'IPAMHandle', scope: '', name: mine.name },
      value: { block: { '10.0.0.0/26': 1 }, deleted: false },
      expect: mine.revision === undefined ? 'any' : { revision: mine.revision },
    },
  ]);
  if (!commit.ok) throw new Error('another wrote the key of this caller');
  mine.revision = commit.revision;
}

async function releaseAll(ipam: Ipam, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map(async (id) => ipam.releaseByHandle(id)));
}

/** As the CNI plugin has them, so that blocks are as large as they are. */
function attributesOf(node: string, id: string): Record<string, string> {
  return { node, namespace: 'bench', pod: `pod-${id}`, timestamp: new Date().toISOString() };
}
