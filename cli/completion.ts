/** What TAB offers behind a command's words: kinds, names in the datastore, nodes of the lab. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS, kindInfo, unwrap } from '../api/index.ts';
import type { Command } from './command.ts';
import { labContext } from './context.ts';
import { withStore } from './store.ts';
import type { Terminal } from './terminal.ts';

/**
 * @param line  the words behind the name of the program; the last is the one under the cursor, maybe empty
 * @returns candidates that begin with the last word; none where the datastore cannot be asked
 */
export async function complete(
  line: readonly string[],
  commands: readonly Command[],
  terminal: Terminal,
): Promise<string[]> {
  const current = line.at(-1) ?? '';
  const before = line.slice(0, -1);
  const candidates = await candidatesAt(before, current, commands, terminal).catch(() => []);
  return candidates.filter((candidate) => candidate.startsWith(current));
}

async function candidatesAt(
  before: readonly string[],
  current: string,
  commands: readonly Command[],
  terminal: Terminal,
): Promise<string[]> {
  const command = commands.find(({ path }) => path.every((part, index) => before[index] === part));
  if (command === undefined) {
    const group = commands.filter(({ path }) => before.every((part, index) => path[index] === part));
    const words = group.map(({ path }) => path[before.length] ?? '');
    return [...new Set(before.length === 0 ? [...words, '--help', '--version'] : words)];
  }
  if (current.startsWith('-')) return [...Object.keys(command.options).map((name) => `--${name}`), '--help'];
  const choices = choicesOf(command, before.at(-1) ?? '');
  if (choices !== undefined) return choices;
  const words = before.slice(command.path.length).filter((word) => !word.startsWith('-'));
  const names = Object.keys(command.positionals);
  const name = names[Math.min(words.length, names.length - 1)];
  return candidatesFor(name === undefined ? undefined : command.positionals[name]?.complete, words, terminal);
}

/** Values behind an option that has a closed set of them; an empty list behind one that has not: the shell offers files. */
function choicesOf(command: Command, word: string): string[] | undefined {
  const found = Object.entries(command.options).find(
    ([name, { alias }]) => word === `--${name}` || word === `-${alias}`,
  );
  if (found === undefined || found[1].type === 'boolean') return undefined;
  return [...(found[1].choices ?? [])];
}

async function candidatesFor(
  what: string | undefined,
  words: readonly string[],
  terminal: Terminal,
): Promise<string[]> {
  switch (what) {
    case 'kind':
      return KINDS.map((kind) => kind.plural);
    case 'name': {
      const info = kindInfo(words[0] ?? '');
      if (info === undefined) return [];
      const listed = await withStore({ datastore: undefined }, terminal, async ({ client }) =>
        unwrap(await client.list(info.kind)),
      );
      return listed.map(({ metadata }) => metadata.name);
    }
    case 'node': {
      const lab = labContext(terminal.env);
      return lab === undefined ? [] : readdirSync(join(lab.state, 'nodes')).sort();
    }
    case 'lab': {
      const lab = labContext(terminal.env);
      return lab === undefined ? [] : [lab.lab];
    }
    default:
      return [];
  }
}
