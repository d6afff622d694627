/**
 * Of the first list of a cluster, what only puts members into sets: pods of other nodes, network sets, endpoints of services,
 * which in a large cluster are nearly all. No rule of this node depends on it, so rules can be on their way to the kernel
 * while it is read. Pure.
 */
import type { ResourceChange } from '../calc/calculator.ts';

export interface Divided {
  readonly first: readonly ResourceChange[];
  /** Changes no rule: members of sets alone. */
  readonly rest: readonly ResourceChange[];
}

const SETS_ALONE: ReadonlySet<string> = new Set(['NetworkSet', 'GlobalNetworkSet', 'EndpointSlice']);

/** @param changes  in order; if a pod or a set is told of twice, nothing is put off */
export function divideFeed(changes: readonly ResourceChange[], node: string): Divided {
  const first: ResourceChange[] = [];
  const rest: ResourceChange[] = [];
  const names = new Set<string>();
  let told = 0;
  for (const change of changes) {
    const { kind, scope, name } = change.key;
    const isPod = kind === 'WorkloadEndpoint';
    if (!isPod && !SETS_ALONE.has(kind)) {
      first.push(change);
      continue;
    }
    names.add(`${kind}/${scope}/${name}`);
    told++;
    if (isPod && !isElsewhere(change.value, node)) first.push(change);
    else rest.push(change);
  }
  return names.size === told ? { first, rest } : { first: changes, rest: [] };
}

/** As it was stored, which nobody has looked at yet. */
function isElsewhere(value: unknown, node: string): boolean {
  const spec = isObject(value) ? value['spec'] : undefined;
  const where = isObject(spec) ? spec['node'] : undefined;
  return typeof where === 'string' && where !== node;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
