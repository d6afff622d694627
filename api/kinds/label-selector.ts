/** Selectors of labels as Kubernetes writes them: `matchLabels` and `matchExpressions`. */
import { z } from 'zod';
import { type Complaint, quote, rules } from '../schema/field.ts';
import { isQualifiedName, labelComplaints } from '../schema/names.ts';

/**
 * The fields without those that hold nothing: an API server keeps no empty lists and mappings where one means the same as
 * none, and a resource that comes back without them has not changed.
 */
export function withoutEmpty<T extends object>(...names: readonly (keyof T & string)[]) {
  return (fields: T): T => {
    const kept = Object.entries(fields).filter(
      ([name, value]) => !names.some((one) => one === name) || Object.keys(value as object).length > 0,
    );
    return Object.fromEntries(kept) as T;
  };
}

const requirement = rules(
  z.strictObject({
    key: z.string().meta({ examples: ['role'] }),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
    values: z.exactOptional(z.array(z.string())),
  }),
  function* ({ key, operator, values = [] }): Generator<Complaint> {
    if (!isQualifiedName(key)) {
      yield {
        path: ['key'],
        what: `the label key ${quote(key)} is not valid`,
        remedy: 'use letters, digits, "-", "_" and "." (at most 63), optionally after a DNS name and "/"',
      };
    }
    const listed = operator === 'In' || operator === 'NotIn';
    if (listed && values.length === 0) {
      yield { path: ['values'], what: `${operator} without values`, remedy: 'list at least one' };
    }
    if (!listed && values.length > 0) {
      yield { path: ['values'], what: `${operator} looks at no values`, remedy: 'remove them' };
    }
    for (const [index, value] of values.entries()) {
      for (const complaint of labelComplaints({ value })) {
        yield { ...complaint, path: ['values', index] };
      }
    }
  },
).overwrite(withoutEmpty('values'));

export const labelSelector = z
  .strictObject({
    matchLabels: z.exactOptional(rules(z.record(z.string(), z.string()), labelComplaints)),
    matchExpressions: z.exactOptional(z.array(requirement)),
  })
  .overwrite(withoutEmpty('matchLabels', 'matchExpressions'));

/** Absent labels never match `In`; an empty selector matches everything. */
export type LabelSelector = z.output<typeof labelSelector>;
