/** How failures are told: problems one by one, each with its remedy on a line of its own, on standard error. */
import { PoplinError, type Problem } from '../api/problem.ts';
import { type Command, EXIT, type ExitCode, UsageError } from './command.ts';
import type { Terminal } from './terminal.ts';

/** Runs the command; what it throws is told. */
export async function perform(
  { run }: Command,
  args: Readonly<Record<string, unknown>>,
  terminal: Terminal,
): Promise<ExitCode> {
  try {
    return await run(args, terminal);
  } catch (error) {
    return tellFailure(error, terminal);
  }
}

/** Tells what `error` is and gives the exit code for it. A defect is told with its stack: it is for us to read. */
export function tellFailure(error: unknown, terminal: Terminal): ExitCode {
  if (error instanceof UsageError) {
    terminal.err(`poplin: ${error.message}\n`);
    return EXIT.usage;
  }
  if (error instanceof PoplinError) {
    tellProblems(error.problems, terminal);
    return EXIT.failure;
  }
  terminal.err(
    `poplin: this is a defect: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return EXIT.failure;
}

export function tellProblems(problems: readonly Problem[], terminal: Terminal): void {
  for (const problem of problems) terminal.err(describeProblem(problem));
}

/** What is legal and hardly meant, in the form of {@link describeProblem}. */
export function describeWarning(problem: Problem): string {
  return describe('warning', problem);
}

/** A line of where, a line of what, a line of what to do. */
export function describeProblem(problem: Problem): string {
  return describe('error', problem);
}

function describe(weight: 'error' | 'warning', problem: Problem): string {
  const { at } = problem;
  const place = [
    at?.file === undefined
      ? undefined
      : at.line === undefined
        ? at.file
        : `${at.file}:${at.line}:${at.column ?? 1}`,
    at?.document === undefined ? undefined : `document ${at.document}`,
    problem.resource,
    problem.field,
  ].filter((part) => part !== undefined && part !== '');
  const where = place.length === 0 ? '' : `${place.join(', ')}: `;
  return `${weight}: ${where}${problem.what}\n  to mend it: ${problem.remedy}\n`;
}
