/**
 * Text of a selector to tokens. Calico's own quirks are kept, since users' selectors rely on them: after
 * a label an operator needs no space behind it (`a in{"x"}`), `has(` allows none before its parenthesis,
 * only space and tab separate, strings have no escapes.
 */

export type TokenKind =
  | '(' | ')' | '{' | '}' | ','
  | '==' | '!=' | '&&' | '||' | '!'
  | 'contains' | 'starts with' | 'ends with' | 'in' | 'not in'
  | 'all' | 'global' | 'has' | 'label' | 'string' | 'end'; // biome-ignore format: one line a family

export interface Token {
  readonly kind: TokenKind;
  /** The label of `has` and `label`, the content of `string`; otherwise empty. */
  readonly value: string;
  /** Offset of the first character, from 0. */
  readonly at: number;
}

export interface SyntaxFault {
  /** Offset of the offending character, from 0. */
  readonly at: number;
  readonly what: string;
  readonly remedy: string;
}

export class SelectorSyntaxError extends Error {
  override readonly name = 'SelectorSyntaxError';
  readonly fault: SyntaxFault;

  constructor(at: number, what: string, remedy: string) {
    super(what);
    this.fault = { at, what, remedy };
  }
}

const LABEL = /[a-zA-Z0-9_./-]+/y;
const OPERATOR = /contains|starts[ \t]*with|ends[ \t]*with|not[ \t]*in|in/y;
const CALL = /(has|all|global)\([ \t]*/y;
const SPACE = /[ \t]*/y;
const MAX_LABEL = 512;
const SINGLE = new Set(['(', ')', '{', '}', ',']);

/** @throws SelectorSyntaxError where no token can be made; `parseSelector` turns it into a value */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += match(SPACE, text, at)?.[0].length ?? 0;
    if (at === text.length) return [...tokens, { kind: 'end', value: '', at }];
    const [token, end] = next(text, at, tokens.at(-1)?.kind === 'label');
    tokens.push(token);
    at = end;
  }
}

function next(text: string, at: number, afterLabel: boolean): [Token, number] {
  const character = text[at] ?? '';
  if (SINGLE.has(character)) return [{ kind: character as TokenKind, value: '', at }, at + 1];
  if (character === '"' || character === "'") return stringLiteral(text, at, character);
  if (character === '!') return text[at + 1] === '=' ? fixed('!=', at) : fixed('!', at);
  if (character === '=' || character === '&' || character === '|') return doubled(text, at, character);
  if (afterLabel) return operator(text, at);
  const call = match(CALL, text, at);
  if (call !== null) return call[1] === 'has' ? has(text, at, at + call[0].length) : constant(text, at, call);
  const label = match(LABEL, text, at)?.[0];
  if (label === undefined) {
    throw new SelectorSyntaxError(
      at,
      `${JSON.stringify(character)} cannot start anything`,
      'remove it or put it in quotes',
    );
  }
  checkLength(label, at);
  return [{ kind: 'label', value: label, at }, at + label.length];
}

function stringLiteral(text: string, at: number, mark: string): [Token, number] {
  const end = text.indexOf(mark, at + 1);
  if (end < 0) throw new SelectorSyntaxError(at, 'the string has no end', `close it with ${mark}`);
  return [{ kind: 'string', value: text.slice(at + 1, end), at }, end + 1];
}

function doubled(text: string, at: number, character: '=' | '&' | '|'): [Token, number] {
  const kind = `${character}${character}` as '==' | '&&' | '||';
  if (text[at + 1] === character) return fixed(kind, at);
  throw new SelectorSyntaxError(at, `a single "${character}" means nothing`, `write ${kind}`);
}

function operator(text: string, at: number): [Token, number] {
  const word = match(OPERATOR, text, at)?.[0];
  if (word === undefined) {
    throw new SelectorSyntaxError(
      at,
      `no operator here, but ${JSON.stringify(text.slice(at, at + 12))}`,
      'after a label write ==, !=, in, not in, contains, starts with or ends with',
    );
  }
  const kind = word.replace(/[ \t]*(with|in)$/, ' $1').trim() as TokenKind;
  return [{ kind, value: '', at }, at + word.length];
}

function has(text: string, at: number, inside: number): [Token, number] {
  const label = match(LABEL, text, inside)?.[0];
  if (label === undefined) throw new SelectorSyntaxError(inside, 'has( names no label', 'write has(label)');
  checkLength(label, inside);
  return [{ kind: 'has', value: label, at }, closing(text, inside + label.length, `has(${label})`)];
}

function constant(text: string, at: number, call: RegExpExecArray): [Token, number] {
  const kind = call[1] === 'all' ? 'all' : 'global';
  return [{ kind, value: '', at }, closing(text, at + call[0].length, `${kind}()`)];
}

function closing(text: string, at: number, form: string): number {
  const end = at + (match(SPACE, text, at)?.[0].length ?? 0);
  if (text[end] !== ')') throw new SelectorSyntaxError(end, 'a ")" is missing', `write ${form}`);
  return end + 1;
}

function fixed(kind: '==' | '!=' | '&&' | '||' | '!', at: number): [Token, number] {
  return [{ kind, value: '', at }, at + kind.length];
}

function checkLength(label: string, at: number): void {
  if (label.length <= MAX_LABEL) return;
  throw new SelectorSyntaxError(at, `the label has ${label.length} characters`, `use at most ${MAX_LABEL}`);
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
