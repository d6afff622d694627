/** From an argument list to a command and its values, by yargs, driven by the tables of `commands.ts`. */
import yargs, { type Argv, type Options } from 'yargs';
import { type Command, type OptionSpec, UsageError } from './command.ts';

export type Parsed =
  | { readonly type: 'run'; readonly command: Command; readonly args: Readonly<Record<string, unknown>> }
  /** Help or version: text that was asked for. */
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'usage'; readonly message: string };

export interface ParserOptions {
  readonly version: string;
  /** Help is wrapped at this width; undefined: not at all. */
  readonly width: number | undefined;
}

const EPILOGUE = 'Exit codes: 0 done, 1 failed, 2 the command line is wrong.';

export async function parse(
  argv: readonly string[],
  commands: readonly Command[],
  options: ParserOptions,
): Promise<Parsed> {
  let chosen: Parsed | undefined;
  let text = '';
  let fault: string | undefined;
  // What stands behind `--` is for the command that is run, and none of yargs' business.
  const split = argv.indexOf('--');
  const behind = split < 0 ? [] : argv.slice(split + 1);
  const words = attachValues(split < 0 ? argv : argv.slice(0, split), commands);
  const choose = (command: Command, args: Readonly<Record<string, unknown>>): void => {
    chosen = { type: 'run', command, args: valuesFor(command, args, behind) };
  };
  const parser = build(commands, options, choose).fail((message, error) => {
    fault ??= message || error?.message;
    throw error ?? new UsageError(message);
  });
  try {
    await parser.parseAsync(
      words,
      {},
      (_error: unknown, _args: unknown, output: string) => void (text += output),
    );
  } catch (error) {
    fault ??= error instanceof Error ? error.message : String(error);
  }
  if (fault !== undefined) return { type: 'usage', message: fault };
  if (text !== '') return { type: 'text', text: `${text}\n` };
  return chosen ?? { type: 'text', text: `${await parser.getHelp()}\n` };
}

/**
 * Two habits of every Unix tool that yargs does not have: `-oyaml` for `-o yaml`, and `-` as the value of an option.
 * A letter means the same option in all commands (a test holds us to it), so the command need not be known here.
 */
function attachValues(argv: readonly string[], commands: readonly Command[]): string[] {
  const names = new Map<string, string>();
  for (const { options } of commands) {
    for (const [name, { type, alias }] of Object.entries(options)) {
      if (type === 'boolean') continue;
      names.set(`--${name}`, name);
      if (alias !== undefined) names.set(`-${alias}`, name);
    }
  }
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    const whole = names.get(word);
    const letter = word.startsWith('--') ? undefined : names.get(word.slice(0, 2));
    if (whole !== undefined && argv[index + 1] === '-') {
      words.push(`--${whole}=-`);
      index++;
    } else if (whole === undefined && letter !== undefined)
      words.push(`--${letter}=${word.slice(2).replace(/^=/, '')}`);
    else words.push(word);
  }
  return words;
}

function build(
  commands: readonly Command[],
  options: ParserOptions,
  choose: (command: Command, args: Readonly<Record<string, unknown>>) => void,
): Argv {
  const parser = yargs()
    .scriptName('poplin')
    .usage('$0 <command>\n\nA network for containers and hosts: routes, policy and addresses.')
    .parserConfiguration({
      'camel-case-expansion': false,
      'parse-positional-numbers': false,
      'boolean-negation': false,
      'dot-notation': false,
    })
    .strict()
    .strictCommands()
    .exitProcess(false)
    .showHelpOnFail(false)
    .help()
    .alias('h', 'help')
    .version(options.version)
    .wrap(options.width ?? null)
    .epilogue(EPILOGUE);
  addCommands(parser, commands, [], choose);
  return parser;
}

/** Words that several commands share, as `bgp` or `datastore migrate`, become commands that demand another word. */
function addCommands(
  parser: Argv,
  commands: readonly Command[],
  before: readonly string[],
  choose: (command: Command, args: Readonly<Record<string, unknown>>) => void,
): void {
  const depth = before.length;
  for (const [name, group] of Map.groupBy(commands, (command) => command.path[depth] ?? '')) {
    const [only] = group;
    if (only !== undefined && group.length === 1 && only.path.length === depth + 1) {
      addCommand(parser, only, choose);
      continue;
    }
    const known = [...new Set(group.map((command) => command.path[depth + 1]))].join(', ');
    const words = [...before, name];
    parser.command(name, known, (inner) => {
      addCommands(inner, group, words, choose);
      return inner.demandCommand(1, `poplin ${words.join(' ')} needs one of: ${known}`);
    });
  }
}

function addCommand(
  parser: Argv,
  command: Command,
  choose: (command: Command, args: Readonly<Record<string, unknown>>) => void,
): void {
  parser.command(
    usageOf(command, command.path.length - 1),
    command.summary,
    (inner) => {
      inner.usage(`${usageLine(command)}\n\n${command.description}`);
      for (const [name, spec] of Object.entries(command.positionals)) {
        inner.positional(name, { type: 'string', describe: spec.describe });
      }
      for (const [name, spec] of Object.entries(command.options)) inner.option(name, optionFor(spec));
      for (const [line, what] of command.examples) inner.example(line, what);
      return inner;
    },
    (args) => choose(command, args),
  );
}

/** `get [kind] [names..]`, from the given step of the path on. */
function usageOf(command: Command, from = 0): string {
  const positionals = Object.entries(command.positionals).map(([name, spec]) => {
    const text = spec.many === true ? `${name}..` : name;
    // What may stand behind `--` is not demanded in front of it.
    return spec.required === true && !(spec.many === true && command.passThrough === true)
      ? `<${text}>`
      : `[${text}]`;
  });
  return [...command.path.slice(from), ...positionals].join(' ');
}

export function usageLine(command: Command): string {
  const options = Object.keys(command.options).length === 0 ? '' : ' [options]';
  return `poplin ${usageOf(command)}${options}`;
}

function optionFor(spec: OptionSpec): Options {
  const { type, alias, describe, default: preset, choices } = spec;
  return {
    type: type === 'strings' ? 'string' : type,
    describe,
    // A second value wins nothing: a list is what its repetition is for.
    ...(type === 'strings' ? { array: true, nargs: 1 } : type === 'boolean' ? {} : { requiresArg: true }),
    ...(alias === undefined ? {} : { alias }),
    ...(preset === undefined ? {} : { default: preset }),
    ...(choices === undefined ? {} : { choices }),
  };
}

/** Only what the table names, each in the form the table promises. */
function valuesFor(
  command: Command,
  args: Readonly<Record<string, unknown>>,
  behind: readonly string[],
): Record<string, unknown> {
  if (behind.length > 0 && command.passThrough !== true) {
    throw new UsageError(`${usageLine(command)} takes nothing behind --`);
  }
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(command.options))
    values[name] = optionValue(name, spec, args[name]);
  for (const [name, spec] of Object.entries(command.positionals)) {
    values[name] = spec.many === true ? [...asList(args[name]).map(String), ...behind] : args[name];
    const empty = Array.isArray(values[name]) && values[name].length === 0;
    if (spec.required === true && empty) throw new UsageError(`${name} is missing: ${usageLine(command)}`);
  }
  return values;
}

function optionValue(name: string, spec: OptionSpec, value: unknown): unknown {
  switch (spec.type) {
    case 'boolean':
      return value === true;
    case 'strings':
      return asList(value).map(String);
    case 'string':
    case 'number':
      if (Array.isArray(value))
        throw new UsageError(`--${name} is given ${value.length} times; give it once`);
      if (spec.type === 'number' && value !== undefined && !Number.isFinite(value)) {
        throw new UsageError(`--${name} needs a number`);
      }
      return value;
  }
}

function asList(value: unknown): unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
