/** One YAML document as the user wrote it: its plain value, or what is wrong with its syntax and where. */
import type { YAMLParseError } from 'yaml';
import { fail, ok, type Problem, type Result } from '../problem.ts';
import type { Source } from './locate.ts';

/** @returns problems of syntax, each with its place; also where anchors multiply beyond reason, the "billion laughs" */
export function plainValue(source: Source): Result<unknown> {
  const { errors } = source.document;
  if (errors.length > 0) return fail(...telling(errors).map((error) => syntaxProblem(source, error)));
  try {
    return ok(source.document.toJS({ maxAliasCount: 100 }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail({
      code: 'MANIFEST_SYNTAX',
      what: `its anchors cannot be resolved: ${reason}`,
      remedy: 'write the repeated parts out',
      at: source.origin,
    });
  }
}

/** Problems in the order in which a reader of the file meets them. */
export function byPlace(a: Problem, b: Problem): number {
  return (a.at?.line ?? 0) - (b.at?.line ?? 0) || (a.at?.column ?? 0) - (b.at?.column ?? 0);
}

/** One torn line makes many errors after it: repeated keys are told all, of the rest only the first. */
function telling(errors: readonly YAMLParseError[]): readonly YAMLParseError[] {
  const first = errors.find((error) => error.code !== 'DUPLICATE_KEY');
  return first === undefined ? errors : [first];
}

function syntaxProblem(source: Source, error: YAMLParseError): Problem {
  const { line, col } = source.lines.linePos(error.pos[0]);
  const known = SYNTAX[error.code];
  return {
    code: 'MANIFEST_SYNTAX',
    what: `the text is not valid YAML: ${known?.what ?? error.message}`,
    remedy:
      known?.remedy ?? 'mend the line; indentation is by spaces, and text with ": " or " #" needs quotes',
    at: { ...source.origin, line, column: col },
  };
}

const SYNTAX: Readonly<Record<string, { readonly what: string; readonly remedy: string }>> = {
  DUPLICATE_KEY: { what: 'a field is given twice', remedy: 'keep one of the two' },
  TAB_AS_INDENT: { what: 'a tab indents the line', remedy: 'indent with spaces' },
  RESOURCE_EXHAUSTION: {
    what: 'it is nested too deep',
    remedy: 'no resource has more than a few dozen levels',
  },
};
