/** The address blocks that nodes hold, as the datastore has them. */
import { openStore } from '../../datastore/index.ts';
import type { RunningLab } from '../runner/lab.ts';
import { labPaths } from '../runner/paths.ts';
import type { Block } from './routes.ts';

const HOST = 'host:';

/** Sorted by node, then prefix. */
export async function heldBlocks(lab: RunningLab): Promise<Block[]> {
  const store = await openStore(labPaths(lab.topology.name).datastore);
  try {
    const { entries } = await store.list({ kind: 'BlockAffinity' });
    return entries
      .filter(({ key }) => key.scope.startsWith(HOST))
      .map(({ key }) => ({ prefix: key.name, node: key.scope.slice(HOST.length) }))
      .sort((a, b) => a.node.localeCompare(b.node) || a.prefix.localeCompare(b.prefix));
  } finally {
    await store.close();
  }
}
