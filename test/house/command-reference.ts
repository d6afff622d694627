/** The page about every command, from the same tables that the parser and `--help` use. */
import type { Command, OptionSpec } from '../../cli/command.ts';

export function commandReference(commands: readonly Command[]): string {
  const pages = commands.map((command) => [
    `## poplin ${command.path.join(' ')}`,
    command.description,
    usage(command),
    ...table(
      'Argument',
      Object.entries(command.positionals).map(([name, { describe }]) => [name.toUpperCase(), describe]),
    ),
    ...table(
      'Option',
      Object.entries(command.options).map(([name, spec]) => [flag(name, spec), describe(spec)]),
    ),
    ...examples(command),
  ]);
  return `${['# The commands of poplin', 'Made by `npm run generate` from the tables in `cli/tables/`.', ...pages.flat()].join('\n\n')}\n`;
}

function usage(command: Command): string {
  const words = Object.entries(command.positionals).map(([name, { required, many }]) => {
    const word = `${name.toUpperCase()}${many ? '...' : ''}`;
    return required ? word : `[${word}]`;
  });
  const options = Object.keys(command.options).length > 0 ? ['[options]'] : [];
  return ['```', ['poplin', ...command.path, ...words, ...options].join(' '), '```'].join('\n');
}

function flag(name: string, { alias, value, type }: OptionSpec): string {
  const operand = type === 'boolean' ? '' : ` ${value ?? type.toUpperCase()}`;
  return `${alias === undefined ? '' : `-${alias}, `}--${name}${operand}`;
}

function describe(spec: OptionSpec): string {
  const choices = spec.choices === undefined ? '' : ` (${spec.choices.join(', ')})`;
  const fallback = spec.default === undefined || spec.default === false ? '' : `; default ${spec.default}`;
  return `${spec.describe}${choices}${fallback}`;
}

function table(head: string, rows: readonly (readonly [string, string])[]): string[] {
  if (rows.length === 0) return [];
  const cells = rows.map(([name, text]) => `| \`${name}\` | ${text.replaceAll('|', '\\|')} |`);
  return [[`| ${head} | |`, '|---|---|', ...cells].join('\n')];
}

function examples(command: Command): string[] {
  if (command.examples.length === 0) return [];
  return [['```sh', ...command.examples.map(([line, what]) => `${line}   # ${what}`), '```'].join('\n')];
}
