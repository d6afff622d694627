/**
 * The call of a daemon, read without the parser of the other commands: a process that runs for months should not keep
 * yargs and the tables of thirty commands in memory. Whatever is not plainly a call that runs (help, a mistake) is left
 * to `run.ts`, which says what there is to say.
 */
import { parseArgs } from 'node:util';
import type { CommandTable } from './command.ts';

/**
 * @param argv  what stands behind the path of the command
 * @returns the values of the table's options; undefined where {@link run} should read the call
 */
export function daemonCall(
  argv: readonly string[],
  { options }: CommandTable,
): Record<string, unknown> | undefined {
  const given = valuesIn(argv, options);
  if (given === undefined) return undefined;
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(options)) {
    const [value, second] = given[name] ?? [];
    if (second !== undefined) return undefined;
    if (value !== undefined && spec.choices?.includes(String(value)) === false) return undefined;
    values[name] = value ?? (spec.type === 'boolean' ? false : spec.default);
  }
  return values;
}

type Given = Readonly<Record<string, readonly (string | boolean)[] | undefined>>;

function valuesIn(argv: readonly string[], options: CommandTable['options']): Given | undefined {
  const known = Object.entries(options);
  if (known.some(([, { type }]) => type !== 'boolean' && type !== 'string')) return undefined;
  try {
    return parseArgs({
      args: [...argv],
      options: Object.fromEntries(
        known.map(([name, { type }]) => [
          name,
          { type: type === 'boolean' ? 'boolean' : 'string', multiple: true },
        ]),
      ),
    }).values;
  } catch {
    return undefined;
  }
}
