/** Takes away all that a lab made, in whatever condition it is: whole, half started, or left by a crash. */
import { existsSync, rmSync } from 'node:fs';
import { terminate } from '../../daemon/process.ts';
import { deleteNamespace } from '../../net/kernel/index.ts';
import { removeContext, unlinkCommand } from './context.ts';
import { namespacesOf } from './leftovers.ts';
import { endMembers } from './members.ts';
import { labPaths } from './paths.ts';
import { readState, writeState } from './state.ts';

export interface Removed {
  readonly namespaces: number;
  /** False when there was nothing at all. */
  readonly anything: boolean;
}

/** The caller holds the lab's lock. Safe to repeat, and to interrupt and repeat. */
export async function removeLab(lab: string): Promise<Removed> {
  const paths = labPaths(lab);
  const state = readState(lab);
  if (state !== undefined) {
    state.phase = 'stopping';
    writeState(state);
  }
  const namespaces = namespacesOf(lab);

  // First what restarts others, then the others.
  const inits = Object.values(state?.nodes ?? {}).flatMap(({ init }) => init ?? []);
  await Promise.all(inits.map((init) => terminate(init)));
  await endMembers(namespaces);
  for (const namespace of namespaces) deleteNamespace(namespace);

  const anything = namespaces.length > 0 || existsSync(paths.state) || existsSync(paths.durable);
  rmSync(paths.durable, { recursive: true, force: true });
  removeContext(lab);
  if (state?.linkedCommand === true) unlinkCommand();
  rmSync(paths.state, { recursive: true, force: true });
  return { namespaces: namespaces.length, anything };
}
