/** Opens the datastore that a command means, for as long as the command takes. */
import { SystemClock } from '../clock/system.ts';
import { openStore, ResourceClient, type Store } from '../datastore/index.ts';
import { type Cooldown, Ipam } from '../ipam/index.ts';
import { chooseDatastore } from './context.ts';
import type { Terminal } from './terminal.ts';

export interface OpenStore {
  readonly store: Store;
  readonly client: ResourceClient;
}

/** @param options  `create`: make the datastore when there is none, as a command that writes resources does */
export async function withStore<T>(
  args: { readonly datastore: string | undefined },
  terminal: Terminal,
  work: (open: OpenStore) => Promise<T>,
  { create = false }: { readonly create?: boolean } = {},
): Promise<T> {
  const store = await openStore(chooseDatastore(args.datastore, terminal.env), { create });
  try {
    return await work({ store, client: new ResourceClient(store, new SystemClock()) });
  } finally {
    await store.close();
  }
}

export function ipamOf({ store }: OpenStore): Ipam {
  return new Ipam(store, new SystemClock(), Math.random);
}

/** For whoever looks at blocks: which of the addresses that rest may be given by now. */
export async function cooldownOf(open: OpenStore): Promise<Cooldown> {
  return { seconds: (await ipamOf(open).settings()).ipCooldownSeconds, now: new SystemClock().wall() };
}
