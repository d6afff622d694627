/** The figures of the bench as a table, and what it holds them against. Pure. */

export interface Size {
  /** Calls one after another, in all. */
  readonly rounds: number;
  /** Calls at once. */
  readonly atOnce: number;
  /** Pods of a node that restarts. */
  readonly restart: number;
}

/** Milliseconds. */
export interface Figures {
  readonly peer: string;
  readonly add: readonly number[];
  readonly del: readonly number[];
  /** From the first start to the last end, a figure for each turn. */
  readonly addAtOnceMs: readonly number[];
  readonly delAtOnceMs: readonly number[];
  readonly restartMs: readonly number[];
}

export interface Verdict {
  readonly target: string;
  readonly found: string;
  readonly isMet: boolean;
}

/** @param portion 0.5 is the median. NaN of nothing */
export function quantile(values: readonly number[], portion: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * portion))] ?? Number.NaN;
}

const median = (values: readonly number[]): number => quantile(values, 0.5);

export function tableOf(figures: readonly Figures[], { atOnce, restart }: Size): string {
  const head = [
    'ms',
    'ADD p50',
    'p99',
    'DEL p50',
    'p99',
    `${atOnce} ADDs`,
    `${atOnce} DELs`,
    `${restart} ADDs`,
  ];
  const rows = figures.map((each) => [
    each.peer,
    ...[
      quantile(each.add, 0.5),
      quantile(each.add, 0.99),
      quantile(each.del, 0.5),
      quantile(each.del, 0.99),
    ].map((ms) => ms.toFixed(1)),
    ...[each.addAtOnceMs, each.delAtOnceMs, each.restartMs].map((list) => median(list).toFixed(0)),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .join('\n');
}

const RESTART_LIMIT_MS = 10_000;
/** What a measurement of the same thing twice differs by on an idle machine. */
const NOISE = 1.15;

/** @param subject  whose figures are judged; `floor`: what no plugin can be below */
export function verdictsOf(
  figures: readonly Figures[],
  { atOnce, restart }: Size,
  subject: string,
  floor: string,
): Verdict[] {
  const own = figures.find(({ peer }) => peer === subject);
  const bare = figures.find(({ peer }) => peer === floor);
  const others = figures.filter(({ peer }) => peer !== subject && peer !== floor);
  if (own === undefined || bare === undefined) return [];
  const best = (of: (one: Figures) => number): Figures | undefined =>
    others.toSorted((a, b) => of(a) - of(b))[0];
  const against = (target: string, of: (one: Figures) => number, ratio: number): Verdict[] => {
    const other = best(of);
    if (other === undefined) return [];
    const found = of(own) / of(other);
    return [{ target: `${target} ${other.peer}`, found: `${found.toFixed(2)} times`, isMet: found <= ratio }];
  };
  const overFloor = median(own.del) / median(bare.del);
  const ofRestart = median(own.restartMs);
  return [
    ...against('ADD, median: below', (one) => median(one.add), 1),
    ...against('ADD, p99: below', (one) => quantile(one.add, 0.99), 1),
    ...against(`${atOnce} ADDs at once: at most half of`, (one) => median(one.addAtOnceMs), 0.5),
    ...against(`${atOnce} DELs at once: below`, (one) => median(one.delAtOnceMs), 1),
    {
      target: `DEL, median: the ${floor}, within ${Math.round((NOISE - 1) * 100)} %`,
      found: `${overFloor.toFixed(2)} times`,
      isMet: overFloor <= NOISE,
    },
    {
      target: `a node restarts with ${restart} pods: under ${RESTART_LIMIT_MS / 1000} s`,
      found: `${(ofRestart / 1000).toFixed(2)} s`,
      isMet: ofRestart < RESTART_LIMIT_MS,
    },
  ];
}
