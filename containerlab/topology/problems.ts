/** Turns a path into the parsed file back into the place in the text that the author has to mend. */
import { type Document, LineCounter, isNode, isPair, isScalar } from 'yaml';
import type { Position, Problem } from '../../api/problem.ts';

export type FieldPath = readonly (string | number)[];

/** `topology.links[2].endpoints[0]`; keys that are no plain words are quoted. */
export function formatPath(path: FieldPath): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      const plain = /^[A-Za-z_][\w-]*$/.test(step) ? step : JSON.stringify(step);
      return index === 0 ? plain : `.${plain}`;
    })
    .join('');
}

export class Locator {
  readonly #file: string;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(file: string, document: Document.Parsed, lines: LineCounter) {
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
  }

  problem(path: FieldPath, value: unknown, what: string, remedy: string): Problem {
    return {
      code: 'TOPOLOGY_INVALID',
      field: formatPath(path),
      value,
      what,
      remedy,
      at: this.at(path),
    };
  }

  /** Line and column of the key (of a mapping entry) or of the value (of a list item); of the nearest parent if absent. */
  at(path: FieldPath): Position {
    for (let length = path.length; length > 0; length--) {
      const offset = this.#offset(path.slice(0, length));
      if (offset !== undefined) {
        const { line, col } = this.#lines.linePos(offset);
        return { file: this.#file, line, column: col };
      }
    }
    return { file: this.#file, line: 1, column: 1 };
  }

  #offset(path: FieldPath): number | undefined {
    const parent: unknown =
      path.length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, -1), true);
    const step = path.at(-1);
    if (typeof step === 'string' && typeof parent === 'object' && parent !== null && 'items' in parent) {
      const pair = (parent.items as unknown[]).find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === step,
      );
      if (isPair(pair) && isNode(pair.key)) return pair.key.range?.[0];
    }
    const node: unknown = this.#document.getIn(path, true);
    return isNode(node) ? node.range?.[0] : undefined;
  }
}
