/**
 * Text of a manifest file to resources. YAML or JSON, several documents, lists flattened. Nothing of a file
 * is good unless all of it is: the problems of every document are told together.
 */
import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { fail, ok, type Position, type Problem, type Result } from '../problem.ts';
import type { Resource } from '../kinds/index.ts';
import { type FieldPath, parsePath } from '../schema/path.ts';
import { validate } from '../validate.ts';
import { byPlace, plainValue } from './document.ts';
import { locate, type Source } from './locate.ts';

export interface ManifestDocument {
  readonly resource: Resource;
  /** Place of a field given as users write it (`spec.ingress[0].action`); without one, of the resource. */
  at(field?: string): Position;
}

/** @param file  what to call the text in problems: a path, or `-` for standard input */
export function parseManifests(text: string, file?: string): Result<ManifestDocument[]> {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const documents: readonly Document.Parsed[] = 'empty' in parsed ? [] : parsed;
  const resources: ManifestDocument[] = [];
  const problems: Problem[] = [];
  for (const [index, document] of documents.entries()) {
    const origin: Position = { ...(file === undefined ? {} : { file }), document: index + 1 };
    const found = readDocument({ document, lines, origin });
    if (found.ok) resources.push(...found.value);
    else problems.push(...found.problems);
  }
  return problems.length > 0 ? fail(...problems) : ok(resources);
}

function readDocument(source: Source): Result<ManifestDocument[]> {
  const plain = plainValue(source);
  if (!plain.ok) return plain;
  const documents: ManifestDocument[] = [];
  const problems: Problem[] = [];
  for (const { value, path } of items(plain.value, [])) {
    const result = validate(value, (field) => locate(source, [...path, ...field]));
    if (result.ok)
      documents.push({ resource: result.value, at: (field) => locate(source, [...path, ...steps(field)]) });
    else problems.push(...result.problems);
  }
  return problems.length > 0 ? fail(...problems.toSorted(byPlace)) : ok(documents);
}

interface Item {
  readonly value: unknown;
  readonly path: FieldPath;
}

/** Resources in a document: itself, the items of a `List` or of an array; none in an empty one. */
function* items(value: unknown, path: FieldPath): Generator<Item> {
  if (value === null || value === undefined) return;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* items(item, [...path, index]);
    return;
  }
  const { kind, items: members } = value as { readonly kind?: unknown; readonly items?: unknown };
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(members))
    yield* items(members, [...path, 'items']);
  else yield { value, path };
}

function steps(field: string | undefined): FieldPath {
  return field === undefined ? [] : (parsePath(field) ?? []);
}
