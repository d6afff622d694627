/** What went wrong when a tool of iptables failed, out of its words and its status. Pure. */
import type { RestoreStep, RestoreTable } from './iptables-text.ts';
import { CommandError } from './process.ts';

export interface RestoreFailure {
  /**
   * `not-installed`: there is no such tool. `not-permitted`: root is needed. `locked`: another program held the lock of the
   * legacy tools for as long as we waited. `busy`: the machine is short of something for now; the same may work later.
   * `timed-out`: the tool had to be stopped. `refused`: what was asked for is wrong, or unknown to the kernel.
   */
  readonly kind: 'not-installed' | 'not-permitted' | 'locked' | 'busy' | 'timed-out' | 'refused';
  /** Of the input, from 1, where the tool names one; the legacy tool names that of the COMMIT for what the kernel refuses. */
  readonly line: number | undefined;
  /** What stands in that line. Undefined for a COMMIT. */
  readonly step: (RestoreStep & { readonly table: string }) | undefined;
  /** The tool's words. */
  readonly said: string;
}

/** What the tools say of a machine that is short of something for now. It is no word about a rule. */
const PASSING =
  /cannot allocate memory|memory allocation problem|no buffer space|temporarily unavailable|interrupted system call|too many open files/i;

/**
 * @param input  what was handed to restore, where it was not text
 * @returns undefined for what no tool has thrown
 */
export function failureOf(error: unknown, input: readonly RestoreTable[] = []): RestoreFailure | undefined {
  if (!(error instanceof CommandError)) return undefined;
  const named = /line(?::| number)? ?(\d+)/i.exec(error.stderr)?.[1];
  const line = named === undefined ? undefined : Number(named);
  return { kind: kindOf(error), line, step: stepIn(input, line), said: error.stderr.trim() };
}

function kindOf({ notFound, exitCode, stderr }: CommandError): RestoreFailure['kind'] {
  if (notFound) return 'not-installed';
  if (stderr.includes('xtables lock')) return 'locked';
  if (/permission denied|must be root/i.test(stderr)) return 'not-permitted';
  if (PASSING.test(stderr)) return 'busy';
  return exitCode === undefined ? 'timed-out' : 'refused';
}

/** A table is a line with its name, a line for each step, and COMMIT. */
function stepIn(input: readonly RestoreTable[], line: number | undefined): RestoreFailure['step'] {
  if (line === undefined) return undefined;
  let first = 2;
  for (const { table, steps } of input) {
    const step = steps[line - first];
    if (step !== undefined) return { ...step, table };
    first += steps.length + 2;
  }
  return undefined;
}
