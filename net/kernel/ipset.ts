/** The ipset tool as functions. One process per call, whatever the number of sets and members. */
import { buildSets, type IpsetStep, parseSets, type SavedSet } from './ipset-text.ts';
import { CommandError, run } from './process.ts';

export { buildSets, type IpsetStep, parseSets, type SavedSet } from './ipset-text.ts';

export interface IpsetOptions {
  /** Path of the network namespace to work in; default: ours. */
  readonly netns?: string | undefined;
}

/** The sets of the namespace with their members; with `name` that one alone, or an empty list where there is none. */
export async function save(name?: string, options: IpsetOptions = {}): Promise<SavedSet[]> {
  const args = name === undefined ? ['save'] : ['save', name];
  try {
    const { stdout } = await run('ipset', args, { netns: options.netns });
    return parseSets(stdout);
  } catch (error) {
    if (name !== undefined && isMissingSet(error)) return [];
    throw error;
  }
}

/** Names alone, which is quick however large the sets are. */
export async function listNames(options: IpsetOptions = {}): Promise<string[]> {
  const { stdout } = await run('ipset', ['list', '-name'], { netns: options.netns });
  return stdout.split('\n').filter((line) => line !== '');
}

/**
 * Applies `ipset restore` input, text or typed, line by line.
 *
 * **Not a transaction**: lines before a failing one stay done. For an exchange that packets see at once, fill a
 * second set and `swap`. With `exist` (the default) creating what is there, adding a member twice and deleting one
 * that is gone succeed.
 *
 * @throws CommandError with the tool's words, which name the line
 */
export async function restore(
  input: string | readonly IpsetStep[],
  options: IpsetOptions & { readonly exist?: boolean } = {},
): Promise<void> {
  const text = typeof input === 'string' ? input : buildSets(input);
  if (text === '') return;
  const args = (options.exist ?? true) ? ['-exist', 'restore'] : ['restore'];
  await run('ipset', args, { stdin: text, netns: options.netns });
}

function isMissingSet(error: unknown): boolean {
  return error instanceof CommandError && error.stderr.includes('does not exist');
}
