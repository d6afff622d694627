/**
 * The decision process, RFC 4271 §9.1.2.2: from all usable paths to a prefix to the best one.
 *
 * Written as the RFC tells it, by elimination: each step looks at everyone who is left and strikes out those that are
 * worse than the best of them. That makes the outcome a function of the set alone. It is not a sort: MED compares
 * only among paths of one neighbour AS, which is no ordering, and a pairwise comparison in order of arrival (BIRD's
 * default) ends differently for different arrivals.
 *
 * Departures from the text, all usual: our own routes come first whatever LOCAL_PREF says (as FRR's weight and BIRD's
 * preference do), the shorter CLUSTER_LIST stands before the peer address (RFC 4456 §9), ORIGINATOR_ID stands for the
 * router id (RFC 4456 §9), and the path id comes last so that the order is total. The age of a path never counts
 * (RFC 5004 would make the outcome depend on history).
 */
import type { Path } from './path.ts';

export interface DecisionOptions {
  /** Compare MED between different neighbour ASes too. */
  readonly alwaysCompareMed: boolean;
  /** A path without MED loses to one with any; default is the RFC's "no MED is the lowest". */
  readonly missingMedIsWorst: boolean;
  /** Paths with an accumulated metric come first, the lower before the higher (RFC 7311 §4.1). */
  readonly aigp: boolean;
  /** Skip the AS_PATH length. */
  readonly ignoreAsPathLength: boolean;
  /** How many equal paths may be used at once; 1 = no multipath. */
  readonly maximumPaths: number;
  /** Equal paths may differ in AS_PATH (same length), as two leaf routers with an AS each do. */
  readonly multipathRelax: boolean;
}

export const DEFAULT_DECISION: DecisionOptions = {
  alwaysCompareMed: false,
  missingMedIsWorst: false,
  aigp: true,
  ignoreAsPathLength: false,
  maximumPaths: 16,
  multipathRelax: true,
};

export interface DecisionStep {
  /** What the winner had, for people: `shorter AS_PATH`. */
  readonly reason: string;
  /** Where it stands. */
  readonly source: string;
  /** Lower is better. */
  readonly measure: (path: Path, options: DecisionOptions) => number | bigint;
  /** Paths compare only within a group of equal value. */
  readonly group?: (path: Path, options: DecisionOptions) => number;
}

const WORST_MED = 2 ** 32;

/** Not a preference: a path without a way to its next hop takes no part at all. */
const REACHABLE = { reason: 'next hop reachable', source: 'RFC 4271 §9.1.2' } as const;

/** The metric has 64 bits, and no number holds them. */
function accumulated({ attributes, interiorCost }: Path): number | bigint {
  const { aigp } = attributes;
  return aigp === undefined ? Number.POSITIVE_INFINITY : aigp + BigInt(Math.ceil(interiorCost));
}

/** Steps that make a path better; what survives them is equally good, and may be used together. */
const PREFERENCE: readonly DecisionStep[] = [
  { reason: 'our own route', source: 'local policy', measure: (p) => (p.source.kind === 'local' ? 0 : 1) },
  { reason: 'higher LOCAL_PREF', source: 'RFC 4271 §9.1.1', measure: (p) => -p.attributes.localPref },
  { reason: 'lower AIGP', source: 'RFC 7311 §4.1', measure: (p, o) => (o.aigp ? accumulated(p) : 0) },
  {
    reason: 'shorter AS_PATH',
    source: 'RFC 4271 §9.1.2.2 a',
    measure: (p, o) => (o.ignoreAsPathLength ? 0 : p.attributes.asPathLength),
  },
  { reason: 'lower ORIGIN', source: 'RFC 4271 §9.1.2.2 b', measure: (p) => p.attributes.originRank },
  {
    reason: 'lower MED',
    source: 'RFC 4271 §9.1.2.2 c',
    measure: (p, o) => p.attributes.med ?? (o.missingMedIsWorst ? WORST_MED : 0),
    group: (p, o) => (o.alwaysCompareMed ? 0 : p.attributes.neighbourAs),
  },
  {
    reason: 'eBGP before iBGP',
    source: 'RFC 4271 §9.1.2.2 d',
    measure: (p) => (p.source.kind === 'internal' ? 1 : 0),
  },
  { reason: 'nearer next hop', source: 'RFC 4271 §9.1.2.2 e', measure: (p) => p.interiorCost },
];

/** Steps that only make the choice among equals the same everywhere. */
const TIE_BREAK: readonly DecisionStep[] = [
  {
    reason: 'lower router id',
    source: 'RFC 4271 §9.1.2.2 f, RFC 4456 §9',
    measure: (p) => p.attributes.originatorId ?? p.source.routerId,
  },
  { reason: 'shorter CLUSTER_LIST', source: 'RFC 4456 §9', measure: (p) => p.attributes.clusterListLength },
];

/** The last two have no number: an address has 128 bits, and path ids differ only within one peer. */
const LOWER_ADDRESS = { reason: 'lower peer address', source: 'RFC 4271 §9.1.2.2 g' } as const;
const LOWER_PATH_ID = { reason: 'lower path id', source: 'RFC 7911 §3' } as const;

/** Every step in order, for documentation and `explain`. */
export const DECISION_STEPS: readonly Pick<DecisionStep, 'reason' | 'source'>[] = [
  REACHABLE,
  ...PREFERENCE,
  ...TIE_BREAK,
  LOWER_ADDRESS,
  LOWER_PATH_ID,
];

export interface Decision {
  /** Undefined when no path is usable. */
  readonly best: Path | undefined;
  /** `best` first, then its equals in peer address order; at most `maximumPaths`. */
  readonly multipath: readonly Path[];
}

/** Told for each path struck out: by which step, i.e. what the survivors had over it. */
export type Trace = (path: Path, step: Pick<DecisionStep, 'reason' | 'source'>) => void;

const NOTHING: Decision = { best: undefined, multipath: [] };

/**
 * @param candidates  every path that import accepted, in any order; not changed
 * @param trace  called with each loser, in the order of the steps
 */
export function decide(candidates: readonly Path[], options: DecisionOptions, trace?: Trace): Decision {
  const usable = strike(candidates, (path) => !path.reachable, REACHABLE, trace);
  if (usable.length === 0) return NOTHING;
  const equals = narrow(usable, PREFERENCE, options, trace);
  const best = breakTie(equals, options, trace);
  return { best, multipath: multipathOf(best, equals, options) };
}

/** Why each path stands where it does: `undefined` for the best, else the step that decided against it. */
export function explain(
  candidates: readonly Path[],
  options: DecisionOptions,
): Map<Path, string | undefined> {
  const reasons = new Map<Path, string | undefined>();
  const { best } = decide(candidates, options, (path, step) => reasons.set(path, step.reason));
  if (best !== undefined) reasons.set(best, undefined);
  return reasons;
}

function narrow(
  paths: readonly Path[],
  steps: readonly DecisionStep[],
  options: DecisionOptions,
  trace?: Trace,
): readonly Path[] {
  let left = paths;
  for (const step of steps) {
    if (left.length === 1) break;
    left =
      step.group === undefined
        ? keepLowest(left, step, options, trace)
        : keepLowestByGroup(left, step, options, trace);
  }
  return left;
}

function keepLowest(
  paths: readonly Path[],
  step: DecisionStep,
  options: DecisionOptions,
  trace?: Trace,
): readonly Path[] {
  let lowest: number | bigint = Number.POSITIVE_INFINITY;
  for (const path of paths) {
    const measured = step.measure(path, options);
    if (measured < lowest) lowest = measured;
  }
  return strike(paths, (path) => step.measure(path, options) > lowest, step, trace);
}

function keepLowestByGroup(
  paths: readonly Path[],
  step: DecisionStep,
  options: DecisionOptions,
  trace?: Trace,
): readonly Path[] {
  const groupOf = step.group ?? (() => 0);
  const lowest = new Map<number, number | bigint>();
  for (const path of paths) {
    const group = groupOf(path, options);
    const measured = step.measure(path, options);
    if (measured < (lowest.get(group) ?? Number.POSITIVE_INFINITY)) lowest.set(group, measured);
  }
  return strike(
    paths,
    (path) => step.measure(path, options) > (lowest.get(groupOf(path, options)) ?? 0),
    step,
    trace,
  );
}

function strike(
  paths: readonly Path[],
  worse: (path: Path) => boolean,
  step: Pick<DecisionStep, 'reason' | 'source'>,
  trace?: Trace,
): readonly Path[] {
  const left: Path[] = [];
  for (const path of paths) {
    if (worse(path)) trace?.(path, step);
    else left.push(path);
  }
  return left;
}

function breakTie(equals: readonly Path[], options: DecisionOptions, trace?: Trace): Path {
  let left = narrow(equals, TIE_BREAK, options, trace);
  if (left.length > 1) {
    const lowest = left.reduce((a, b) => (compareAddress(b, a) < 0 ? b : a));
    left = strike(left, (path) => compareAddress(path, lowest) > 0, LOWER_ADDRESS, trace);
  }
  if (left.length > 1) {
    const lowest = left.reduce((a, b) => (compareIds(b, a) < 0 ? b : a));
    left = strike(left, (path) => path !== lowest, LOWER_PATH_ID, trace);
  }
  return left[0] as Path;
}

function compareAddress(a: Path, b: Path): number {
  const one = a.source.address;
  const other = b.source.address;
  if (one === undefined || other === undefined)
    return (one === undefined ? 0 : 1) - (other === undefined ? 0 : 1);
  return one.compare(other);
}

/** Two sessions to one address (two ports in a lab) are told apart by the order in which they were configured. */
function compareIds(a: Path, b: Path): number {
  return a.source.id - b.source.id || a.pathId - b.pathId;
}

function multipathOf(best: Path, equals: readonly Path[], options: DecisionOptions): readonly Path[] {
  if (options.maximumPaths <= 1 || equals.length === 1) return [best];
  const others = equals.filter((path) => path !== best && usableBeside(best, path, options));
  others.sort((a, b) => compareAddress(a, b) || compareIds(a, b));
  return [best, ...others].slice(0, options.maximumPaths);
}

/** eBGP and iBGP paths never mix (their next hops fail in different ways), and our own routes have no next hop to share. */
function usableBeside(best: Path, other: Path, options: DecisionOptions): boolean {
  if (other.source.kind !== best.source.kind) return false;
  if (best.nextHop === undefined || other.nextHop === undefined) return false;
  return options.multipathRelax || sameAsPath(best, other);
}

function sameAsPath(a: Path, b: Path): boolean {
  const one = a.attributes.attributes.asPath;
  const other = b.attributes.attributes.asPath;
  return (
    one.length === other.length &&
    one.every((segment, i) => {
      const twin = other[i];
      return twin?.type === segment.type && twin.asns.join() === segment.asns.join();
    })
  );
}
