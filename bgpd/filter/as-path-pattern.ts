/**
 * Expressions over AS paths, whose letters are AS numbers, not digits: `65001 .* (64600-64699|65002){1,2}`.
 *
 *     65001   64600-64699   .   [65001 65005-65009]   [^65001]     one AS
 *     *  +  ?  {2}  {1,3}  {2,}                                    how often what stands before it
 *     ( | )                                                        grouping, alternatives
 *
 * An expression is for the whole path: `65001 .*` begins with 65001, `.* 65001` originates there, `.* 65001 .*` passes
 * through it, and the empty one is the empty path. An AS_SET is one place that fits if any of its members does; segments
 * of a confederation do not count (RFC 5065 §5.3).
 *
 * It runs as a set of states side by side (Thompson's construction), so that the time is that of the path's length times
 * the expression's and nothing a user or a peer writes makes it more.
 */
import type { AsSegment } from '../wire/types.ts';

/** One place of a path: an AS number, or the members of a set. */
type Place = number | readonly number[];

export interface AsPathPattern {
  matches(path: readonly AsSegment[]): boolean;
}

export type ParsedPattern =
  | { readonly ok: true; readonly pattern: AsPathPattern }
  /** `at`: index into the text. */
  | { readonly ok: false; readonly what: string; readonly at: number };

/** Repetition multiplies states; a pattern beyond this is refused rather than run. */
const MAX_STATES = 4096;
const MAX_REPEAT = 255;
const MAX_DEPTH = 64;
const MAX_ASN = 0xffff_ffff;

type Node =
  | { readonly type: 'as'; readonly ranges: readonly Span[]; readonly negated: boolean }
  | { readonly type: 'sequence' | 'choice'; readonly nodes: readonly Node[] }
  | { readonly type: 'repeat'; readonly node: Node; readonly min: number; readonly max: number | undefined };

interface Span {
  readonly from: number;
  readonly to: number;
}

const ANY: Node = { type: 'as', ranges: [{ from: 0, to: MAX_ASN }], negated: false };

export function parseAsPathPattern(text: string): ParsedPattern {
  const parser = new Parser(text);
  try {
    const program = new Program();
    program.add(parser.whole());
    return { ok: true, pattern: program };
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    return { ok: false, what: error.message, at: Math.min(error.at ?? parser.at, text.length) };
  }
}

/** Never leaves this file. */
class PatternError extends Error {
  readonly at: number | undefined;

  constructor(message: string, at?: number) {
    super(message);
    this.at = at;
  }
}

class Parser {
  readonly #text: string;
  #depth = 0;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Node {
    const node = this.#choice();
    if (this.at < this.#text.length) throw new PatternError(`"${this.#text[this.at]}" opens nothing here`);
    return node;
  }

  #choice(): Node {
    if (++this.#depth > MAX_DEPTH) throw new PatternError(`more than ${MAX_DEPTH} parentheses deep`);
    const nodes = [this.#sequence()];
    while (this.#take('|')) nodes.push(this.#sequence());
    this.#depth--;
    return nodes.length === 1 ? (nodes[0] as Node) : { type: 'choice', nodes };
  }

  #sequence(): Node {
    const nodes: Node[] = [];
    for (let atom = this.#atom(); atom !== undefined; atom = this.#atom()) nodes.push(this.#repeated(atom));
    return { type: 'sequence', nodes };
  }

  #atom(): Node | undefined {
    this.#space();
    const next = this.#text[this.at];
    if (next === undefined || next === '|' || next === ')') return undefined;
    if (this.#take('.')) return ANY;
    if (this.#take('(')) {
      const node = this.#choice();
      if (!this.#take(')')) throw new PatternError('a parenthesis is not closed');
      return node;
    }
    if (this.#take('[')) return this.#list();
    return { type: 'as', ranges: [this.#span()], negated: false };
  }

  #list(): Node {
    const negated = this.#take('^');
    const ranges: Span[] = [];
    while (!this.#take(']')) {
      ranges.push(this.#span());
      this.#take(',');
    }
    if (ranges.length === 0) throw new PatternError('the brackets are empty');
    return { type: 'as', ranges, negated };
  }

  #span(): Span {
    const start = this.at;
    const from = this.#asn();
    const to = this.#take('-') ? this.#asn() : from;
    if (to < from) throw new PatternError(`the range ends below its beginning`, start);
    return { from, to };
  }

  #asn(): number {
    this.#space();
    const start = this.at;
    const value = this.#number();
    if (value === undefined) {
      const found = this.#text[this.at];
      throw new PatternError(
        found === undefined ? 'an AS number is missing at the end' : `an AS number is wanted, not "${found}"`,
      );
    }
    if (value > MAX_ASN) throw new PatternError(`no AS number is above ${MAX_ASN}`, start);
    return value;
  }

  #repeated(node: Node): Node {
    let result = node;
    for (;;) {
      if (this.#take('*')) result = { type: 'repeat', node: result, min: 0, max: undefined };
      else if (this.#take('+')) result = { type: 'repeat', node: result, min: 1, max: undefined };
      else if (this.#take('?')) result = { type: 'repeat', node: result, min: 0, max: 1 };
      else if (this.#take('{')) result = this.#counted(result);
      else return result;
    }
  }

  #counted(node: Node): Node {
    const start = this.at;
    const min = this.#count();
    const max = this.#take(',') ? (this.#peek('}') ? undefined : this.#count()) : min;
    if (!this.#take('}')) throw new PatternError('a brace is not closed');
    if (max !== undefined && max < min)
      throw new PatternError('the upper count is below the lower one', start);
    return { type: 'repeat', node, min, max };
  }

  #count(): number {
    this.#space();
    const value = this.#number();
    if (value === undefined) throw new PatternError('a count is wanted between the braces');
    if (value > MAX_REPEAT) throw new PatternError(`a count is at most ${MAX_REPEAT}`);
    return value;
  }

  /** Decimal digits, up to where they are more than any AS number has. */
  #number(): number | undefined {
    const start = this.at;
    while (isDigit(this.#text[this.at]) && this.at - start < 11) this.at++;
    return this.at === start ? undefined : Number(this.#text.slice(start, this.at));
  }

  #peek(character: string): boolean {
    this.#space();
    return this.#text[this.at] === character;
  }

  #take(character: string): boolean {
    const found = this.#peek(character);
    if (found) this.at++;
    return found;
  }

  #space(): void {
    while (this.#text[this.at] === ' ') this.at++;
  }
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9';
}

interface State {
  /** Undefined: costs no place, goes on to all of `next`. */
  as: { readonly ranges: readonly Span[]; readonly negated: boolean } | undefined;
  readonly next: number[];
}

class Program implements AsPathPattern {
  readonly #states: State[] = [];
  #accept = 0;

  add(node: Node): void {
    const start = this.#state();
    this.#accept = this.#build(node, start);
  }

  matches(path: readonly AsSegment[]): boolean {
    let current = this.#closure([0]);
    for (const place of places(path)) {
      const reached: number[] = [];
      for (const id of current) {
        const state = this.#states[id] as State;
        if (state.as !== undefined && fits(state.as, place)) reached.push(...state.next);
      }
      if (reached.length === 0) return false;
      current = this.#closure(reached);
    }
    return current.includes(this.#accept);
  }

  /** What can be reached from these states without another AS. */
  #closure(from: readonly number[]): number[] {
    const marked = new Uint8Array(this.#states.length);
    const found: number[] = [];
    const waiting = [...from];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (marked[id] === 1) continue;
      marked[id] = 1;
      found.push(id);
      const state = this.#states[id] as State;
      if (state.as === undefined) waiting.push(...state.next);
    }
    return found;
  }

  /** Lays the node behind `from`; returns the state that it ends in. */
  #build(node: Node, from: number): number {
    switch (node.type) {
      case 'as': {
        const step = this.#state(node);
        const end = this.#state();
        this.#link(from, step);
        this.#link(step, end);
        return end;
      }
      case 'sequence':
        return node.nodes.reduce((at, each) => this.#build(each, at), from);
      case 'choice': {
        const end = this.#state();
        for (const each of node.nodes) {
          const start = this.#state();
          this.#link(from, start);
          this.#link(this.#build(each, start), end);
        }
        return end;
      }
      case 'repeat':
        return this.#buildRepeat(node, from);
    }
  }

  #buildRepeat({ node, min, max }: Extract<Node, { type: 'repeat' }>, from: number): number {
    let at = from;
    for (let i = 0; i < min; i++) at = this.#build(node, at);
    const end = this.#state();
    if (max === undefined) {
      const loop = this.#state();
      this.#link(at, loop);
      this.#link(this.#build(node, loop), loop);
      this.#link(loop, end);
      return end;
    }
    this.#link(at, end);
    for (let i = min; i < max; i++) {
      at = this.#build(node, at);
      this.#link(at, end);
    }
    return end;
  }

  #state(as?: State['as']): number {
    if (this.#states.length === MAX_STATES) throw new PatternError('the pattern is too large', 0);
    return this.#states.push({ as, next: [] }) - 1;
  }

  #link(from: number, to: number): void {
    this.#states[from]?.next.push(to);
  }
}

function fits({ ranges, negated }: NonNullable<State['as']>, place: Place): boolean {
  const within = (asn: number): boolean => ranges.some(({ from, to }) => asn >= from && asn <= to);
  return (typeof place === 'number' ? within(place) : place.some(within)) !== negated;
}

function* places(path: readonly AsSegment[]): Generator<Place> {
  for (const { type, asns } of path) {
    if (type === 'sequence') yield* asns;
    else if (type === 'set') yield asns;
  }
}
