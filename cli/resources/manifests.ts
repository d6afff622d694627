/** What -f gives, checked: resources in their namespaces, each knowing where it stands in the user's text. */
import {
  fail,
  type ManifestDocument,
  ok,
  parseManifests,
  type Problem,
  type Result,
} from '../../api/index.ts';
import { UsageError } from '../command.ts';
import type { Terminal } from '../terminal.ts';
import { readFiles } from './files.ts';
import { placeInNamespace } from './select.ts';

export interface FileArguments {
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly 'skip-empty': boolean;
  readonly namespace: string | undefined;
}

/** Problems of all documents of all files together, so that a person mends them in one go. */
export async function loadManifests(
  args: FileArguments,
  terminal: Terminal,
): Promise<Result<ManifestDocument[]>> {
  if (args.filename.length === 0)
    throw new UsageError('-f is missing: name a file, a folder, or - for standard input');
  const texts = await readFiles(args.filename, args.recursive, terminal);
  if (!texts.ok) return texts;
  const documents: ManifestDocument[] = [];
  const problems: Problem[] = [];
  for (const { file, text } of texts.value) {
    const parsed = parseManifests(text, file);
    if (!parsed.ok) problems.push(...parsed.problems);
    else if (parsed.value.length === 0 && !args['skip-empty']) problems.push(empty(file));
    else documents.push(...parsed.value);
  }
  if (texts.value.length === 0 && !args['skip-empty']) problems.push(empty(args.filename.join(', ')));
  if (problems.length > 0) return fail(...problems);
  return ok(
    documents.map((document) => ({
      resource: placeInNamespace(document.resource, args.namespace),
      at: (field) => document.at(field),
    })),
  );
}

function empty(file: string): Problem {
  return {
    code: 'FILE_EMPTY',
    value: file,
    what: `there is no resource in ${file}`,
    remedy: 'name another file, or allow this with --skip-empty',
  };
}
