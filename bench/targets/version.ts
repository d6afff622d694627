/** Asks a program what it is. */
import { CommandError, run } from '../../net/kernel/index.ts';

/** The first group of `pattern` in what the program says; undefined where it is not installed. */
export async function versionOf(
  file: string,
  args: readonly string[],
  pattern: RegExp,
): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(file, args);
    return pattern.exec(stdout + stderr)?.[1] ?? 'of unknown version';
  } catch (error) {
    if (error instanceof CommandError && error.notFound) return undefined;
    throw error;
  }
}
