/** Figures of all runs of one target in one scenario, as one line of a table. */
import type { Measured, Outcome } from './run.ts';

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
