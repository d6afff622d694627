/** Figures of several runs into one line for each target, and lines into a table. */
import type { Measured, Outcome } from './run.ts';
import type { Scenario } from './scenarios.ts';
import { verdictOf } from './verdict.ts';

/** All runs of one target in one scenario. */
export interface Series {
  readonly target: string;
  readonly outcomes: readonly Outcome[];
}

export interface Line {
  readonly target: string;
  readonly runs: number;
  /** Medians. Undefined: no run came to its end; `failure` says why. */
  readonly seconds?: number;
  readonly fastest?: number;
  readonly slowest?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly cpuSeconds?: number;
  readonly peakMiB?: number;
  readonly stallMs?: number;
  readonly trafficCpuSeconds?: number;
  readonly entriesIn?: number;
  readonly failure?: string;
  /** No run came to its end, and the longest was still at it after so long. */
  readonly gaveUpAfterSeconds?: number;
}

export function lineOf({ target, outcomes }: Series): Line {
  const good = outcomes.flatMap((outcome) => (outcome.ok ? [outcome.measured] : []));
  const failure = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.reason]))[0];
  const base = { target, runs: good.length, ...(failure === undefined ? {} : { failure }) };
  if (good.length > 0) return { ...base, ...mediansOf(good) };
  const bounds = outcomes.flatMap((outcome) => (outcome.ok ? [] : (outcome.gaveUpAfterSeconds ?? [])));
  return bounds.length === 0 ? base : { ...base, gaveUpAfterSeconds: Math.max(...bounds) };
}

function mediansOf(good: readonly Measured[]): Partial<Line> {
  const latencies = good.flatMap(({ latenciesMs }) => latenciesMs ?? []);
  const stalls = good.flatMap(({ stallMs }) => stallMs ?? []);
  const seconds = good.map((measured) => measured.seconds);
  return {
    seconds: median(seconds),
    fastest: Math.min(...seconds),
    slowest: Math.max(...seconds),
    ...(latencies.length === 0 ? {} : { p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) }),
    cpuSeconds: median(good.map((measured) => measured.cpuSeconds)),
    peakMiB: median(good.map(({ peakBytes }) => peakBytes)) / 2 ** 20,
    // Of all runs: one stall is one too many.
    ...(stalls.length === 0 ? {} : { stallMs: Math.max(...stalls) }),
    trafficCpuSeconds: median(good.map(({ traffic }) => traffic.cpuSeconds)),
    entriesIn: median(good.map(({ traffic }) => traffic.entriesIn)),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(half) - 1] ?? Number.NaN, sorted[Math.floor(half)] ?? Number.NaN];
  return (low + high) / 2;
}

/** Nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

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
