/** Which of the machine's network namespaces are a lab's. */
import { lstatSync } from 'node:fs';
import { listNamespaces, namespacePath } from '../../net/kernel/index.ts';
import { namespaceName } from '../topology/topology.ts';
import { type LabState, knownLabs, readState } from './state.ts';

/**
 * Those that the lab's state names, and those that bear its name without being anybody else's: the state may have
 * been lost, and `clab-x-1-a` may be node `1-a` of lab `x` or node `a` of lab `x-1`. Symbolic links are left alone;
 * containerlab itself makes such for its containers.
 */
export function namespacesOf(lab: string): string[] {
  const own = new Set(claimedBy(readState(lab)));
  const others = new Set(knownLabs().flatMap((other) => (other === lab ? [] : claimedBy(readState(other)))));
  return listNamespaces().filter(
    (name) =>
      (own.has(name) || (name.startsWith(namespaceName(lab, '')) && !others.has(name))) &&
      !lstatSync(namespacePath(name)).isSymbolicLink(),
  );
}

function claimedBy(state: LabState | undefined): string[] {
  return Object.values({ ...state?.nodes, ...state?.workloads }).map(({ namespace }) => namespace);
}
