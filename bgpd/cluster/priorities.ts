/**
 * Calico's route priority: the metric of a route in a node's kernel, lower wins, which live migration uses to prefer one
 * node's route over another's. Between nodes it travels as LOCAL_PREF = 2147483647 - priority, and a route that says
 * nothing has the normal one. LOCAL_PREF is where it lives here, too: a rule that asks for a priority asks for that.
 *
 * A cluster whose filters speak of priorities gives every route one, or a route with a priority would be compared with
 * one that has LOCAL_PREF 100 for want of a word. Other clusters see nothing of all this.
 */
import type { Match, Operation, PolicyRule } from '../filter/policy.ts';
import type { PathAttributes } from '../wire/types.ts';
import { configuration } from './identity.ts';
import type { ClusterResources } from './resources.ts';

const HIGHEST = 2_147_483_647;
const NORMAL = 1024;

export function localPrefOf(priority: number): number {
  return HIGHEST - priority;
}

export function priorityMatch(priority: number): Match {
  const localPref = localPrefOf(priority);
  return { localPref: { min: localPref, max: localPref } };
}

export function setPriority(priority: number): Operation {
  return { type: 'set-local-pref', value: localPrefOf(priority) };
}

/** Any filter speaks of priorities, used here or not: all nodes must come to the same answer. */
function inUse(resources: ClusterResources): boolean {
  return resources.bgpFilters.some(({ spec }) =>
    [spec.importV4, spec.importV6, spec.exportV4, spec.exportV6].some((rules) =>
      rules?.some(
        ({ priority, operations }) =>
          priority !== undefined || operations?.some(({ setPriority }) => setPriority !== undefined),
      ),
    ),
  );
}

function normalLocalPref(version: 4 | 6, resources: ClusterResources): number {
  const spec = configuration(resources, 'default');
  return localPrefOf(
    (version === 4 ? spec?.ipv4NormalRoutePriority : spec?.ipv6NormalRoutePriority) ?? NORMAL,
  );
}

/** Goes before a peer's import filters: a route without a word about it has the normal priority. */
export function priorityRules(version: 4 | 6, resources: ClusterResources): readonly PolicyRule[] {
  if (!inUse(resources)) return [];
  const value = normalLocalPref(version, resources);
  return [
    {
      name: 'normal route priority',
      match: { localPref: 'absent' },
      action: 'continue',
      operations: [{ type: 'default-local-pref', value }],
    },
  ];
}

/** The priority of a route of our own. */
export function ownPriority(version: 4 | 6, resources: ClusterResources): Partial<PathAttributes> {
  return inUse(resources) ? { localPref: normalLocalPref(version, resources) } : {};
}
