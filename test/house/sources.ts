/** Reads the project's own sources: which files there are, and what each imports. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

export interface Import {
  /** As written: `node:fs`, `yaml`, `../x.ts`. */
  readonly specifier: string;
  /** Path from the root for a file of ours; undefined for a package or a Node module. */
  readonly file: string | undefined;
  readonly line: number;
}

export interface Source {
  /** Path from the root. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

/** Import and export statements with a source, side-effect imports, and dynamic imports of a literal. */
const IMPORTS =
  /^(?:import|export)\s(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;

/** Tracked and new TypeScript files, without what git ignores. */
export function readSources(): readonly Source[] {
  return gitFiles()
    .filter((path) => path.endsWith('.ts') && existsSync(join(ROOT, path)))
    .map((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8');
      return { path, text, imports: importsOf(path, text) };
    });
}

export function gitFiles(): readonly string[] {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => path !== '');
}

export function importsOf(path: string, text: string): readonly Import[] {
  return [...text.matchAll(IMPORTS)].map((match) => {
    const specifier = match[1] ?? match[2] ?? '';
    return {
      specifier,
      file: specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : undefined,
      line: text.slice(0, match.index).split('\n').length,
    };
  });
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.startsWith('test/');
}

export function inRoom(path: string, room: string): boolean {
  return path === room || path.startsWith(`${room}/`);
}
