/**
 * Every kind, each of its fields wrong in turn: whoever reads the message knows which field it is, what stands there, and
 * what to do about it.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { KINDS, type KindInfo } from './kinds/index.ts';
import { formatProblem, type Problem } from './problem.ts';
import { formatPath } from './schema/path.ts';
import { elementOf, fieldsOf, valueOf } from './schema/shape.ts';
import { arbitraryResource } from './testing/arbitraries.ts';
import { asWritten, validate } from './validate.ts';

/** Of every type, so that at least one is wrong wherever anything can be. */
const WRONG: readonly unknown[] = [
  'no such thing!',
  '',
  -987_654_321.5,
  true,
  [['nested']],
  { unheard: 'of' },
  ['10.0.0.0/33', '10.0.0.0/33'],
];

/** Kubernetes' own objects, of which a few fields are read and the rest passes as it is. */
const LOOSE: ReadonlySet<string> = new Set([
  'Pod',
  'Service',
  'Namespace',
  'ServiceAccount',
  'EndpointSlice',
]);

interface Attempt {
  readonly path: readonly (string | number)[];
  readonly wrong: unknown;
  readonly problems: readonly Problem[];
}

describe('a manifest with one field wrong', () => {
  for (const info of KINDS) {
    it(`of ${info.kind} is answered with the field, the value and a remedy`, () => {
      const attempts = attemptsOn(info);
      const refused = attempts.filter(({ problems }) => problems.length > 0);
      for (const attempt of refused) check(attempt);
      if (LOOSE.has(info.kind)) return;
      expect(refused.length).to.be.greaterThan(0);
      const untouched = new Set(attempts.map(({ path }) => shape(path)));
      for (const { path } of refused) untouched.delete(shape(path));
      expect([...untouched], 'fields that take anything').to.deep.equal([]);
    });
  }

  it('or with one field too many is told which, and what was meant', () => {
    for (const info of KINDS.filter(({ kind }) => !LOOSE.has(kind))) {
      const [resource] = fc.sample(arbitraryResource(info), { seed: 1, numRuns: 1 });
      const [field] = Object.keys(fieldsOf(fieldsOf(info.schema)?.['spec'] ?? info.schema) ?? {});
      if (field === undefined || !('spec' in resource!)) continue;
      const typo = `${field}x`;
      const value = { ...asWritten(resource), spec: { ...(resource.spec as object), [typo]: 1 } };
      const result = validate(value);
      const problems = result.ok ? [] : result.problems;
      const told = problems.find(({ code }) => code === 'FIELD_UNKNOWN');
      expect(told?.field, info.kind).to.equal(`spec.${typo}`);
      expect(told?.remedy).to.contain(field);
    }
  });
});

/** Each field in a resource that has it. */
function attemptsOn(info: KindInfo): Attempt[] {
  const tried = new Map<string, number>();
  return fc.sample(arbitraryResource(info), { seed: 7, numRuns: 25 }).flatMap((resource) => {
    const sound = JSON.parse(JSON.stringify(asWritten(resource))) as Record<string, unknown>;
    const paths = pathsIn(sound, info).filter((path) => {
      const times = (tried.get(shape(path)) ?? 0) + 1;
      tried.set(shape(path), times);
      return times === 1;
    });
    return paths.flatMap((path) =>
      WRONG.map((wrong): Attempt => {
        const result = validate(changedAt(sound, path, wrong));
        return { path, wrong, problems: result.ok ? [] : result.problems };
      }),
    );
  });
}

function check({ path, wrong, problems }: Attempt): void {
  const at = formatPath(path);
  const told = problems.map(formatProblem).join('\n');
  for (const { what, remedy, resource, code } of problems) {
    expect(what, told).to.match(/\S.*[^.]$/s);
    expect(remedy, told).to.match(/\S.*[^.]$/s);
    expect(code, told).to.match(/^[A-Z_]+$/);
    expect(resource, told).to.be.a('string');
    expect(`${what} ${remedy}`, told).to.not.match(/undefined|\[object|Invalid input|NaN/);
  }
  // Rules that look at several fields may complain of the other: then that field says why.
  const ofIt = problems.filter(
    ({ field = '' }) => field === at || field.startsWith(at) || at.startsWith(field),
  );
  if (ofIt.length === 0) {
    expect(
      problems.every(({ field }) => (field ?? '') !== ''),
      `${at}: ${told}`,
    ).to.equal(true);
    return;
  }
  const direct = ofIt.find(({ field }) => field === at);
  if (direct === undefined) return;
  expect(direct.value, told).to.deep.equal(wrong);
}

/** All fields of spec and below that the value has; maps only as a whole. */
function pathsIn(value: Record<string, unknown>, { schema }: KindInfo): (string | number)[][] {
  const spec = fieldsOf(schema)?.['spec'];
  return spec === undefined || value['spec'] === undefined ? [] : below(value['spec'], spec, ['spec']);
}

function below(
  value: unknown,
  schema: Parameters<typeof fieldsOf>[0],
  path: (string | number)[],
): (string | number)[][] {
  const element = elementOf(schema);
  if (element !== undefined && Array.isArray(value))
    return value.slice(0, 1).flatMap((item) => [[...path, 0], ...below(item, element, [...path, 0])]);
  const fields = fieldsOf(schema);
  if (fields === undefined || valueOf(schema) !== undefined || typeof value !== 'object' || value === null)
    return [];
  return Object.entries(fields).flatMap(([name, field]) => {
    const member = (value as Record<string, unknown>)[name];
    return member === undefined ? [] : [[...path, name], ...below(member, field, [...path, name])];
  });
}

function changedAt(value: unknown, [step, ...rest]: readonly (string | number)[], wrong: unknown): unknown {
  if (step === undefined) return wrong;
  if (Array.isArray(value)) return value.map((item, i) => (i === step ? changedAt(item, rest, wrong) : item));
  const object = value as Record<string, unknown>;
  return { ...object, [step]: changedAt(object[String(step)], rest, wrong) };
}

function shape(path: readonly (string | number)[]): string {
  return path.map((step) => (typeof step === 'number' ? '[]' : step)).join('.');
}
