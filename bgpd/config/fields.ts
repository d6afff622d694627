/** How fields of router.yaml are described: each with a sentence for the reference and, where it has one, its default. */
import { z } from 'zod';

/** A field that may be left out. The default is for people here (zod would drop a `default` in front of a transformation); whoever uses the value fills it in. */
export function optional<S extends z.ZodType>(schema: S, description: string, preset?: unknown) {
  return z.exactOptional(schema).meta(preset === undefined ? { description } : { description, preset });
}

export function required<S extends z.ZodType>(schema: S, description: string): S {
  return schema.meta({ description });
}
