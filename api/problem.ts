/**
 * What went wrong, told to the person who has to mend it.
 *
 * Errors are values here: a function that can fail on input returns a {@link Result}; only bugs throw.
 * Where a failure has to cross an async boundary that already rejects (a lost datastore, a failed system
 * call) it travels as a {@link PoplinError} that carries the same values.
 */

/** Where in the user's own text a problem sits. Lines and columns count from 1, documents from 1. */
export interface Position {
  readonly file?: string;
  readonly document?: number;
  readonly line?: number;
  readonly column?: number;
}

export interface Problem {
  /** Stable, upper-case word for programs, e.g. `FIELD_INVALID`. */
  readonly code: string;
  /** One sentence: what was found, quoting the value. No trailing full stop. */
  readonly what: string;
  /** One sentence: what the reader can do about it. No trailing full stop. */
  readonly remedy: string;
  /** `Kind/name` or `Kind/namespace/name`. */
  readonly resource?: string;
  /** Path of the field as the user writes it, e.g. `spec.ingress[0].source.nets[1]`. */
  readonly field?: string;
  readonly value?: unknown;
  readonly at?: Position;
}

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function fail<T = never>(...problems: readonly Problem[]): Result<T> {
  return { ok: false, problems };
}

/** Carries problems through code that rejects instead of returning. */
export class PoplinError extends Error {
  override readonly name = 'PoplinError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], options?: ErrorOptions) {
    super(problems.map(formatProblem).join('\n'), options);
    this.problems = problems;
  }
}

/** The value of a result, or a rejection with its problems. */
export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new PoplinError(result.problems);
  return result.value;
}

/** `pools.yaml, document 2, line 7: IPPool/lab: spec.cidr: "10.0.0.1/33" is not ...; remedy` on one line. */
export function formatProblem(problem: Problem): string {
  const place = problem.at === undefined ? '' : `${formatPosition(problem.at)}: `;
  const subject = [problem.resource, problem.field].filter((part) => part !== undefined).join(': ');
  const head = subject === '' ? '' : `${subject}: `;
  return `${place}${head}${problem.what}; ${problem.remedy}`;
}

function formatPosition(at: Position): string {
  return [
    at.file,
    at.document === undefined ? undefined : `document ${at.document}`,
    at.line === undefined ? undefined : `line ${at.line}`,
    at.column === undefined ? undefined : `column ${at.column}`,
  ]
    .filter((part) => part !== undefined)
    .join(', ');
}
