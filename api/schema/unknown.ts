/**
 * Fields that a schema does not know, in values that a newer tool wrote. Who changes such a value keeps them: what is
 * not understood is not taken away.
 */
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import type { FieldPath } from './path.ts';
import { elementOf, fieldsOf, isLoose, valueOf, withoutUnknown } from './shape.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Where in the value such fields are. */
export function unknownFields(schema: z.core.$ZodType, value: unknown): FieldPath[] {
  if (typeof value !== 'object' || value === null) return [];
  return parts(schema, value).flatMap(({ step, schema: inner, known, value: part }) =>
    known ? (inner === undefined ? [] : unknownFields(inner, part)).map((path) => [step, ...path]) : [[step]],
  );
}

/**
 * The wanted value with such fields of the stored one, wherever the place they are in is still there and the wanted value
 * says nothing of them. The item of a list is still there when all that is known of it is the same; or, in a list of the
 * same length, at the same place.
 */
export function keepUnknown(schema: z.core.$ZodType | undefined, wanted: unknown, stored: unknown): unknown {
  if (schema === undefined || typeof wanted !== 'object' || typeof stored !== 'object') return wanted;
  if (wanted === null || stored === null) return wanted;
  if (Array.isArray(wanted)) return itemwise(keepUnknown, schema, wanted, stored);
  if (Array.isArray(stored)) return wanted;
  const before = stored as Fields;
  const kept = parts(schema, before).filter(({ known, step }) => !known && !Object.hasOwn(wanted, step));
  return {
    ...Object.fromEntries(
      parts(schema, wanted).map(({ step, schema: inner, known, value }) => [
        step,
        known && Object.hasOwn(before, step) ? keepUnknown(inner, value, before[step]) : value,
      ]),
    ),
    ...Object.fromEntries(kept.map(({ step, value }) => [step, value])),
  };
}

/** The wanted value without such fields that the stored one has too, with the same value at the same place. */
export function withoutKept(schema: z.core.$ZodType | undefined, wanted: unknown, stored: unknown): unknown {
  if (schema === undefined || typeof wanted !== 'object' || typeof stored !== 'object') return wanted;
  if (wanted === null || stored === null) return wanted;
  if (Array.isArray(wanted)) return itemwise(withoutKept, schema, wanted, stored);
  if (Array.isArray(stored)) return wanted;
  const before = stored as Fields;
  return Object.fromEntries(
    parts(schema, wanted).flatMap(({ step, schema: inner, known, value }): [string | number, unknown][] => {
      if (known) return [[step, withoutKept(inner, value, before[step])]];
      return Object.hasOwn(before, step) && isDeepStrictEqual(value, before[step]) ? [] : [[step, value]];
    }),
  );
}

/** The same for each item of a list, beside the stored item that it is. */
function itemwise(
  each: (schema: z.core.$ZodType | undefined, wanted: unknown, stored: unknown) => unknown,
  schema: z.core.$ZodType,
  wanted: readonly unknown[],
  stored: unknown,
): unknown {
  const element = elementOf(schema);
  if (!Array.isArray(stored) || element === undefined) return wanted;
  const partners = partnersOf(element, wanted, stored);
  return wanted.map((item, i) => each(element, item, partners[i]));
}

/** For each item the stored one that it is, or was made from. */
function partnersOf(
  element: z.core.$ZodType,
  wanted: readonly unknown[],
  stored: readonly unknown[],
): readonly unknown[] {
  const known = stored.map((item) => withoutUnknown(element, item));
  const free = new Set(stored.keys());
  const found = wanted.map((item, i) => {
    const mine = withoutUnknown(element, item);
    const same = [i, ...free].find((j) => free.has(j) && isDeepStrictEqual(known[j], mine));
    if (same !== undefined) free.delete(same);
    return same;
  });
  return found.map((same, i) => {
    if (same !== undefined) return stored[same];
    return wanted.length === stored.length && free.has(i) ? stored[i] : undefined;
  });
}

interface Part {
  readonly step: string | number;
  readonly schema: z.core.$ZodType | undefined;
  readonly known: boolean;
  readonly value: unknown;
}

function parts(schema: z.core.$ZodType, value: object): Part[] {
  if (Array.isArray(value)) {
    const element = elementOf(schema);
    return value.map((item: unknown, step) => ({ step, schema: element, known: true, value: item }));
  }
  const fields = fieldsOf(schema);
  const member = valueOf(schema);
  return Object.entries(value).map(([step, part]: [string, unknown]) => {
    if (fields === undefined) return { step, schema: member, known: true, value: part };
    const known = Object.hasOwn(fields, step);
    return { step, schema: known ? fields[step] : undefined, known: known || isLoose(schema), value: part };
  });
}
