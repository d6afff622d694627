/** A selector ready for use: it matches labels, prints itself canonically, and has Calico's stable id. */
import { createHash } from 'node:crypto';
import { ok, type Result } from '../problem.ts';
import { canonicalText, evaluate, type Labels, type SelectorNode } from './ast.ts';
import { parseTree } from './parse.ts';

export class Selector {
  readonly root: SelectorNode;
  private text: string | undefined;
  private hash: string | undefined;

  constructor(root: SelectorNode) {
    this.root = root;
  }

  matches(labels: Labels): boolean {
    return evaluate(this.root, labels);
  }

  /** Calico's normal form; equal selectors after parsing have equal text. */
  get canonical(): string {
    this.text ??= canonicalText(this.root);
    return this.text;
  }

  /** `s:` and the SHA-224 of the canonical text: the tail of the ipset's name. */
  get id(): string {
    this.hash ??= uniqueId('s', this.canonical);
    return this.hash;
  }

  toString(): string {
    return this.canonical;
  }
}

/** Parses the whole text; the empty text selects everything. */
export function parseSelector(text: string): Result<Selector> {
  const tree = parseTree(text);
  return tree.ok ? ok(new Selector(tree.value)) : tree;
}

/**
 * Calico's id of a piece of content: `<prefix>:` + base64url(SHA-224(`<prefix>:` + content)).
 * Also used, with other prefixes, for named ports (`n`) and services (`svc`, `svcnoport`).
 */
export function uniqueId(prefix: string, content: string): string {
  return `${prefix}:${createHash('sha224').update(`${prefix}:${content}`).digest('base64url')}`;
}
