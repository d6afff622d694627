/**
 * From an interface's name to its chain. For a backend with verdict maps that is one lookup, and one entry for each
 * endpoint that comes or goes. For the others it is a tree of two levels, branching on the character after the names'
 * common prefix, so that a packet passes a handful of rules and not one for each endpoint. Who matches
 * nothing is unknown to us and is dropped.
 */
import type { Direction } from '../calc/model.ts';
import { workloadChain } from './names.ts';
import { type Chain, type Match, type Rule, rule } from './types.ts';

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
  const names = [...new Set(interfaceNames)].sort();
  const root = direction === 'egress' ? FROM_WORKLOAD : TO_WORKLOAD;
  const common = commonPrefix(names);
  const branches = Map.groupBy(names, (name) => name.slice(0, common.length + 1));
  const children: Chain[] = [];
  const rules: Rule[] = [];
  for (const [prefix, members] of branches) {
    const [only] = members;
    if (members.length === 1 && only !== undefined) {
      rules.push(toEndpoint(direction, only));
      continue;
    }
    const child = `${root}-${prefix.slice(common.length)}`;
    // A goto does not come back: the child therefore ends as the root does.
    rules.push(rule([from(direction, `${prefix}+`)], { kind: 'goto', chain: child }));
    children.push({ name: child, rules: [...members.map((name) => toEndpoint(direction, name)), unknown()] });
  }
  return [...children, { name: root, rules: [...rules, unknown()] }];
}

function toEndpoint(direction: Direction, name: string): Rule {
  return rule([from(direction, name)], { kind: 'goto', chain: workloadChain(direction, name) });
}

function from(direction: Direction, name: string): Match {
  return { kind: direction === 'egress' ? 'in-interface' : 'out-interface', name };
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
