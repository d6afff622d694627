/**
 * A whole datastore as text: JSON lines, so that a file of any size reads line by line, `grep` and `diff` work on it, and
 * integers beyond 2^53 stay exact. Pure.
 *
 *   {"format":"poplin-datastore","version":1}
 *   {"kind":"IPPool","scope":"","name":"lab","value":{...}}     one per object
 *   {"objects":1,"sha256":"..."}                                of all octets before this line
 *
 * The last line tells a file that was cut short, or changed on the way, from a whole one.
 */
import { createHash } from 'node:crypto';
import { fail, ok, type Problem, type Result } from '../../api/index.ts';
import { parseJson, stringifyJson } from '../json.ts';
import { type Key, keyText } from '../store.ts';
import { IPAM_KINDS, isMigrated, MIGRATED_KINDS } from './kinds.ts';

const FORMAT = 'poplin-datastore';
const VERSION = 1;

export interface Dumped {
  readonly key: Key;
  readonly value: Readonly<Record<string, unknown>>;
}

export function* dumpLines(objects: readonly Dumped[]): Generator<string> {
  const hash = createHash('sha256');
  const hashed = (line: string): string => {
    hash.update(line);
    return line;
  };
  yield hashed(`${stringifyJson({ format: FORMAT, version: VERSION })}\n`);
  for (const { key, value } of objects) yield hashed(`${stringifyJson({ ...key, value })}\n`);
  yield `${stringifyJson({ objects: objects.length, sha256: hash.digest('hex') })}\n`;
}

/** All problems of the text; the objects only when there is none. */
export function parseDump(text: string, file: string): Result<Dumped[]> {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const head = recordOf(lines[0]);
  if (head?.['format'] !== FORMAT) return fail(notADump(file));
  if (head['version'] !== VERSION) return fail(otherVersion(file, head['version']));
  const body = lines.slice(1, -1);
  const tail = lines.length < 2 ? undefined : recordOf(lines.at(-1));
  if (typeof tail?.['sha256'] !== 'string' || tail['objects'] !== body.length) return fail(cutShort(file));
  const hash = createHash('sha256');
  for (const line of lines.slice(0, -1)) hash.update(`${line}\n`);
  if (hash.digest('hex') !== tail['sha256']) return fail(changed(file));

  const objects: Dumped[] = [];
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const [index, line] of body.entries()) {
    const object = toDumped(recordOf(line));
    const fault = typeof object === 'string' ? object : faultOf(object, seen);
    if (typeof object === 'string' || fault !== undefined)
      problems.push(badObject(file, index + 2, fault ?? ''));
    else objects.push(object);
  }
  return problems.length > 0 ? fail(...problems) : ok(objects);
}

function recordOf(line: string | undefined): Record<string, unknown> | undefined {
  try {
    const value = parseJson(line ?? '');
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @returns what is wrong, when something is */
function toDumped(record: Record<string, unknown> | undefined): Dumped | string {
  const { kind, scope, name, value } = record ?? {};
  if (typeof kind !== 'string' || typeof scope !== 'string' || typeof name !== 'string' || !isRecord(value))
    return 'is no object with kind, scope, name and value';
  return { key: { kind, scope, name }, value };
}

/** What is wrong with an object of a file, beside those `seen` before it. */
export function faultOf({ key, value }: Dumped, seen: Set<string>): string | undefined {
  const text = keyText(key);
  if (seen.has(text)) return `holds ${text} a second time`;
  seen.add(text);
  if (!isMigrated(key.kind))
    return `holds ${text}, a kind that this release does not know; it knows ${MIGRATED_KINDS.join(', ')}`;
  return misnamed({ key, value });
}

/** Where the object says of itself something else than its key does. A store would keep it and nobody would find it. */
export function misnamed({ key, value }: Dumped): string | undefined {
  const text = keyText(key);
  if (key.kind === 'IPAMBlock' && value['cidr'] !== key.name)
    return `holds ${text}, which says that its cidr is ${JSON.stringify(value['cidr'])}`;
  if (IPAM_KINDS.includes(key.kind)) return undefined;
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {};
  const [kind, name, namespace] = [value['kind'], metadata['name'], metadata['namespace'] ?? ''];
  if (kind === key.kind && name === key.name && namespace === key.scope) return undefined;
  return `holds ${text}, which says of itself kind ${JSON.stringify(kind)}, name ${JSON.stringify(name)}, namespace ${JSON.stringify(namespace)}`;
}

function notADump(file: string): Problem {
  return {
    code: 'DUMP_FORMAT',
    at: { file },
    what: 'is no export of a datastore',
    remedy:
      'give a file that poplin datastore migrate export has written; manifests are written with poplin apply -f',
  };
}

function otherVersion(file: string, version: unknown): Problem {
  return {
    code: 'DUMP_FORMAT',
    at: { file },
    what: `has version ${JSON.stringify(version)} of the format, this release reads ${VERSION}`,
    remedy: 'import it with the release that wrote it, or a newer one',
  };
}

function cutShort(file: string): Problem {
  return {
    code: 'DUMP_TRUNCATED',
    at: { file },
    what: 'is cut short: its last line does not close it',
    remedy: 'export again, and look for a full disk or a broken pipe',
  };
}

function changed(file: string): Problem {
  return {
    code: 'DUMP_CHANGED',
    at: { file },
    what: 'is not as it was written: its checksum does not fit',
    remedy: 'copy it again from where it was written; change resources after the import, with poplin apply',
  };
}

function badObject(file: string, line: number, what: string): Problem {
  return {
    code: 'DUMP_OBJECT',
    at: { file, line },
    what,
    remedy: 'mend it in the datastore that it comes from (poplin datastore check), and export again',
  };
}
