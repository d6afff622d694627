/**
 * Tokens to tree, by recursive descent. Loosest first:
 *
 *     or      = and { "||" and }
 *     and     = unary { "&&" unary }
 *     unary   = { "!" } primary                 an even number of "!" vanishes, an odd one leaves one
 *     primary = "(" or ")" | "all()" | "global()" | "has(" label ")" | label operator operand
 *
 * Parentheses leave no node of their own, and `a && (b && c)` keeps its shape: the canonical text, and so
 * the name of the ipset, depends on it.
 */
import { fail, ok, type Result } from '../problem.ts';
import { compareText, type SelectorNode } from './ast.ts';
import { SelectorSyntaxError, type Token, type TokenKind, tokenize } from './tokens.ts';

/** Deeper nesting than any person writes; it bounds the stack for text that a stranger sent. */
const MAX_DEPTH = 250;

/** The tree of a selector; the empty text is `all()`. The problem says at which character it broke off. */
export function parseTree(text: string): Result<SelectorNode> {
  try {
    return ok(new Parser(tokenize(text)).whole());
  } catch (error) {
    if (!(error instanceof SelectorSyntaxError)) throw error;
    const { at, what, remedy } = error.fault;
    return fail({
      code: 'SELECTOR_INVALID',
      what: `the selector ${JSON.stringify(text)} does not parse at character ${at + 1}: ${what}`,
      remedy,
      value: text,
    });
  }
}

class Parser {
  private readonly tokens: readonly Token[];
  private position = 0;
  private depth = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  whole(): SelectorNode {
    if (this.atEnd) return { op: 'all' };
    const node = this.or();
    if (!this.atEnd) {
      throw this.fault(`unexpected ${told(this.current)}`, 'join expressions with && or ||');
    }
    return node;
  }

  private or(): SelectorNode {
    return this.joined('||', 'or', () => this.and());
  }

  private and(): SelectorNode {
    return this.joined('&&', 'and', () => this.unary());
  }

  private joined(mark: TokenKind, op: 'and' | 'or', operand: () => SelectorNode): SelectorNode {
    const first = operand();
    if (this.current.kind !== mark) return first;
    const operands = [first];
    while (this.accept(mark)) operands.push(operand());
    return { op, operands };
  }

  private unary(): SelectorNode {
    let negated = false;
    while (this.accept('!')) negated = !negated;
    const operand = this.primary();
    return negated ? { op: 'not', operand } : operand;
  }

  private primary(): SelectorNode {
    const token = this.current;
    switch (token.kind) {
      case 'all':
      case 'global':
        this.position++;
        return { op: token.kind };
      case 'has':
        this.position++;
        return { op: 'has', label: token.value };
      case '(':
        this.position++;
        return this.group();
      case 'label':
        this.position++;
        return this.comparison(token.value);
      default:
        throw this.fault(
          `expected an expression, found ${told(token)}`,
          "write one such as has(role) or role == 'web'",
        );
    }
  }

  private group(): SelectorNode {
    if (++this.depth > MAX_DEPTH)
      throw this.fault('parentheses are nested too deep', `use at most ${MAX_DEPTH} levels`);
    const node = this.or();
    this.depth--;
    if (!this.accept(')'))
      throw this.fault(`expected ")", found ${told(this.current)}`, 'close the parenthesis');
    return node;
  }

  private comparison(label: string): SelectorNode {
    const op = this.current.kind;
    switch (op) {
      case '==':
      case '!=':
      case 'contains':
      case 'starts with':
      case 'ends with':
        this.position++;
        return { op, label, value: this.string() };
      case 'in':
      case 'not in':
        this.position++;
        return { op, label, values: this.set() };
      default:
        throw this.fault(
          `expected an operator after "${label}", found ${told(this.current)}`,
          `write ${label} == 'value', or has(${label})`,
        );
    }
  }

  private string(): string {
    const token = this.current;
    if (token.kind !== 'string') {
      throw this.fault(
        `expected a quoted string, found ${told(token)}`,
        `put the value in quotes${hint(token)}`,
      );
    }
    this.position++;
    return token.value;
  }

  /** A comma may trail, and a set may be empty, as in Calico. */
  private set(): string[] {
    if (!this.accept('{'))
      throw this.fault(`expected "{", found ${told(this.current)}`, "write a set as { 'a', 'b' }");
    const values = new Set<string>();
    while (this.current.kind === 'string') {
      values.add(this.string());
      if (!this.accept(',')) break;
    }
    if (!this.accept('}'))
      throw this.fault(`expected "}", found ${told(this.current)}`, "write a set as { 'a', 'b' }");
    return [...values].toSorted(compareText);
  }

  private accept(kind: TokenKind): boolean {
    if (this.current.kind !== kind) return false;
    this.position++;
    return true;
  }

  /** The last token is always `end`, and nothing accepts it, so there is always a current one. */
  private get current(): Token {
    return this.tokens[this.position] ?? { kind: 'end', value: '', at: 0 };
  }

  private get atEnd(): boolean {
    return this.current.kind === 'end';
  }

  private fault(what: string, remedy: string): SelectorSyntaxError {
    return new SelectorSyntaxError(this.current.at, what, remedy);
  }
}

function told(token: Token): string {
  switch (token.kind) {
    case 'end':
      return 'the end';
    case 'label':
      return `the label "${token.value}"`;
    case 'string':
      return `the string "${token.value}"`;
    case 'has':
    case 'all':
    case 'global':
      return `${token.kind}(${token.value})`;
    default:
      return `"${token.kind}"`;
  }
}

function hint(token: Token): string {
  return token.kind === 'label' ? `: '${token.value}'` : '';
}
