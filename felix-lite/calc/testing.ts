/** For tests of short ways past the schema: edits of what is common that a hasty check would not see. */
import fc from 'fast-check';

/** Values near enough to right ones that a hasty check would take them. */
export const oddities = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    0,
    1,
    -1,
    65_536,
    1.5,
    true,
    {},
    [],
    '',
    'a',
    'A',
    '-a',
    'a-',
    'a.b',
    'a..b',
    'a_b',
    '__proto__',
    'tcp',
    'TCP',
    'icmp',
    'HTTP',
    'http-1',
    '10.0.0.1',
    '10.0.0.1/24',
    '10.0.0.1/032',
    '10.0.0.256/32',
    'fd00::1/32',
    '/32',
    '::ffff:10.0.0.1/128',
    'fd00::1%1/128',
    'a'.repeat(16),
    'a'.repeat(64),
    'a'.repeat(254),
    'é',
  ),
  fc.string({ maxLength: 6 }),
);

/** Paths of everything in a common resource, and of some that are not in it. */
export function paths(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const own = Object.entries(value).flatMap(([key, each]) => paths(each, [...path, key]));
  return [path, ...own, [...path, 'more']];
}

export function put(value: unknown, [key, ...rest]: readonly string[], what: unknown): unknown {
  if (key === undefined) return what;
  if (typeof value !== 'object' || value === null) return value;
  const copy = structuredClone(value) as Record<string, unknown>;
  if (what === undefined && rest.length === 0 && !Array.isArray(copy)) delete copy[key];
  else copy[key] = put(copy[key], rest, what);
  return copy;
}
