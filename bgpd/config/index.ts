/** Configuration of a speaker that runs alone: text of router.yaml in, everything the daemon needs out. Pure. */
import { z } from 'zod';
import { fail, ok, type Problem, type Result } from '../../api/problem.ts';
import { parseSingle } from '../../api/manifest/single.ts';
import { rules } from '../../api/schema/field.ts';
import { formatPath } from '../../api/schema/path.ts';
import { problemsOf } from '../../api/schema/problems.ts';
import { withoutNulls } from '../../api/schema/shape.ts';
import { crossChecks } from './check.ts';
import { convert, oddities, type RouterSetup } from './convert.ts';
import { router, type RouterConfig } from './schema.ts';

export type { DynamicRange, RouterSetup } from './convert.ts';
export type { RouterConfig } from './schema.ts';

export interface ReadRouter {
  readonly setup: RouterSetup;
  /** What is legal and hardly meant, such as an external peer without policy. */
  readonly warnings: readonly Problem[];
}

/** A configuration as people write it: what router.yaml says, as a value. */
export type RouterInput = z.input<typeof router>;

const checked = rules(router, crossChecks);

/** The text as a value that has been checked; plain data, so that it can be handed to another thread. */
export interface CheckedRouter extends Pick<ReadRouter, 'warnings'> {
  readonly config: RouterConfig;
}

/** @param file  what to call the text in problems; each has its line and column */
export function readRouter(text: string, file?: string): Result<ReadRouter> {
  const checkedText = checkRouter(text, file);
  if (!checkedText.ok) return checkedText;
  const { config, warnings } = checkedText.value;
  return ok({ setup: convert(config), warnings });
}

/** The half of {@link readRouter} that takes long, and much code. */
export function checkRouter(text: string, file?: string): Result<CheckedRouter> {
  const parsed = parseSingle(checked, text, file);
  if (!parsed.ok) return fail(...parsed.problems);
  const { value } = parsed.value;
  const warnings = oddities(value).map(({ path, ...rest }) => ({
    ...rest,
    field: formatPath(path),
    at: parsed.value.at(path),
  }));
  return ok({ config: value, warnings });
}

/** The same for a value in place of a text; problems name fields. */
export function routerSetup(config: RouterInput): Result<ReadRouter> {
  const input = withoutNulls(checked, config);
  const parsed = checked.safeParse(input);
  if (!parsed.success)
    return fail(...problemsOf(parsed.error.issues, { schema: checked, input, at: undefined }));
  const warnings = oddities(parsed.data).map(({ path, ...rest }) => ({ ...rest, field: formatPath(path) }));
  return ok({ setup: convert(parsed.data), warnings });
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
