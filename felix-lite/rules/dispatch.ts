/**
 * From an interface's name to its chain. For a backend with verdict maps that is one lookup, and one entry for each
 * endpoint that comes or goes. For the others it is a tree of two levels, branching on the character after the names'
 * common prefix, so that a packet passes a handful of rules and not one for each endpoint. Who matches
 * nothing is unknown to us and is dropped.
 */
import type { Direction } from '../calc/model.ts';
import { limitName, workloadChain } from './names.ts';
import { type Chain, type Rule, rule } from './types.ts';

export const FROM_WORKLOAD = 'cali-from-wl-dispatch';
export const TO_WORKLOAD = 'cali-to-wl-dispatch';

export const DISPATCH_MAPS: Readonly<Record<Direction, string>> = {
  egress: 'cali-fw-dispatch',
  ingress: 'cali-tw-dispatch',
};

/** The root alone; the map is filled beside it. */
export function dispatchByMap(direction: Direction): Chain {
  const by = direction === 'egress' ? 'in-interface' : 'out-interface';
  return {
    name: direction === 'egress' ? FROM_WORKLOAD : TO_WORKLOAD,
    rules: [rule([], { kind: 'dispatch', by, map: DISPATCH_MAPS[direction] }), unknown()],
  };
}

/** The root is the last chain of the list. */
export function dispatchChains(direction: Direction, interfaceNames: Iterable<string>): readonly Chain[] {
  return dispatchTree({
    root: direction === 'egress' ? FROM_WORKLOAD : TO_WORKLOAD,
    by: direction === 'egress' ? 'in-interface' : 'out-interface',
    names: interfaceNames,
    target: (name) => workloadChain(direction, name),
    end: [unknown()],
  });
}

export interface DispatchTree {
  readonly root: string;
  readonly by: 'in-interface' | 'out-interface';
  readonly names: Iterable<string>;
  /** The chain of an interface. */
  readonly target: (name: string) => string;
  /** What becomes of packets of other interfaces. */
  readonly end: readonly Rule[];
}

/** The root is the last chain of the list. */
export function dispatchTree({ root, by, names: given, target, end }: DispatchTree): readonly Chain[] {
  const names = [...new Set(given)].sort();
  const toEndpoint = (name: string): Rule =>
    rule([{ kind: by, name }], { kind: 'goto', chain: target(name) });
  const common = commonPrefix(names);
  const branches = Map.groupBy(names, (name) => name.slice(0, common.length + 1));
  const children: Chain[] = [];
  const rules: Rule[] = [];
  for (const [prefix, members] of branches) {
    const [only] = members;
    if (members.length === 1 && only !== undefined) {
      rules.push(toEndpoint(only));
      continue;
    }
    const child = limitName(`${root}-`, prefix.slice(common.length));
    // A goto does not come back: the child therefore ends as the root does.
    rules.push(rule([{ kind: by, name: `${prefix}+` }], { kind: 'goto', chain: child }));
    children.push({ name: child, rules: [...members.map(toEndpoint), ...end] });
  }
  return [...children, { name: root, rules: [...rules, ...end] }];
}

function unknown(): Rule {
  return rule([], { kind: 'drop' }, 'Unknown interface');
}

function commonPrefix(sorted: readonly string[]): string {
  const [first, last] = [sorted[0] ?? '', sorted.at(-1) ?? ''];
  let length = 0;
  while (length < first.length && first[length] === last[length]) length++;
  return first.slice(0, length);
}
