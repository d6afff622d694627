/**
 * Which items match which selectors, kept up to date as either changes. Items have labels of their own and
 * inherit more from parents (profiles).
 *
 * Neither side is tried against everything. From each selector one necessary condition is taken, such as "label
 * `role` is `db` or `web`"; selectors wait under those label values, items are filed under theirs, and only
 * those that meet are evaluated. A selector without such a condition is tried against all.
 */
import type { Labels, Selector, SelectorNode } from '../../api/selector/index.ts';

export interface LabelIndexEvents<Item> {
  /** Called once when the match begins and once when it ends. */
  matched(item: Item, selectorId: string): void;
  unmatched(item: Item, selectorId: string): void;
}

/** Every item that matches has this label, with one of these values, or any if undefined. */
interface Necessary {
  readonly label: string;
  readonly values: readonly string[] | undefined;
}

interface IndexedItem {
  own: Labels;
  parents: readonly string[];
  /** Own labels over those of the parents, the first parent that has a label winning. */
  labels: Labels;
  readonly matches: Set<string>;
}

interface IndexedSelector {
  readonly selector: Selector;
  readonly necessary: Necessary | undefined;
}

export class LabelIndex<Item> {
  readonly #events: LabelIndexEvents<Item>;
  readonly #items = new Map<Item, IndexedItem>();
  readonly #itemsByLabel = new TwoLevel<Item>();
  readonly #children = new Map<string, Set<Item>>();
  readonly #parentLabels = new Map<string, Labels>();
  readonly #selectors = new Map<string, IndexedSelector>();
  readonly #selectorsByLabel = new TwoLevel<string>();
  readonly #selectorsByAnyValue = new Map<string, Set<string>>();
  readonly #selectorsForAll = new Set<string>();
  readonly #matching = new Map<string, Set<Item>>();

  constructor(events: LabelIndexEvents<Item>) {
    this.#events = events;
  }

  putItem(item: Item, own: Labels, parents: readonly string[]): void {
    const present = this.#items.get(item);
    const labels = this.#inherit(own, parents);
    if (present === undefined) {
      this.#items.set(item, { own, parents, labels, matches: new Set() });
    } else {
      this.#file(item, present.labels, false);
      for (const parent of present.parents) remove(this.#children, parent, item);
      present.own = own;
      present.parents = parents;
      present.labels = labels;
    }
    this.#file(item, labels, true);
    for (const parent of parents) insert(this.#children, parent, item);
    this.#rescan(item);
  }

  deleteItem(item: Item): void {
    const present = this.#items.get(item);
    if (present === undefined) return;
    this.#file(item, present.labels, false);
    for (const parent of present.parents) remove(this.#children, parent, item);
    this.#items.delete(item);
    for (const id of present.matches) this.#end(item, present, id);
  }

  /** Undefined: the parent is gone; its children lose what they had from it. */
  putParent(parent: string, labels: Labels | undefined): void {
    if (labels === undefined) this.#parentLabels.delete(parent);
    else this.#parentLabels.set(parent, labels);
    // A copy: filing an item anew takes it out of this very set and puts it back.
    for (const item of Array.from(this.#children.get(parent) ?? [])) {
      const present = this.#items.get(item);
      if (present !== undefined) this.putItem(item, present.own, present.parents);
    }
  }

  /** Adding a selector that is there already changes nothing. */
  putSelector(selector: Selector): void {
    const { id } = selector;
    if (this.#selectors.has(id)) return;
    const necessary = necessaryCondition(selector.root);
    this.#selectors.set(id, { selector, necessary });
    this.#matching.set(id, new Set());
    this.#wait(id, necessary, true);
    for (const item of this.#candidates(necessary)) {
      const present = this.#items.get(item);
      if (present !== undefined && selector.matches(present.labels)) this.#begin(item, present, id);
    }
  }

  /** Ends its matches. */
  deleteSelector(id: string): void {
    const indexed = this.#selectors.get(id);
    if (indexed === undefined) return;
    for (const item of this.#matching.get(id) ?? []) {
      const present = this.#items.get(item);
      if (present !== undefined) this.#end(item, present, id);
    }
    this.#selectors.delete(id);
    this.#matching.delete(id);
    this.#wait(id, indexed.necessary, false);
  }

  matching(id: string): ReadonlySet<Item> {
    return this.#matching.get(id) ?? new Set();
  }

  /** Ids of the selectors that match the item. */
  selectorsOf(item: Item): ReadonlySet<string> {
    return this.#items.get(item)?.matches ?? new Set();
  }

  #rescan(item: Item): void {
    const present = this.#items.get(item);
    if (present === undefined) return;
    for (const id of this.#waitingFor(present.labels)) {
      const matches = this.#selectors.get(id)?.selector.matches(present.labels) ?? false;
      if (matches && !present.matches.has(id)) this.#begin(item, present, id);
    }
    for (const id of present.matches) {
      if (this.#selectors.get(id)?.selector.matches(present.labels) !== true) this.#end(item, present, id);
    }
  }

  #begin(item: Item, present: IndexedItem, id: string): void {
    present.matches.add(id);
    this.#matching.get(id)?.add(item);
    this.#events.matched(item, id);
  }

  #end(item: Item, present: IndexedItem, id: string): void {
    present.matches.delete(id);
    this.#matching.get(id)?.delete(item);
    this.#events.unmatched(item, id);
  }

  #inherit(own: Labels, parents: readonly string[]): Labels {
    const layers = parents
      .map((parent) => this.#parentLabels.get(parent))
      .filter((layer) => layer !== undefined);
    return layers.length === 0 ? own : Object.assign({}, ...layers.reverse(), own);
  }

  #file(item: Item, labels: Labels, there: boolean): void {
    for (const [label, value] of Object.entries(labels)) this.#itemsByLabel.set(label, value, item, there);
  }

  #candidates(necessary: Necessary | undefined): Iterable<Item> {
    if (necessary === undefined) return this.#items.keys();
    const { label, values } = necessary;
    if (values === undefined) return this.#itemsByLabel.all(label);
    return new Set(values.flatMap((value) => [...this.#itemsByLabel.get(label, value)]));
  }

  #wait(id: string, necessary: Necessary | undefined, there: boolean): void {
    if (necessary === undefined) {
      if (there) this.#selectorsForAll.add(id);
      else this.#selectorsForAll.delete(id);
    } else if (necessary.values === undefined) {
      if (there) insert(this.#selectorsByAnyValue, necessary.label, id);
      else remove(this.#selectorsByAnyValue, necessary.label, id);
    } else {
      for (const value of necessary.values) this.#selectorsByLabel.set(necessary.label, value, id, there);
    }
  }

  *#waitingFor(labels: Labels): Iterable<string> {
    yield* this.#selectorsForAll;
    for (const [label, value] of Object.entries(labels)) {
      yield* this.#selectorsByLabel.get(label, value);
      yield* this.#selectorsByAnyValue.get(label) ?? [];
    }
  }
}

/** The narrowest condition that is easy to see; undefined when there is none. */
export function necessaryCondition(node: SelectorNode): Necessary | undefined {
  switch (node.op) {
    case '==':
      return { label: node.label, values: [node.value] };
    case 'in':
      return { label: node.label, values: node.values };
    case 'has':
    case 'contains':
    case 'starts with':
    case 'ends with':
      return { label: node.label, values: undefined };
    case 'and': {
      const found = node.operands.flatMap((operand) => necessaryCondition(operand) ?? []);
      const size = ({ values }: Necessary): number => values?.length ?? Number.MAX_SAFE_INTEGER;
      return found.sort((a, b) => size(a) - size(b))[0];
    }
    case 'or': {
      const found = node.operands.map(necessaryCondition);
      const [first] = found;
      if (first === undefined || found.some((other) => other?.label !== first.label)) return undefined;
      const values = found.flatMap((other) => other?.values ?? []);
      const anyValue = found.some((other) => other?.values === undefined);
      return { label: first.label, values: anyValue ? undefined : [...new Set(values)] };
    }
    case 'all':
    case 'global':
    case 'not':
    case '!=':
    case 'not in':
      return undefined;
  }
}

class TwoLevel<T> {
  readonly #byLabel = new Map<string, Map<string, Set<T>>>();

  get(label: string, value: string): Iterable<T> {
    return this.#byLabel.get(label)?.get(value) ?? [];
  }

  *all(label: string): Iterable<T> {
    for (const members of this.#byLabel.get(label)?.values() ?? []) yield* members;
  }

  set(label: string, value: string, member: T, there: boolean): void {
    let byValue = this.#byLabel.get(label);
    if (there) {
      if (byValue === undefined) this.#byLabel.set(label, (byValue = new Map()));
      insert(byValue, value, member);
    } else if (byValue !== undefined) {
      remove(byValue, value, member);
      if (byValue.size === 0) this.#byLabel.delete(label);
    }
  }
}

function insert<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const members = map.get(key);
  if (members === undefined) map.set(key, new Set([value]));
  else members.add(value);
}

function remove<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const members = map.get(key);
  if (members?.delete(value) === true && members.size === 0) map.delete(key);
}
