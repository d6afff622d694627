/** Fields that hold numbers and selectors. */
import { z } from 'zod';
import { type SelectorNode, someNode } from '../selector/ast.ts';
import { parseTree } from '../selector/parse.ts';
import { quote, read, type Reading, text } from './field.ts';

/** A whole number within bounds, both included. */
export function integer(min: number, max: number) {
  const want = `a whole number from ${min} to ${max}`;
  const number = z.number({ error: want }).meta({ type: 'integer', minimum: min, maximum: max });
  return read(number, (value): Reading<number> => {
    if (Number.isInteger(value) && value >= min && value <= max) return { value };
    return { what: `${quote(value)} is not ${want}`, remedy: `use ${want}` };
  });
}

/** TCP or UDP port number. */
export function port() {
  return integer(1, 65_535);
}

/**
 * Text of a selector, kept as written. `global()` means something only as a whole namespaceSelector in a
 * rule, where `global: 'alone'` admits it.
 */
export function selector(options: { readonly global?: 'alone' } = {}) {
  return read(text('a selector such as all() or rack == "a"'), (text): Reading<string> => {
    const tree = parseTree(text);
    if (!tree.ok) {
      const [problem] = tree.problems;
      return {
        what: problem?.what ?? `${quote(text)} is no selector`,
        remedy: problem?.remedy ?? 'mend it',
        code: 'SELECTOR_INVALID',
      };
    }
    if (!someNode(tree.value, isGlobal)) return { value: text };
    if (options.global === 'alone' && isGlobal(tree.value)) return { value: text };
    return {
      what: `${quote(text)} uses global()`,
      remedy: "use global() only as the whole namespaceSelector of a rule's source or destination",
    };
  });
}

function isGlobal(node: SelectorNode): boolean {
  return node.op === 'global';
}
