/**
 * Calls plugins as a runtime does, and takes the time: from before the fork to the exit. The caller is bash, whose clock
 * and fork cost little; Node would add more to each call than the fastest plugin takes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../net/kernel/index.ts';

export interface PluginCall {
  /** Words of a command line; more than one process is a list of lists. */
  readonly commands: readonly (readonly string[])[];
  readonly env: Readonly<Record<string, string>>;
  /** Path of the file for standard input. */
  readonly stdin: string;
}

export interface Timed {
  /** Milliseconds of each call, in the order of the calls. */
  readonly each: readonly number[];
  /** From the first fork to the last exit. */
  readonly totalMs: number;
}

const DEADLINE_MS = 180_000;

/**
 * @param folder  for the script and what the plugins print
 * @throws Error with the plugin's words when one fails
 */
export async function call(
  calls: readonly PluginCall[],
  order: 'one by one' | 'at once',
  folder: string,
): Promise<Timed> {
  const script = join(folder, 'calls.sh');
  writeFileSync(script, scriptOf(calls, order, folder));
  const { stdout } = await run('bash', [script], { deadlineMs: DEADLINE_MS });
  const each: number[] = [];
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (const line of stdout.trim().split('\n')) {
    const [index, from, to, status] = line.split(' ').map(Number) as [number, number, number, number];
    if (status !== 0) throw new Error(`a plugin failed: ${readFileSync(outputOf(folder, index), 'utf8')}`);
    each[index] = (to - from) * 1000;
    first = Math.min(first, from);
    last = Math.max(last, to);
  }
  return { each, totalMs: (last - first) * 1000 };
}

function scriptOf(calls: readonly PluginCall[], order: 'one by one' | 'at once', folder: string): string {
  const lines = calls.map(({ commands, env, stdin }, index) => {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`);
    const work = commands
      .map((words) => [...variables, ...words.map(quote)].join(' '))
      .map((text) => `${text} <${quote(stdin)} >>${quote(outputOf(folder, index))} 2>&1`)
      .join(' && ');
    const timed = `s=$EPOCHREALTIME; ${work}; r=$?; e=$EPOCHREALTIME; echo "${index} $s $e $r"`;
    return order === 'at once' ? `( ${timed} ) &` : timed;
  });
  return ['export LC_ALL=C', ...lines, 'wait', ''].join('\n');
}

function outputOf(folder: string, index: number): string {
  return join(folder, `output-${index}`);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
