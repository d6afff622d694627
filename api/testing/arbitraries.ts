/**
 * Resources of every kind, generated from their schemas: each field is there or not, and what its examples, its words
 * or its bounds say. Rules that look at several fields are met by taking away what breaks them.
 */
import fc from 'fast-check';
import { z } from 'zod';
import type { KindInfo, Resource } from '../kinds/index.ts';
import { validate } from '../validate.ts';

/** Sound resources, as `validate` gives them. */
export function arbitraryResource(info: KindInfo): fc.Arbitrary<Resource> {
  return fc
    .tuple(arbitraryOf(info.schema), arbitraryMetadata(info))
    .map(([value, metadata]): unknown => ({ ...(value as object), metadata }))
    .map((value) => mended(info.schema, value))
    .filter((value) => value !== undefined)
    .map((value) => {
      const result = validate(value);
      if (!result.ok) throw new Error(JSON.stringify(result.problems));
      return result.value;
    });
}

/** Names come from an endpoint's parts or are fixed for some kinds; those are mended into the value's own words. */
function arbitraryMetadata(info: KindInfo): fc.Arbitrary<object> {
  const label = fc.constantFrom('', 'a', 'web', '1.0');
  const words = fc.dictionary(fc.constantFrom('role', 'a.b/c', 'x_y'), label, { minKeys: 1, maxKeys: 2 });
  return fc.record(
    {
      name: fc.constantFrom(...namesFor(info)),
      ...(info.namespaced ? { namespace: fc.constantFrom('prod', 'default') } : {}),
      labels: words,
      annotations: fc.dictionary(fc.constantFrom('note', 'example.com/why'), fc.string(), {
        minKeys: 1,
        maxKeys: 2,
      }),
    },
    { requiredKeys: ['name', ...(info.namespaced ? (['namespace'] as const) : [])] as ['name'] },
  );
}

function namesFor({ kind }: KindInfo): readonly string[] {
  if (FIXED_NAMES.has(kind)) return ['default'];
  if (kind === 'BGPConfiguration') return ['default', 'node.w-1'];
  if (kind === 'FelixConfiguration') return ['default', 'node.w-1', 'edge-nodes'];
  return kind === 'Tier' ? ['platform', 'security'] : ['a', 'web-in', 'b.example-1'];
}

const FIXED_NAMES: ReadonlySet<string> = new Set([
  'BaselineAdminNetworkPolicy',
  'ClusterInformation',
  'IPAMConfiguration',
  'KubeControllersConfiguration',
]);

/** Input of a schema; it may break rules that look at several fields. */
export function arbitraryOf(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const examples = z.globalRegistry.get(schema)?.['examples'];
  if (Array.isArray(examples) && examples.length > 0) return fc.constantFrom<unknown>(...examples);
  if (
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodExactOptional ||
    schema instanceof z.ZodOptional
  )
    return arbitraryOf(schema.unwrap());
  if (schema instanceof z.ZodPipe) return arbitraryOf(schema.in);
  if (schema instanceof z.ZodObject) return arbitraryObject(schema);
  if (schema instanceof z.ZodArray)
    return fc.array(arbitraryOf(schema.element), { minLength: 1, maxLength: 2 });
  if (schema instanceof z.ZodRecord)
    return fc.dictionary(fc.constantFrom('a', 'b.c'), arbitraryOf(schema.valueType), { maxKeys: 2 });
  if (schema instanceof z.ZodUnion) return fc.oneof(...schema.options.map(arbitraryOf));
  if (schema instanceof z.ZodEnum) return fc.constantFrom<unknown>(...schema.options);
  if (schema instanceof z.ZodLiteral) return fc.constantFrom<unknown>(...schema.values);
  if (schema instanceof z.ZodBoolean) return fc.boolean();
  if (schema instanceof z.ZodNumber) return arbitraryNumber(schema);
  if (schema instanceof z.ZodString) return fc.constantFrom('text', 'a b', 'ä"\\');
  if (schema instanceof z.ZodUnknown) return fc.jsonValue();
  throw new TypeError(`nothing generates a ${schema._zod.def.type}`);
}

function arbitraryNumber(schema: z.ZodNumber): fc.Arbitrary<number> {
  const meta = z.globalRegistry.get(schema);
  const [min, max] = [meta?.['minimum'], meta?.['maximum']];
  if (typeof min === 'number' && typeof max === 'number')
    return fc.oneof(
      fc.constantFrom(min, max),
      fc.maxSafeInteger().map((n) => Math.min(max, Math.max(min, n))),
    );
  return fc.constantFrom(0, 1, 10, 1.5, -3);
}

/** Every field is there in half of all objects, deeper ones more rarely than they are worth: objects stay readable. */
function arbitraryObject(schema: z.ZodObject): fc.Arbitrary<object> {
  const fields = Object.entries(schema.shape as Readonly<Record<string, z.core.$ZodType>>).filter(
    ([key]) => key !== 'metadata',
  );
  return fc.record(Object.fromEntries(fields.map(([key, field]) => [key, arbitraryOf(field)])), {
    requiredKeys: fields.flatMap(([key, field]) => (isOptional(field) ? [] : [key])),
  });
}

function isOptional(field: z.core.$ZodType): boolean {
  return (
    field instanceof z.ZodExactOptional || field instanceof z.ZodOptional || field instanceof z.ZodPrefault
  );
}

/** The value without what breaks rules; undefined when that leads nowhere. */
function mended(schema: z.ZodType, value: unknown): unknown {
  const current = structuredClone(value);
  for (let round = 0; round < 40; round++) {
    const { error } = schema.safeParse(current);
    if (error === undefined) return current;
    for (const { path, message } of error.issues) {
      if (path.length === 2 && path[0] === 'metadata' && path[1] === 'name') {
        // An endpoint is named after its parts, and the complaint does not say so in a form to be used: no name fits.
        const metadata = (current as { metadata: Record<string, unknown> }).metadata;
        const named = /name it ([^ ,]+)$/.exec(remedyOf(error, path) ?? message)?.[1];
        if (named === undefined) return undefined;
        metadata['name'] = named;
      } else if (!removeAt(current, path)) return undefined;
    }
  }
  return undefined;
}

function remedyOf(error: z.ZodError, path: readonly PropertyKey[]): string | undefined {
  const issue = error.issues.find((one) => one.path.join() === path.join());
  return issue?.code === 'custom' ? String(issue.params?.['remedy']) : undefined;
}

/** Takes away the value at the path, or the nearest around it that can be spared. */
function removeAt(root: unknown, path: readonly PropertyKey[]): boolean {
  if (path.length < 2) return false;
  const parent = path
    .slice(0, -1)
    .reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown> | undefined)?.[step], root);
  const last = path.at(-1)!;
  if (Array.isArray(parent) && typeof last === 'number' && last < parent.length) {
    parent.splice(last, 1);
    return true;
  }
  if (typeof parent !== 'object' || parent === null) return removeAt(root, path.slice(0, -1));
  if (!Object.hasOwn(parent, last)) return removeAt(root, path.slice(0, -1));
  return delete (parent as Record<PropertyKey, unknown>)[last];
}
