/** Fields that hold numbers and selectors. */
import { z } from 'zod';
import { type SelectorNode, someNode } from '../selector/ast.ts';
import { parseTree } from '../selector/parse.ts';
import { quote, read, type Reading, text } from './field.ts';
import { nearest } from './suggest.ts';

/** A whole number within bounds, both included. */
export function integer(min: number, max: number) {
  const want = `a whole number from ${min} to ${max}`;
  const number = z.number({ error: want }).meta({ type: 'integer', minimum: min, maximum: max });
  return read(number, (value): Reading<number> => {
    if (Number.isInteger(value) && value >= min && value <= max) return { value };
    return { what: `${quote(value)} is not ${want}`, remedy: `use ${want}` };
  });
}

/** A whole number as Go's `int32` holds it. */
export function int32() {
  return integer(-0x8000_0000, 0x7fff_ffff);
}

/** TCP or UDP port number. */
export function port() {
  return integer(1, 65_535);
}

/** One of a few words, which Calico reads in any case; the value is in the spelling given here. */
export function word<const W extends string>(words: readonly W[]) {
  const want = `one of ${words.join(', ')}`;
  return read(text(want), (written): Reading<W> => {
    const found = words.find((one) => one.toLowerCase() === written.toLowerCase());
    if (found !== undefined) return { value: found };
    const meant = nearest(written, words);
    return {
      what: `${quote(written)} is not ${want}`,
      remedy: meant === undefined ? `use ${want}` : `write ${meant}`,
    };
  }).meta({ examples: [...words] });
}

/** Text of a form. `example` is sound, and stands in the remedy. */
export function matching(pattern: RegExp, want: string, example: string) {
  return read(text(want), (written): Reading<string> => {
    if (pattern.test(written)) return { value: written };
    return { what: `${quote(written)} is not ${want}`, remedy: `write it as in ${quote(example)}` };
  }).meta({ examples: [example] });
}

const PORT_RANGE = 'a port from 0 to 65535, or a range such as "32768:65535"';

/** A port, kept as a number, or a range, kept as text. */
export function portRange() {
  return read(z.union([z.number(), z.string()], { error: PORT_RANGE }), (input): Reading<number | string> => {
    const [, first = '', last = first] = /^([0-9]{1,5})(?::([0-9]{1,5}))?$/.exec(String(input)) ?? [];
    const [min, max] = [Number(first), Number(last)];
    if (first === '' || min > max || max > 65_535)
      return { what: `${quote(input)} is not a port or a range`, remedy: `use ${PORT_RANGE}` };
    return { value: min === max ? min : `${min}:${max}` };
  }).meta({ examples: [32_768, '32768:65535'] });
}

const DSCP = 'a DSCP value: a number from 0 to 63, or a class such as EF, AF41 or CS1';
const DSCP_CLASS = /^(?:DF|EF|VA|LE|CS[0-7]|AF[1-4][1-3])$/;

/** Differentiated services code point (RFC 2474): numbers are kept as numbers, classes as text. */
export function dscp() {
  return read(z.union([z.number(), z.string()], { error: DSCP }), (input): Reading<number | string> => {
    const upper = String(input).toUpperCase();
    if (DSCP_CLASS.test(upper)) return { value: upper };
    if (/^[0-9]{1,2}$/.test(upper) && Number(upper) <= 63) return { value: Number(upper) };
    return { what: `${quote(input)} is not ${DSCP}`, remedy: `use ${DSCP}` };
  }).meta({ examples: [23, 'AF41'] });
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
  }).meta({ examples: ['all()', 'rack == "a" && has(role)'] });
}

function isGlobal(node: SelectorNode): boolean {
  return node.op === 'global';
}
