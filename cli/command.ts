/**
 * A command as data: one table of options gives the parser, the help, the completion and the page in docs/.
 * The code behind it is loaded only when it is called, so that `poplin --help` does not pay for a datastore.
 */
import type { Terminal } from './terminal.ts';

export interface OptionSpec {
  readonly type: 'string' | 'boolean' | 'number' | 'strings';
  readonly alias?: string;
  /** One sentence without a full stop; the default is added by whoever prints it. */
  readonly describe: string;
  readonly default?: string | boolean | number;
  readonly choices?: readonly string[];
  /** Name of the value in help and docs, e.g. `FILE`. */
  readonly value?: string;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

export interface PositionalSpec {
  readonly describe: string;
  readonly required?: boolean;
  /** Takes all that follow; must be last. */
  readonly many?: boolean;
  /** What completion offers. */
  readonly complete?: 'kind' | 'name' | 'node' | 'lab';
}

export type PositionalTable = Readonly<Record<string, PositionalSpec>>;

type Value<O extends OptionSpec> = O['type'] extends 'string'
  ? string
  : O['type'] extends 'number'
    ? number
    : O['type'] extends 'boolean'
      ? boolean
      : readonly string[];

type HasValue<O extends OptionSpec> = O extends { readonly default: string | boolean | number }
  ? true
  : O['type'] extends 'boolean' | 'strings'
    ? true
    : false;

/** What the parser hands over: defaults in place, a flag false and a list empty when it was not given. */
export type ArgumentsOf<O extends OptionTable, P extends PositionalTable> = {
  readonly [N in keyof O]: HasValue<O[N]> extends true ? Value<O[N]> : Value<O[N]> | undefined;
} & {
  readonly [N in keyof P]: P[N] extends { readonly many: true }
    ? readonly string[]
    : P[N] extends { readonly required: true }
      ? string
      : string | undefined;
};

export interface CommandTable<
  O extends OptionTable = OptionTable,
  P extends PositionalTable = PositionalTable,
> {
  /** `['get']`, `['node', 'status']`. */
  readonly path: readonly string[];
  /** One line for the list of commands. */
  readonly summary: string;
  /** Paragraphs for its own page. */
  readonly description: string;
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly positionals: P;
  readonly options: O;
  /** Everything behind `--` (or behind the last positional) goes to the command as it is. */
  readonly passThrough?: boolean;
}

export type Action<Args> = (args: Args, terminal: Terminal) => Promise<ExitCode>;

/** 0 done; 1 failed; 2 the command line itself was wrong; 3 what is in force is not what it should be. */
export type ExitCode = number;

export const EXIT = { ok: 0, failure: 1, usage: 2, alarm: 3 } as const;

/** A table with its code, types forgotten: the parser guarantees what the table says. */
export interface Command extends CommandTable {
  readonly run: (args: Readonly<Record<string, unknown>>, terminal: Terminal) => Promise<ExitCode>;
}

/** Keeps the literal types that {@link ArgumentsOf} reads. */
export function table<const O extends OptionTable, const P extends PositionalTable>(
  spec: CommandTable<O, P>,
): CommandTable<O, P> {
  return spec;
}

export type Arguments<T> = T extends CommandTable<infer O, infer P> ? ArgumentsOf<O, P> : never;

export function command<O extends OptionTable, P extends PositionalTable>(
  spec: CommandTable<O, P>,
  load: () => Promise<Action<ArgumentsOf<O, P>>>,
): Command {
  return {
    ...spec,
    run: async (args, terminal) => {
      const action = await load();
      return action(args as ArgumentsOf<O, P>, terminal);
    },
  };
}

/** A fault of the command line that only the command can see. Exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
