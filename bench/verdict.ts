/** What a table comes to, in a line for each thing that is asked of Poplin: ahead or behind, of whom, by how much. */
import type { Line } from './line.ts';
import type { Scenario } from './scenarios.ts';

/** No turn of the event loop may be longer, so that keepalives go out in time and a command is answered at once. */
const LONGEST_STALL_MS = 50;
/** Of a full table (scenario a), as a multiple of what BIRD needs. */
const MEMORY_RATIO = 1.5;
const MEMORY_SCENARIO = 'a';
const MEMORY_MODEL = 'BIRD';

type Figure = 'seconds' | 'p50Ms' | 'p99Ms';

/** @param subject  whose verdict it is; empty where it was not among the targets */
export function verdictOf(scenario: Scenario, lines: readonly Line[], subject: string): string[] {
  const own = lines.find(({ target }) => target === subject);
  if (own === undefined) return [];
  const others = lines.filter(({ target }) => target !== subject && target !== 'pipe');
  const figures: readonly (readonly [Figure, string])[] =
    scenario.figure === 'latency'
      ? [
          ['p50Ms', 'p50'],
          ['p99Ms', 'p99'],
        ]
      : [['seconds', 'time']];
  return [
    ...figures.map(([key, name]) => `${name}: ${standing(own, others, key)}`),
    ...memory(scenario, own, others),
    ...stall(own),
  ];
}

function standing(own: Line, others: readonly Line[], key: Figure): string {
  const mine = own[key];
  if (mine === undefined) return `no figure: ${own.failure ?? 'no run'}`;
  const ended = others.flatMap(({ target, [key]: value }) =>
    value === undefined ? [] : [{ target, value }],
  );
  const best = ended.toSorted((a, b) => a.value - b.value)[0];
  if (best !== undefined) {
    const word = mine < best.value ? 'ahead' : 'behind';
    return `${word}, ${(mine / best.value).toFixed(2)} x ${best.target} (best of ${names(others)})`;
  }
  // Whoever did not end in time is slower than the time it had.
  const bounds = others.flatMap(({ target, gaveUpAfterSeconds: bound }) =>
    bound === undefined ? [] : [{ target, bound }],
  );
  if (bounds.length === 0) return 'nobody to compare with';
  const least = Math.min(...bounds.map(({ bound }) => bound));
  if (key !== 'seconds' || mine >= least) return `no other came to an end within ${least} s`;
  return `ahead, less than ${(mine / least).toFixed(2)} x ${names(bounds)}, who gave up`;
}

function memory({ name }: Scenario, own: Line, others: readonly Line[]): string[] {
  const model = others.find(({ target }) => target === MEMORY_MODEL)?.peakMiB;
  if (name !== MEMORY_SCENARIO || own.peakMiB === undefined || model === undefined) return [];
  const ratio = own.peakMiB / model;
  const word = ratio <= MEMORY_RATIO ? 'within' : 'over';
  return [`memory: ${word} ${MEMORY_RATIO} times ${MEMORY_MODEL}'s: ${ratio.toFixed(2)}`];
}

function stall({ stallMs }: Line): string[] {
  if (stallMs === undefined) return [];
  const word = stallMs <= LONGEST_STALL_MS ? 'within' : 'over';
  return [`stall: ${word} ${LONGEST_STALL_MS} ms: ${stallMs.toFixed(0)}`];
}

function names(lines: readonly { readonly target: string }[]): string {
  return lines.map(({ target }) => target).join(', ');
}
