/**
 * All prefixes of a family in order, for people who read, without holding up those who route: ids are sorted in runs
 * of some thousands, and the runs are merged as they are read. A million prefixes cost 4 octets each for the time of the
 * walk. What comes or goes meanwhile is told as it is when its turn comes, or not at all.
 */
import { Prefix } from '../../net/addr/index.ts';
import type { PrefixIndex } from '../rib/prefix-index.ts';

/** Ids sorted in one go: about a millisecond. */
const RUN = 2000;

export type Wanted = (id: number, prefix: Prefix) => boolean;

/**
 * @param wanted  which to tell; asked once for each, before sorting
 * @yields ids in prefix order; `undefined` where only time has passed
 */
export function* walk(index: PrefixIndex, wanted: Wanted): Generator<number | undefined, void> {
  const runs: Uint32Array[] = [];
  for (let start = 0; start < index.limit; start += RUN) {
    const run = collect(index, start, wanted).sort((a, b) => compare(index, a, b));
    if (run.length > 0) runs.push(run);
    yield undefined;
  }
  yield* merge(index, runs);
}

function collect(index: PrefixIndex, start: number, wanted: Wanted): Uint32Array {
  const ids: number[] = [];
  for (let id = start; id < Math.min(start + RUN, index.limit); id++) {
    const prefix = index.prefix(id);
    if (prefix !== undefined && wanted(id, prefix)) ids.push(id);
  }
  return Uint32Array.from(ids);
}

/** Runs by a heap of their heads; `positions` tells how far each was read. */
function* merge(index: PrefixIndex, runs: readonly Uint32Array[]): Generator<number, void> {
  const positions = new Uint32Array(runs.length);
  const head = (run: number): number => runs[run]?.[positions[run] ?? 0] ?? 0;
  const before = (a: number, b: number): boolean => compare(index, head(a), head(b)) < 0;
  const heap: number[] = [];
  for (let run = 0; run < runs.length; run++) {
    heap.push(run);
    rise(heap, heap.length - 1, before);
  }
  while (heap.length > 0) {
    const [run = 0] = heap;
    yield head(run);
    const position = (positions[run] ?? 0) + 1;
    positions[run] = position;
    if (position === runs[run]?.length) {
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return;
      heap[0] = last;
    }
    sink(heap, before);
  }
}

type Before = (a: number, b: number) => boolean;

function rise(heap: number[], from: number, before: Before): void {
  let at = from;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(heap[at] ?? 0, heap[parent] ?? 0)) return;
    swap(heap, at, parent);
    at = parent;
  }
}

function sink(heap: number[], before: Before): void {
  let at = 0;
  for (;;) {
    let least = at;
    for (const child of [2 * at + 1, 2 * at + 2])
      if (child < heap.length && before(heap[child] ?? 0, heap[least] ?? 0)) least = child;
    if (least === at) return;
    swap(heap, at, least);
    at = least;
  }
}

function swap(heap: number[], a: number, b: number): void {
  [heap[a], heap[b]] = [heap[b] ?? 0, heap[a] ?? 0];
}

/** By address, then the less specific first. */
function compare(index: PrefixIndex, a: number, b: number): number {
  for (const n of WORDS) {
    const difference = (index.word(a, n) >>> 0) - (index.word(b, n) >>> 0);
    if (difference !== 0) return difference;
  }
  return index.length(a) - index.length(b);
}

const WORDS = [0, 1, 2, 3] as const;

/** The most specific prefix in use that holds the argument, the argument itself included. */
export function longestMatch(index: PrefixIndex, of: Prefix, wanted: Wanted): Prefix | undefined {
  for (let length = of.length; length >= 0; length--) {
    const prefix = Prefix.of(of.address, length);
    const id = index.find(prefix);
    if (id !== undefined && wanted(id, prefix)) return prefix;
  }
  return undefined;
}
