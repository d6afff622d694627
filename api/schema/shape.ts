/** Looking into a schema: which fields an object has, and what stands at a path. */
import { z } from 'zod';
import type { FieldPath } from './path.ts';

/** The schema that judges the raw input first, without the wrappers that make it optional or defaulted. */
export function bare(schema: z.core.$ZodType): z.core.$ZodType {
  let current = schema;
  for (;;) {
    if (current instanceof z.ZodPipe) current = current.in;
    else if (
      current instanceof z.ZodOptional ||
      current instanceof z.ZodExactOptional ||
      current instanceof z.ZodDefault ||
      current instanceof z.ZodPrefault ||
      current instanceof z.ZodNullable
    ) {
      current = current.unwrap();
    } else return current;
  }
}

/** The fields of an object schema by name; undefined for anything else. */
export function fieldsOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> | undefined {
  const core = bare(schema);
  return core instanceof z.ZodObject ? core.shape : undefined;
}

/** Whether an object schema lets fields pass that it does not name. */
export function isLoose(schema: z.core.$ZodType): boolean {
  const core = bare(schema);
  return core instanceof z.ZodObject && core.def.catchall instanceof z.ZodUnknown;
}

export function schemaAt(schema: z.core.$ZodType, path: FieldPath): z.core.$ZodType | undefined {
  let current: z.core.$ZodType | undefined = schema;
  for (const step of path) {
    if (current === undefined) return undefined;
    current = typeof step === 'number' ? elementOf(current) : (fieldsOf(current)?.[step] ?? valueOf(current));
  }
  return current;
}

/**
 * The value without fields that are null. Kubernetes' tools write null for "unset", and an empty `labels:`
 * in YAML is null too. Only known fields are dropped: an unknown one stays, to be complained about.
 */
export function withoutNulls(schema: z.core.$ZodType, value: unknown): unknown {
  return filtered(schema, value, (known, field) => !known || field !== null);
}

/** The value without fields that the schema does not know. */
export function withoutUnknown(schema: z.core.$ZodType, value: unknown): unknown {
  return filtered(schema, value, (known) => known);
}

type Keep = (known: boolean, field: unknown) => boolean;

function filtered(schema: z.core.$ZodType | undefined, value: unknown, keep: Keep): unknown {
  if (schema === undefined || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const element = elementOf(schema);
    return value.map((item: unknown) => filtered(element, item, keep));
  }
  const fields = fieldsOf(schema);
  if (fields === undefined) {
    const member = valueOf(schema);
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, filtered(member, each, keep)]),
    );
  }
  const loose = isLoose(schema);
  const known = (key: string): boolean => Object.hasOwn(fields, key);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, field]) => keep(known(key) || (loose && field !== null), field))
      .map(([key, field]) => [key, known(key) ? filtered(fields[key], field, keep) : field]),
  );
}

/** What every value of a mapping with free keys is. */
export function valueOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const core = bare(schema);
  return core instanceof z.ZodRecord ? core.valueType : undefined;
}

/** What every item of a list is. */
export function elementOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const core = bare(schema);
  return core instanceof z.ZodArray ? core.element : undefined;
}
