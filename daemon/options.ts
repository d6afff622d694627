/** What every daemon is told when it starts: which node it is, where the datastore and its run directory are. */
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { type Problem, type Result, fail, ok } from '../api/problem.ts';
import type { Level } from './log.ts';

export interface DaemonOptions {
  /** Name of this machine's Node resource. */
  readonly node: string;
  /** Location of the datastore, as `openStore` takes it. */
  readonly datastore: string;
  /** Folder of sockets, pid files and endpoint status; must be writable. */
  readonly runDir: string;
  readonly logLevel: Level;
}

export const DEFAULT_DATASTORE = '/var/lib/poplin/datastore.db';
export const DEFAULT_RUN_DIR = '/run/poplin';

const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'] satisfies Level[];

/**
 * Flags win over the environment, which wins over defaults.
 *
 * @param extra names of further string options; their values come back in `extra`
 */
export function parseDaemonOptions<Name extends string = never>(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  extra: readonly Name[] = [],
): Result<DaemonOptions & { readonly extra: Readonly<Partial<Record<Name, string>>> }> {
  const text = { type: 'string' } as const;
  const known = { node: text, datastore: text, 'run-dir': text, 'log-level': text };
  let values: Readonly<Partial<Record<string, string | boolean>>>;
  try {
    values = parseArgs({
      args: [...argv],
      options: { ...known, ...Object.fromEntries(extra.map((name) => [name, text])) },
      strict: true,
    }).values;
  } catch (error) {
    return fail(
      usage(error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error), [
        ...Object.keys(known),
        ...extra,
      ]),
    );
  }
  const pick = (flag: string, variable: string): string | undefined => {
    const value = values[flag] ?? env[variable];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const logLevel = pick('log-level', 'POPLIN_LOG_LEVEL') ?? 'info';
  if (!isLevel(logLevel)) {
    return fail({
      code: 'OPTION_INVALID',
      field: '--log-level',
      value: logLevel,
      what: `${JSON.stringify(logLevel)} is not a log level`,
      remedy: `use one of ${LEVELS.join(', ')}`,
    });
  }
  const given: Partial<Record<Name, string>> = {};
  for (const name of extra) {
    const value = values[name];
    if (typeof value === 'string') given[name] = value;
  }
  return ok({
    node: pick('node', 'POPLIN_NODE') ?? hostname(),
    datastore: pick('datastore', 'POPLIN_DATASTORE') ?? DEFAULT_DATASTORE,
    runDir: pick('run-dir', 'POPLIN_RUN_DIR') ?? DEFAULT_RUN_DIR,
    logLevel,
    extra: given,
  });
}

function isLevel(text: string): text is Level {
  return LEVELS.includes(text);
}

function usage(what: string, flags: readonly string[]): Problem {
  return { code: 'USAGE', what, remedy: `options are ${flags.map((flag) => `--${flag}`).join(', ')}` };
}
