/** Leaves a test out, and says why in the report itself. */
export function skip(context: Mocha.Context, why: string): never {
  const { test } = context;
  if (test !== undefined) test.title += ` (SKIPPED: ${why})`;
  return context.skip();
}
