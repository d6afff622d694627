/** What zod found, in the words of {@link Problem}: field, value, remedy. */
import type { z } from 'zod';
import type { Position, Problem } from '../problem.ts';
import { quote } from './field.ts';
import { type FieldPath, formatPath, valueAt } from './path.ts';
import { fieldsOf, schemaAt } from './shape.ts';
import { nearest } from './suggest.ts';

export interface Subject {
  readonly schema: z.core.$ZodType;
  readonly input: unknown;
  /** Undefined where the text is no resource. */
  readonly resource?: string | undefined;
  readonly at: ((path: FieldPath) => Position) | undefined;
}

export function problemsOf(issues: readonly z.core.$ZodIssue[], subject: Subject): Problem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => unknownField([...path, key], subject));
    const { what, remedy, code } = told(issue, valueAt(subject.input, path));
    return [problem(subject, path, code, what, remedy)];
  });
}

/** A problem of one field, with its value and its place. */
export function problem(
  subject: Subject,
  path: FieldPath,
  code: string,
  what: string,
  remedy: string,
): Problem {
  const value = valueAt(subject.input, path);
  return {
    code,
    what,
    remedy,
    ...(subject.resource === undefined ? {} : { resource: subject.resource }),
    field: formatPath(path),
    ...(value === undefined ? {} : { value }),
    ...(subject.at === undefined ? {} : { at: subject.at(path) }),
  };
}

interface Told {
  readonly what: string;
  readonly remedy: string;
  readonly code: string;
}

function unknownField(path: FieldPath, subject: Subject): Problem {
  const key = String(path.at(-1));
  const parent = schemaAt(subject.schema, path.slice(0, -1));
  const known = Object.keys((parent === undefined ? undefined : fieldsOf(parent)) ?? {});
  const suggestion = nearest(key, known);
  const remedy =
    suggestion === undefined
      ? `remove it; the fields here are ${known.join(', ')}`
      : `write "${suggestion}" if that is what you mean`;
  return problem(subject, path, 'FIELD_UNKNOWN', `there is no field "${key}"`, remedy);
}

function told(issue: z.core.$ZodIssue, value: unknown): Told {
  if (issue.code === 'custom') {
    const { remedy, code } = issue.params ?? {};
    return { what: issue.message, remedy: String(remedy), code: String(code) };
  }
  const want = wanted(issue);
  if (value === undefined) return { code: 'FIELD_MISSING', what: 'is missing', remedy: `add it: ${want}` };
  const code =
    issue.code === 'invalid_type' || issue.code === 'invalid_union' ? 'FIELD_TYPE' : 'FIELD_INVALID';
  return { code, what: `${quote(value)} is not ${want}`, remedy: remedyFor(issue, value, want) };
}

function wanted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      // A field that says what it wants does so as its message; zod's own begins like this.
      return issue.message.startsWith('Invalid input')
        ? (TYPES[issue.expected] ?? `a ${issue.expected}`)
        : issue.message;
    case 'invalid_value':
      return issue.values.length === 1
        ? quote(issue.values[0])
        : `one of ${issue.values.map((value) => String(value)).join(', ')}`;
    case 'too_big':
      return issue.origin === 'array' ? `a list of at most ${issue.maximum}` : `at most ${issue.maximum}`;
    case 'too_small':
      return issue.origin === 'array' ? `a list of at least ${issue.minimum}` : `at least ${issue.minimum}`;
    case 'invalid_union': {
      // Most unions say what they want; of the others each branch does.
      if (!issue.message.startsWith('Invalid input')) return issue.message;
      const branches = issue.errors.flatMap(([first]) => (first === undefined ? [] : wanted(first)));
      return branches.length === 0 ? 'what is allowed here' : [...new Set(branches)].join(', or ');
    }
    case 'custom':
      // Told of the value: "... is not a port name".
      return issue.message.slice(issue.message.lastIndexOf(' is not ') + 1).replace(/^is not /, '');
    default:
      return issue.message;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of fields',
  record: 'a mapping',
};

function remedyFor(issue: z.core.$ZodIssue, value: unknown, want: string): string {
  if (issue.code === 'invalid_value') {
    const options = issue.values.map(String);
    const suggestion = typeof value === 'string' ? nearest(value, options) : undefined;
    return suggestion === undefined ? `use ${want}` : `write ${suggestion}`;
  }
  const scalar = typeof value === 'number' || typeof value === 'boolean';
  if (issue.code === 'invalid_type' && issue.expected === 'string' && scalar) {
    return `put it in quotes: "${String(value)}"`;
  }
  return `write ${want}`;
}
