/**
 * A file that is one document under one schema, such as a daemon's configuration: the value, or every problem with its
 * line and column. The same rules as for manifests: unknown fields are refused, null means "not there".
 */
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { fail, ok, type Position, type Result } from '../problem.ts';
import type { FieldPath } from '../schema/path.ts';
import { problemsOf } from '../schema/problems.ts';
import { withoutNulls } from '../schema/shape.ts';
import { byPlace, plainValue } from './document.ts';
import { locate, type Source } from './locate.ts';

export interface SingleDocument<T> {
  readonly value: T;
  /** Place of a field: of its key in a mapping, of the item in a list. */
  at(path: FieldPath): Position;
}

/** @param file  what to call the text in problems */
export function parseSingle<S extends z.ZodType>(
  schema: S,
  text: string,
  file?: string,
): Result<SingleDocument<z.output<S>>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const source: Source = { document, lines, origin: file === undefined ? {} : { file } };
  const plain = plainValue(source);
  if (!plain.ok) return plain;
  const at = (path: FieldPath): Position => locate(source, path);
  // An empty file lacks every field, which says more than "null is not a mapping".
  const input = withoutNulls(schema, plain.value ?? {});
  const parsed = schema.safeParse(input);
  if (parsed.success) return ok({ value: parsed.data, at });
  return fail(...problemsOf(parsed.error.issues, { schema, input, at }).toSorted(byPlace));
}
