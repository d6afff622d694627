/** The figures of the bench as tables, and what it holds them against. Pure. */
import type { ColdStart } from './cold-start.ts';
import type { Load, Rate } from './measure.ts';

/** All peers under one load, in the same minute. */
export interface Comparison extends Load {
  readonly rates: readonly Rate[];
}

export interface Section {
  /** Where etcd keeps its data. */
  readonly disk: string;
  readonly comparisons: readonly Comparison[];
  readonly coldStart: ColdStart | undefined;
}

export interface Verdict {
  readonly target: string;
  readonly found: string;
  readonly isMet: boolean;
}

const SUBJECT = 'Poplin';
const MEASURE = 'one CAS an address';
const GROUPED_RATIO = 10;
const COLD_START_SLACK = 1.2;

export function ratioOf({ rates }: Comparison): number {
  const rate = (name: string): number => rates.find(({ peer }) => peer === name)?.perSecond ?? Number.NaN;
  return rate(SUBJECT) / rate(MEASURE);
}

export function verdictsOf({ disk, comparisons, coldStart }: Section): Verdict[] {
  const verdicts = comparisons.map((comparison): Verdict => {
    const { nodes, callers } = comparison;
    const wanted = callers >= 10 ? GROUPED_RATIO : 1;
    const ratio = ratioOf(comparison);
    return {
      target: `${disk}: ${count(nodes, 'node')} with ${count(callers, 'caller')}: at least ${wanted} times ${MEASURE}`,
      found: `${ratio.toFixed(1)} times`,
      isMet: ratio >= wanted,
    };
  });
  if (coldStart === undefined) return verdicts;
  const { nodes, pods, written, refused, fewest } = coldStart;
  return [
    ...verdicts,
    {
      target: `${disk}: cold start of ${nodes} nodes with ${pods} pods: at most ${Math.floor(fewest * COLD_START_SLACK)} transactions (${fewest} are the fewest)`,
      found: `${written} and ${refused} in vain`,
      isMet: written + refused <= fewest * COLD_START_SLACK,
    },
  ];
}

export function tableOf({ disk, comparisons, coldStart }: Section): string {
  const head = [
    'nodes',
    'callers',
    '',
    '1/s',
    'p50 ms',
    'p99 ms',
    'a commit',
    'refused',
    'client',
    'etcd',
    'sync',
  ];
  const rows = comparisons.flatMap(({ nodes, callers, rates }) =>
    rates.map((rate, i) => [
      i === 0 ? String(nodes) : '',
      i === 0 ? String(callers) : '',
      rate.peer,
      rate.perSecond.toFixed(0),
      rate.p50Ms.toFixed(2),
      rate.p99Ms.toFixed(2),
      rate.perCommit.toFixed(1),
      String(rate.refused),
      rate.clientMicros.toFixed(0),
      rate.etcdMicros.toFixed(0),
      `${(rate.syncing * 100).toFixed(0)}%`,
    ]),
  );
  const lines = [`etcd's data on ${disk}`, ...aligned([head, ...rows])];
  if (coldStart !== undefined) {
    const { nodes, pods, seconds, written, refused, reads } = coldStart;
    lines.push(
      `cold start, ${nodes} nodes with ${pods} pods each, both IP versions: ${seconds.toFixed(2)} s, ${written} transactions, ${refused} in vain, ${reads} reads`,
    );
  }
  return lines.join('\n');
}

export function linesOf(verdicts: readonly Verdict[]): string {
  return verdicts
    .map(({ target, found, isMet }) => `${isMet ? 'met   ' : 'MISSED'}  ${target}: ${found}`)
    .join('\n');
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row.map((cell, i) => (i === 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
  );
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
