/**
 * Which items match which selectors, kept up to date as either changes. Items have labels of their own and
 * inherit more from parents (profiles).
 *
 * Neither side is tried against everything. From each selector one necessary condition is taken, such as "label
 * `role` is `db` or `web`", and of several the one under which the fewest meet: nearly every selector also names a
 * namespace, where all the others wait too. Selectors wait under those label values, items are filed under theirs, and
 * only those that meet are evaluated. A selector without such a condition is tried against all.
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
      this.#file(item, labels, NO_LABELS, true);
    } else {
      this.#file(item, present.labels, labels, false);
      this.#file(item, labels, present.labels, true);
      for (const parent of present.parents) remove(this.#children, parent, item);
      present.own = own;
      present.parents = parents;
      present.labels = labels;
    }
    for (const parent of parents) insert(this.#children, parent, item);
    this.#rescan(item);
  }

  deleteItem(item: Item): void {
    const present = this.#items.get(item);
    if (present === undefined) return;
    this.#file(item, present.labels, NO_LABELS, false);
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
    const necessary = this.#narrowest(necessaryConditions(selector.root));
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
    const before = [...present.matches];
    for (const id of this.#waitingFor(present.labels)) {
      if (present.matches.has(id)) continue;
      if (this.#selectors.get(id)?.selector.matches(present.labels) === true) this.#begin(item, present, id);
    }
    for (const id of before) {
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

  /** Those labels that are not as in `except`. */
  #file(item: Item, labels: Labels, except: Labels, there: boolean): void {
    for (const label of Object.keys(labels)) {
      const value = labels[label] ?? '';
      if (!Object.hasOwn(except, label) || except[label] !== value)
        this.#itemsByLabel.set(label, value, item, there);
    }
  }

  /** The condition under which the fewest items and selectors meet by now. */
  #narrowest(conditions: readonly Necessary[]): Necessary | undefined {
    let [best, least] = [conditions[0], Number.POSITIVE_INFINITY];
    if (conditions.length === 1) return best;
    for (const condition of conditions) {
      const meeting = this.#meeting(condition);
      if (meeting < least) [best, least] = [condition, meeting];
    }
    return best;
  }

  /** How many pairs of an item and a selector meet there, one more selector being there. */
  #meeting({ label, values }: Necessary): number {
    if (values === undefined)
      return (this.#itemsByLabel.size(label) + 1) * ((this.#selectorsByAnyValue.get(label)?.size ?? 0) + 1);
    let pairs = 0;
    for (const value of values)
      pairs += (this.#itemsByLabel.size(label, value) + 1) * (this.#selectorsByLabel.size(label, value) + 1);
    return pairs;
  }

  *#candidates(necessary: Necessary | undefined): Iterable<Item> {
    if (necessary === undefined) yield* this.#items.keys();
    else if (necessary.values === undefined) yield* this.#itemsByLabel.all(necessary.label);
    // An item has one value for a label: nobody is met twice.
    else for (const value of necessary.values) yield* this.#itemsByLabel.get(necessary.label, value);
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
    for (const label of Object.keys(labels)) {
      yield* this.#selectorsByLabel.get(label, labels[label] ?? '');
      yield* this.#selectorsByAnyValue.get(label) ?? [];
    }
  }
}

const NO_LABELS: Labels = {};

/** Conditions that are easy to see, each of them necessary. */
export function necessaryConditions(node: SelectorNode): readonly Necessary[] {
  switch (node.op) {
    case '==':
      return [{ label: node.label, values: [node.value] }];
    case 'in':
      return [{ label: node.label, values: node.values }];
    case 'has':
    case 'contains':
    case 'starts with':
    case 'ends with':
      return [{ label: node.label, values: undefined }];
    case 'and':
      return node.operands.flatMap(necessaryConditions);
    case 'or':
      return eitherCondition(node.operands.map(necessaryConditions));
    case 'all':
    case 'global':
    case 'not':
    case '!=':
    case 'not in':
      return [];
  }
}

/** On each label about which all of the alternatives say something. */
function eitherCondition(alternatives: readonly (readonly Necessary[])[]): readonly Necessary[] {
  const [first = [], ...others] = alternatives;
  return [...new Set(first.map(({ label }) => label))].flatMap((label) => {
    let values: string[] | undefined = [];
    for (const conditions of [first, ...others]) {
      const same = conditions.filter((each) => each.label === label);
      if (same.length === 0) return [];
      const narrow = same.find((each) => each.values !== undefined)?.values;
      values = narrow === undefined ? undefined : values && [...values, ...narrow];
    }
    return [{ label, values: values && [...new Set(values)] }];
  });
}

class TwoLevel<T> {
  readonly #byLabel = new Map<string, Map<string, Set<T>>>();

  get(label: string, value: string): Iterable<T> {
    return this.#byLabel.get(label)?.get(value) ?? [];
  }

  size(label: string, value?: string): number {
    const byValue = this.#byLabel.get(label);
    if (value !== undefined) return byValue?.get(value)?.size ?? 0;
    let size = 0;
    for (const members of byValue?.values() ?? []) size += members.size;
    return size;
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
