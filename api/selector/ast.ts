/** The tree of a selector. Plain data, so that an indexer may look into it. */

/** One member for each operator, so that comparing `op` narrows to exactly that one. */
export type SelectorNode =
  | { readonly op: 'all' }
  /** Meaningful only as a whole namespaceSelector, where it stands for "not in any namespace". */
  | { readonly op: 'global' }
  | { readonly op: 'has'; readonly label: string }
  | { [O in Comparison]: { readonly op: O; readonly label: string; readonly value: string } }[Comparison]
  | InSet<'in'>
  | InSet<'not in'>
  | { readonly op: 'not'; readonly operand: SelectorNode }
  | Junction<'and'>
  | Junction<'or'>;

interface InSet<O> {
  readonly op: O;
  readonly label: string;
  /** Sorted by code point, without repeats. */
  readonly values: readonly string[];
}

interface Junction<O> {
  readonly op: O;
  /** Two or more. */
  readonly operands: readonly SelectorNode[];
}

export type Comparison = '==' | '!=' | 'contains' | 'starts with' | 'ends with';

export type Labels = Readonly<Record<string, string>>;

/** Absent labels: `!=` and `not in` are then true, every other operator false. */
export function evaluate(node: SelectorNode, labels: Labels): boolean {
  switch (node.op) {
    case 'all':
    case 'global':
      return true;
    case 'has':
      return valueOf(labels, node.label) !== undefined;
    case '==':
      return valueOf(labels, node.label) === node.value;
    case '!=':
      return valueOf(labels, node.label) !== node.value;
    case 'contains':
      return valueOf(labels, node.label)?.includes(node.value) ?? false;
    case 'starts with':
      return valueOf(labels, node.label)?.startsWith(node.value) ?? false;
    case 'ends with':
      return valueOf(labels, node.label)?.endsWith(node.value) ?? false;
    case 'in':
      return isIn(node.values, valueOf(labels, node.label));
    case 'not in':
      return !isIn(node.values, valueOf(labels, node.label));
    case 'not':
      return !evaluate(node.operand, labels);
    case 'and':
      return node.operands.every((operand) => evaluate(operand, labels));
    case 'or':
      return node.operands.some((operand) => evaluate(operand, labels));
  }
}

/** The one spelling that Calico hashes into ipset names. Parsing it gives the same tree. */
export function canonicalText(node: SelectorNode): string {
  switch (node.op) {
    case 'all':
      return 'all()';
    case 'global':
      return 'global()';
    case 'has':
      return `has(${node.label})`;
    case 'in':
    case 'not in':
      return `${node.label} ${node.op} {${node.values.map(quoted).join(', ')}}`;
    case 'not':
      return `!${canonicalText(node.operand)}`;
    case 'and':
      return `(${node.operands.map(canonicalText).join(' && ')})`;
    case 'or':
      return `(${node.operands.map(canonicalText).join(' || ')})`;
    case '==':
    case '!=':
    case 'contains':
    case 'starts with':
    case 'ends with':
      return `${node.label} ${node.op} ${quoted(node.value)}`;
  }
}

/** The same tree with every label put through `rename`. */
export function mapLabels(node: SelectorNode, rename: (label: string) => string): SelectorNode {
  switch (node.op) {
    case 'all':
    case 'global':
      return node;
    case 'not':
      return { op: 'not', operand: mapLabels(node.operand, rename) };
    case 'and':
    case 'or':
      return { op: node.op, operands: node.operands.map((operand) => mapLabels(operand, rename)) };
    case 'has':
    case 'in':
    case 'not in':
    case '==':
    case '!=':
    case 'contains':
    case 'starts with':
    case 'ends with':
      return { ...node, label: rename(node.label) };
  }
}

/** True when the test holds for this node or for one below it. */
export function someNode(node: SelectorNode, test: (node: SelectorNode) => boolean): boolean {
  if (test(node)) return true;
  if (node.op === 'not') return someNode(node.operand, test);
  if (node.op === 'and' || node.op === 'or') return node.operands.some((operand) => someNode(operand, test));
  return false;
}

/** Order by code point, which is the byte order of UTF-8 that Go sorts by; UTF-16 order differs. */
export function compareText(a: string, b: string): number {
  const [left, right] = [a[Symbol.iterator](), b[Symbol.iterator]()];
  for (;;) {
    const [x, y] = [left.next(), right.next()];
    if (x.done === true || y.done === true) return Number(y.done ?? false) - Number(x.done ?? false);
    const difference = (x.value.codePointAt(0) ?? 0) - (y.value.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
}

/** Own properties only: a label called `constructor` is absent unless someone set it. */
function valueOf(labels: Labels, label: string): string | undefined {
  return Object.hasOwn(labels, label) ? labels[label] : undefined;
}

/** Binary search: sets can hold thousands of values. */
function isIn(values: readonly string[], value: string | undefined): boolean {
  if (value === undefined) return false;
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareText(values[middle] ?? '', value);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}

/** Strings have no escapes; a value never holds both kinds of quote, because no literal could. */
function quoted(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}
