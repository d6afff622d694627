/** Says in one sentence each what the schema found, and what its author can do. */
import type { z } from 'zod';
import type { Problem } from '../../api/problem.ts';
import type { FieldPath, Locator } from './problems.ts';
import { nodeSchema, topologySchema } from './schema.ts';

export function describeIssues(issues: readonly z.core.$ZodIssue[], raw: unknown, where: Locator): Problem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.filter((step) => typeof step !== 'symbol') as FieldPath;
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => unknownKey([...path, key], raw, where));
    const value = valueAt(raw, path);
    if (value === undefined)
      return [
        where.problem(path, value, 'is missing', 'add it; see topologies/quickstart.clab.yml for an example'),
      ];
    return [
      where.problem(path, value, `${JSON.stringify(value)} does not fit: ${issue.message}`, remedyOf(issue)),
    ];
  });
}

function unknownKey(path: FieldPath, raw: unknown, where: Locator): Problem {
  const key = String(path.at(-1));
  const near = nearest(key, keysBeside(path));
  return where.problem(
    path,
    valueAt(raw, path),
    `containerlab knows no key "${key}" here`,
    near === undefined ? 'remove it' : `write "${near}" if that is what you meant, or remove it`,
  );
}

/** The keys that could have been meant, by where in the file we are. */
function keysBeside(path: FieldPath): readonly string[] {
  if (path.length === 1) return Object.keys(topologySchema.shape);
  if (path.length === 2) return Object.keys(topologySchema.shape.topology.shape);
  if (path[1] === 'links') return ['endpoints', 'mtu', 'labels', 'vars'];
  return Object.keys(nodeSchema.shape);
}

function remedyOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type')
    return `give ${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`;
  if (issue.code === 'too_small' || issue.code === 'too_big')
    return 'change the number of entries, or the value';
  return 'change the value';
}

function valueAt(raw: unknown, path: FieldPath): unknown {
  let value = raw;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** The one candidate within two edits (insert, delete, replace), if there is exactly one nearest. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const [first, second] = ranked;
  if (first === undefined || first.edits > Math.min(2, word.length - 1)) return undefined;
  return second !== undefined && second.edits === first.edits ? undefined : first.candidate;
}

/** Levenshtein distance, one row at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a.charAt(i - 1) === b.charAt(j - 1) ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
