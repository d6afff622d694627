/** From a field's path to its line and column in a YAML document. */
import {
  type Document,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
} from 'yaml';
import type { Position } from '../problem.ts';
import type { FieldPath } from '../schema/path.ts';

export interface Source {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
  /** What every position has in common. */
  readonly origin: Position;
}

/**
 * The place of the field: of its key in a mapping, of the item in a list. Of a field that is not there
 * (it is missing, or came through an anchor), the place of the nearest one around it.
 */
export function locate(source: Source, path: FieldPath): Position {
  let place: Node | null = source.document.contents;
  let node: unknown = place;
  for (const step of path) {
    const child = childOf(node, step);
    if (child === undefined) break;
    place = child.place ?? place;
    node = child.value;
  }
  const offset = place?.range?.[0];
  if (offset === undefined) return source.origin;
  const { line, col } = source.lines.linePos(offset);
  return { ...source.origin, line, column: col };
}

interface Child {
  /** What to point at. */
  readonly place: Node | null;
  readonly value: unknown;
}

function childOf(node: unknown, step: string | number): Child | undefined {
  if (!isCollection(node)) return undefined;
  if (isMap(node)) {
    const pair = node.items.find((item) => keyOf(item) === String(step));
    return pair === undefined ? undefined : { place: isNode(pair.key) ? pair.key : null, value: pair.value };
  }
  if (!isSeq(node) || typeof step !== 'number') return undefined;
  const item = node.items[step];
  return item === undefined ? undefined : { place: isNode(item) ? item : null, value: item };
}

function keyOf(pair: Pair): string | undefined {
  return isScalar(pair.key) ? String(pair.key.value) : undefined;
}
