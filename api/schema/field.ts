/**
 * How a field says what is wrong with its value: what was found, and what to do instead. Both travel
 * through zod as one custom issue and come out as a {@link Problem} in `problems.ts`.
 */
import { z } from 'zod';

export interface Complaint {
  /** Continues "field: ": what was found, quoting the value. */
  readonly what: string;
  readonly remedy: string;
  /** Default `FIELD_INVALID`. */
  readonly code?: string;
  /** Where below the checked value; empty for the value itself. */
  readonly path?: readonly (string | number)[];
}

/** A parsed value, or the complaint about its text. */
export type Reading<T> = { readonly value: T } | Complaint;

/** A field that users write as text and that is read, checked and brought to one spelling in one step. */
export function read<I, T>(schema: z.ZodType<I>, reader: (input: I) => Reading<T>) {
  return schema.transform((input, context): T => {
    const reading = reader(input);
    if ('value' in reading) return reading.value;
    context.issues.push(issueOf(reading, input, false));
    return z.NEVER;
  });
}

/** Adds rules that look at several fields together. They run only when each field alone is sound. */
export function rules<S extends z.ZodType>(schema: S, check: (value: z.output<S>) => Iterable<Complaint>): S {
  return schema.check((context) => {
    for (const complaint of check(context.value)) {
      context.issues.push(issueOf(complaint, context.value, true));
    }
  });
}

/** Text; `want` says what kind of text, for when it is missing or is not text at all. */
export function text(want: string) {
  return z.string({ error: want });
}

/** The value as it stands in a message: JSON, cut where it gets long. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** `sound`: the value is usable although it breaks a rule, so the rules above it may still look at it. */
function issueOf(complaint: Complaint, input: unknown, sound: boolean): z.core.$ZodRawIssue {
  return {
    code: 'custom',
    input,
    path: [...(complaint.path ?? [])],
    message: complaint.what,
    params: { remedy: complaint.remedy, code: complaint.code ?? 'FIELD_INVALID' },
    continue: sound,
  };
}
