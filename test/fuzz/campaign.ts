/** Case after case from a seed, until time is up or something goes wrong; what does is cut down to its core. */
import type { Kind } from './arena.ts';
import { validSession } from './generate.ts';
import { minimal } from './minimize.ts';
import { chunked, damaged } from './mutate.ts';
import { Random } from './random.ts';
import { Trial, type Case } from './trial.ts';

export interface Failure {
  readonly seed: number;
  readonly number: number;
  readonly wrong: readonly string[];
  readonly core: Case;
}

export interface Outcome {
  readonly cases: number;
  readonly failure: Failure | undefined;
}

const KINDS: readonly Kind[] = ['external', 'internal', 'old'];

/** The case of that number: the same whatever ran before it. */
export function caseOf(seed: number, number: number): Case {
  const random = new Random((seed ^ Math.imul(number + 1, 0x9e37_79b1)) >>> 0);
  const kind = random.pick(KINDS);
  return { kind, writes: chunked(damaged(validSession(kind, random), random), random) };
}

/** @param more asked before each case */
export function campaign(seed: number, more: (cases: number) => boolean, from = 0): Outcome {
  const trial = new Trial();
  let number = from;
  for (; more(number - from); number++) {
    const one = caseOf(seed, number);
    if (trial.run(one).length === 0) continue;
    // Once more on a speaker that has seen nothing else: what depends on the past is told as it was met.
    const alone = new Trial().run(one);
    const core = alone.length === 0 ? one : minimal(one);
    const wrong = alone.length === 0 ? new Trial().run(one) : new Trial().run(core);
    return { cases: number - from + 1, failure: { seed, number, wrong, core } };
  }
  return { cases: number - from, failure: undefined };
}
