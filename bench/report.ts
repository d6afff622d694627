/** Lines into a table. */
import type { Line } from './line.ts';
import type { Scenario } from './scenarios.ts';
import { verdictOf } from './verdict.ts';

export { type Line, lineOf, median, quantile, type Series } from './line.ts';

/** The scenario's table. Ratios are to the best of the others: under 1 is better than all of them. */
export function tableOf(scenario: Scenario, lines: readonly Line[], subject: string, scale: number): string {
  const others = lines.filter(({ target }) => target !== subject && target !== 'pipe');
  const latency = scenario.figure === 'latency';
  const columns: readonly Column[] = [
    ...(latency
      ? [column('p50 ms', 'p50Ms', 2, true), column('p99 ms', 'p99Ms', 2, true)]
      : [column('seconds', 'seconds', 2, true)]),
    column('CPU s', 'cpuSeconds', 2, true),
    column('peak MiB', 'peakMiB', 0, true),
    column('stall ms', 'stallMs', 0, false),
    column('bench CPU s', 'trafficCpuSeconds', 2, false),
  ];
  const head = ['', ...columns.flatMap(({ title, ratio }) => (ratio ? [title, 'x best'] : [title])), ''];
  const rows = lines.map((line) => [
    line.target,
    ...columns.flatMap((one) => cells(one, line, others)),
    noteOf(line),
  ]);
  const scaled = scale === 1 ? '' : `, scaled by ${scale}`;
  const verdict = verdictOf(scenario, lines, subject).map((line) => `  ${line}`);
  return [`(${scenario.name}) ${scenario.title}${scaled}`, align([head, ...rows]), ...verdict].join('\n');
}

interface Column {
  readonly title: string;
  readonly value: (line: Line) => number | undefined;
  readonly digits: number;
  readonly ratio: boolean;
  /** Below this the figure of the best is as coarse as the clock, and a ratio to it says nothing. */
  readonly least: number;
}

type Figure = 'seconds' | 'p50Ms' | 'p99Ms' | 'cpuSeconds' | 'peakMiB' | 'stallMs' | 'trafficCpuSeconds';

function column(title: string, key: Figure, digits: number, ratio: boolean): Column {
  return { title, value: (line) => line[key], digits, ratio, least: key === 'cpuSeconds' ? 0.05 : 0 };
}

function cells(
  { title, value, digits, ratio, least }: Column,
  line: Line,
  others: readonly Line[],
): string[] {
  const own = value(line);
  const bound = title === 'seconds' ? line.gaveUpAfterSeconds : undefined;
  const text = own === undefined ? (bound === undefined ? '-' : `> ${bound}`) : own.toFixed(digits);
  if (!ratio) return [text];
  const best = Math.min(...others.flatMap((other) => value(other) ?? []));
  return [
    text,
    own === undefined || !(best >= least) || !Number.isFinite(best) ? '-' : (own / best).toFixed(2),
  ];
}

function noteOf({ runs, failure }: Line): string {
  if (failure === undefined) return '';
  return `${runs === 0 ? 'no figures' : `${runs} good runs`}: ${failure}`;
}

function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const cell = (text: string, i: number, last: number): string => {
    if (i === 0) return text.padEnd(widths[i] ?? 0);
    return i === last ? text : text.padStart(widths[i] ?? 0);
  };
  return rows
    .map((row) => `  ${row.map((text, i) => cell(text, i, row.length - 1)).join('  ')}`.trimEnd())
    .join('\n');
}
