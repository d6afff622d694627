/** The texts that -f names: files, folders, standard input. Nothing is read as a manifest yet. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { type Problem, type Result, fail, ok } from '../../api/problem.ts';
import type { Terminal } from '../terminal.ts';

export interface ManifestText {
  /** As the user wrote it, or found below what the user wrote; `-` is `standard input`. */
  readonly file: string;
  readonly text: string;
}

const EXTENSIONS: readonly string[] = ['.yaml', '.yml', '.json'];

/**
 * In the order given; within a folder by name, so that 10-pools.yaml comes before 20-policy.yaml.
 * A folder gives its manifests only; a file that is named is read whatever its extension.
 */
export async function readFiles(
  paths: readonly string[],
  recursive: boolean,
  terminal: Terminal,
): Promise<Result<ManifestText[]>> {
  const texts: ManifestText[] = [];
  const problems: Problem[] = [];
  for (const path of paths) {
    if (path === '-') {
      texts.push({ file: 'standard input', text: await terminal.stdin() });
      continue;
    }
    try {
      for (const file of statSync(path).isDirectory() ? filesIn(path, recursive) : [path]) {
        texts.push({ file, text: readFileSync(file, 'utf8') });
      }
    } catch (error) {
      problems.push(unreadable(path, error));
    }
  }
  return problems.length > 0 ? fail(...problems) : ok(texts);
}

function filesIn(folder: string, recursive: boolean): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (statSync(path).isDirectory()) return recursive ? filesIn(path, true) : [];
    return EXTENSIONS.includes(extname(entry.name)) ? [path] : [];
  });
}

function unreadable(path: string, error: unknown): Problem {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return {
    code: 'FILE_UNREADABLE',
    value: path,
    what: code === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be read: ${String(error)}`,
    remedy: code === 'ENOENT' ? 'check the path given with -f' : 'check its permissions',
  };
}
