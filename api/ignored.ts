/** Which fields of a resource are stored without effect, for people to be told. */
import { z } from 'zod';
import { ACTED_ON } from './kinds/acted-on.ts';
import { kindInfo, type Resource } from './kinds/index.ts';
import type { FieldPath } from './schema/path.ts';
import { fieldsOf, schemaAt } from './schema/shape.ts';

/**
 * Paths of fields that are set and not acted on, `[]` for the items of a list, in the order of the schema. A field at
 * its default says nothing, nor does a switch that is off.
 */
export function notActedOn(resource: Resource): string[] {
  const info = kindInfo(resource.kind);
  return ignoredFields(resource.kind).filter((path) => {
    const steps = path.split('.').flatMap((step) => (step.endsWith('[]') ? [step.slice(0, -2), 0] : [step]));
    const schema = info === undefined ? undefined : schemaAt(info.schema, steps);
    return somewhere(resource, steps, (value) => says(schema, value));
  });
}

/** All fields of a kind that are not acted on. */
export function ignoredFields(kind: Resource['kind']): readonly string[] {
  const { ignored = [], acted } = ACTED_ON[kind] ?? {};
  if (acted === undefined) return ignored;
  const info = kindInfo(kind);
  const spec = info === undefined ? undefined : schemaAt(info.schema, ['spec']);
  const fields = Object.keys((spec === undefined ? undefined : fieldsOf(spec)) ?? {});
  return [...ignored, ...fields.filter((field) => !acted.includes(field)).map((field) => `spec.${field}`)];
}

/** @param steps  0 stands for every item of a list */
function somewhere(value: unknown, steps: FieldPath, found: (value: unknown) => boolean): boolean {
  const [step, ...rest] = steps;
  if (step === undefined) return found(value);
  if (typeof step === 'number')
    return Array.isArray(value) && value.some((item) => somewhere(item, rest, found));
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false;
  return somewhere((value as Readonly<Record<string, unknown>>)[step], rest, found);
}

function says(schema: z.core.$ZodType | undefined, value: unknown): boolean {
  if (value === undefined || value === false || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return !(schema instanceof z.ZodPrefault && schema.def.defaultValue === value);
}
