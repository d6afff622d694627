/** One plain value, as read from a file or a store, to one resource with its defaults; or every problem in it. */
import { fail, ok, type Position, type Problem, type Result } from './problem.ts';
import { type KindInfo, KINDS, kindInfo, type Resource, writtenKind } from './kinds/index.ts';
import { blockAffinity } from './kinds/block-affinity.ts';
import { withDefaults } from './defaults.ts';
import { quote } from './schema/field.ts';
import { type FieldPath, formatPath } from './schema/path.ts';
import { problemsOf } from './schema/problems.ts';
import { withoutNulls, withoutUnknown } from './schema/shape.ts';
import { nearest } from './schema/suggest.ts';
import { keepUnknown, unknownFields, withoutKept } from './schema/unknown.ts';

/** Where a field stands in the user's text. */
export type Locate = (path: FieldPath) => Position;

/**
 * @param value  never changed
 * @param at  gives problems their place, where the value came from a text
 * @returns the resource in canonical spelling (addresses, protocols, ports) with Calico's defaults filled in
 */
export function validate(value: unknown, at?: Locate): Result<Resource> {
  return check(value, at, (input) => input);
}

/**
 * The same for a value out of a datastore, where other tools write too: fields that we do not know are passed
 * over instead of refused. Whoever writes the object back must merge into the stored value, or they are lost.
 */
export function readStored(value: unknown): Result<Resource> {
  return check(value, undefined, (input, schema) => withoutUnknown(schema, input));
}

/**
 * Problems of writing a resource over what is stored. Fields that we do not know are none where the stored value has
 * them too: a newer tool wrote them, and whoever read them hands them back.
 */
export function writeProblems(resource: Resource, stored: unknown): readonly Problem[] {
  const result = validate(resource);
  if (result.ok) return [];
  if (stored === undefined) return result.problems;
  const { schema } = writtenKind(resource.apiVersion, resource.kind) ?? {};
  const rest = validate(withoutKept(schema, resource, stored));
  return rest.ok ? [] : rest.problems;
}

/** The resource with the fields of the stored value that we do not know, where their place is still there. */
export function keepingUnknown<R extends Resource>(resource: R, stored: unknown): R {
  const { schema } = writtenKind(resource.apiVersion, resource.kind) ?? {};
  return keepUnknown(schema, resource, stored) as R;
}

/** What we know of a stored resource, and the paths of the rest. */
export function knownPart(resource: Resource): {
  readonly resource: Resource;
  readonly rest: readonly string[];
} {
  const { schema } = writtenKind(resource.apiVersion, resource.kind) ?? {};
  if (schema === undefined) return { resource, rest: [] };
  const rest = unknownFields(schema, resource).map(formatPath);
  return rest.length === 0
    ? { resource, rest }
    : { resource: withoutUnknown(schema, resource) as Resource, rest };
}

/** The resource as a manifest spells it, for people and other tools to see. */
export function asWritten(resource: Resource): Omit<Resource, 'kind'> & { readonly kind: string } {
  return { ...resource, kind: kindInfo(resource.kind)?.written.kind ?? resource.kind };
}

type Prepare = (value: unknown, schema: KindInfo['schema']) => unknown;

function check(value: unknown, at: Locate | undefined, prepare: Prepare): Result<Resource> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fail(
      header(
        [],
        value,
        `${quote(value)} is not a resource`,
        'write a mapping with apiVersion, kind, metadata and spec',
        at,
      ),
    );
  }
  const { kind, apiVersion } = value as { readonly kind?: unknown; readonly apiVersion?: unknown };
  const info = writtenKind(apiVersion, kind);
  if (info === undefined) {
    const versions = KINDS.flatMap(({ written }) => (written.kind === kind ? [written.apiVersion] : []));
    return fail(versions.length > 0 ? wrongVersion(apiVersion, versions, at) : unknownKind(kind, at));
  }
  const input = prepare(withoutNulls(info.schema, { ...value, kind: info.kind }), info.schema);
  const parsed = info.schema.safeParse(input);
  if (parsed.success) return ok(withDefaults(parsed.data));
  const resource = nameOf(info.kind, value);
  return fail(...problemsOf(parsed.error.issues, { schema: info.schema, input, resource, at }));
}

function unknownKind(kind: unknown, at: Locate | undefined): Problem {
  if (kind === undefined) {
    return header(['kind'], kind, 'is missing', 'add it: the kind of the resource, such as IPPool', at);
  }
  if (kind === blockAffinity.kind) {
    const what = 'block affinities are kept by IPAM and cannot be written';
    return header(['kind'], kind, what, 'see them with: poplin ipam show --show-blocks', at);
  }
  const known = [...new Set(KINDS.map(({ written }) => written.kind))];
  const meant = typeof kind === 'string' ? (kindInfo(kind)?.written.kind ?? nearest(kind, known)) : undefined;
  const remedy = meant === undefined ? `use one of ${known.join(', ')}` : `write ${meant}`;
  return header(['kind'], kind, `${quote(kind)} is not a kind that Poplin knows`, remedy, at);
}

function wrongVersion(apiVersion: unknown, wanted: readonly string[], at: Locate | undefined): Problem {
  const what =
    apiVersion === undefined ? 'is missing' : `${quote(apiVersion)} is not the version of this kind`;
  return header(['apiVersion'], apiVersion, what, `write ${wanted.join(' or ')}`, at);
}

function header(
  path: FieldPath,
  value: unknown,
  what: string,
  remedy: string,
  at: Locate | undefined,
): Problem {
  return {
    code: path.length === 0 ? 'RESOURCE_INVALID' : value === undefined ? 'FIELD_MISSING' : 'FIELD_INVALID',
    what,
    remedy,
    ...(path.length === 0 ? {} : { field: formatPath(path) }),
    ...(value === undefined ? {} : { value }),
    ...(at === undefined ? {} : { at: at(path) }),
  };
}

/** `Kind/name` or `Kind/namespace/name`, from a value that may be wrong in every part. */
function nameOf(kind: string, value: object): string {
  const { metadata } = value as {
    readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown } | null;
  };
  const parts = [metadata?.namespace, metadata?.name].filter(
    (part) => typeof part === 'string' && part !== '',
  );
  return [kind, ...parts].join('/');
}
