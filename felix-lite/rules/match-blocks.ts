/**
 * One policy rule can ask more than one kernel rule can: several CIDRs on a side, more than 15 ports, ports
 * by number or by name. Such a question becomes a block of kernel rules that leave their answer in a bit of
 * the mark, and the rule proper then asks for that bit.
 *
 * Invariant: after each block, `scratch0` says whether the packet has passed every block so far. The first
 * positive block writes it directly; later ones collect in `scratch1` and clear `scratch0` when that stayed
 * clear; negative blocks clear `scratch0` on any hit. Positive blocks come before negative ones.
 */
import type { Marks } from './marks.ts';
import { type Match, type Rule, rule } from './types.ts';

export class MatchBlocks {
  readonly #marks: Marks;
  readonly #rules: Rule[] = [];
  #positives = 0;

  constructor(marks: Marks) {
    this.#marks = marks;
  }

  /** The packet must match one of these. */
  anyOf(alternatives: readonly (readonly Match[])[]): void {
    const { scratch0, scratch1 } = this.#marks;
    this.#begin(0);
    const bit = this.#positives === 0 ? scratch0 : scratch1;
    // From the third block on, the bit still holds the answer of the block before.
    if (this.#positives > 1) this.#rules.push(rule([], { kind: 'clear-mark', mask: scratch1 }));
    for (const matches of alternatives) {
      this.#rules.push(rule(matches, { kind: 'set-mark', value: bit, mask: bit }));
    }
    if (this.#positives > 0) {
      this.#rules.push(
        rule([{ kind: 'mark-clear', mask: scratch1 }], { kind: 'clear-mark', mask: scratch0 }),
      );
    }
    this.#positives++;
  }

  /** The packet must match none of these. */
  noneOf(alternatives: readonly (readonly Match[])[]): void {
    this.#begin(this.#marks.scratch0);
    for (const matches of alternatives) {
      this.#rules.push(rule(matches, { kind: 'clear-mark', mask: this.#marks.scratch0 }));
    }
  }

  /** The blocks, and the match that asks for their answer. */
  finish(): { readonly rules: readonly Rule[]; readonly matches: readonly Match[] } {
    const { scratch0 } = this.#marks;
    if (this.#rules.length === 0) return { rules: [], matches: [] };
    return { rules: this.#rules, matches: [{ kind: 'mark', value: scratch0, mask: scratch0 }] };
  }

  #begin(initial: number): void {
    if (this.#rules.length > 0) return;
    const { scratch0, scratch1 } = this.#marks;
    this.#rules.push(rule([], { kind: 'set-mark', value: initial, mask: scratch0 + scratch1 }));
  }
}
