/** Configuration of a speaker that runs alone: text of router.yaml in, everything the daemon needs out. Pure. */
import { z } from 'zod';
import { fail, ok, type Problem, type Result } from '../../api/problem.ts';
import { parseSingle } from '../../api/manifest/single.ts';
import { rules } from '../../api/schema/field.ts';
import { formatPath } from '../../api/schema/path.ts';
import { crossChecks } from './check.ts';
import { convert, oddities, type RouterSetup } from './convert.ts';
import { router } from './schema.ts';

export type { RouterSetup } from './convert.ts';

export interface ReadRouter {
  readonly setup: RouterSetup;
  /** What is legal and hardly meant, such as an external peer without policy. */
  readonly warnings: readonly Problem[];
}

const checked = rules(router, crossChecks);

/** @param file  what to call the text in problems; each has its line and column */
export function readRouter(text: string, file?: string): Result<ReadRouter> {
  const parsed = parseSingle(checked, text, file);
  if (!parsed.ok) return fail(...parsed.problems);
  const { value } = parsed.value;
  const warnings = oddities(value).map(({ path, ...rest }) => ({
    ...rest,
    field: formatPath(path),
    at: parsed.value.at(path),
  }));
  return ok({ setup: convert(value), warnings });
}

/** For editors, and for the reference in docs/. */
export function routerSchema(): Record<string, unknown> {
  return {
    title: 'router.yaml',
    ...z.toJSONSchema(router, {
      io: 'input',
      target: 'draft-2020-12',
      unrepresentable: 'any',
      override: ({ jsonSchema }) => {
        if (!('preset' in jsonSchema)) return;
        jsonSchema.default = jsonSchema['preset'];
        delete jsonSchema['preset'];
      },
    }),
  };
}
