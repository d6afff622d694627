/**
 * JSON as Go's `encoding/json` writes Calico's structs, so that an object that both have written is the same octets: members
 * of a struct in its order (`go-order.ts`), keys of a map sorted, `<`, `>` and `&` escaped. Pure.
 *
 * What a struct's order does not know, of a newer release, stands behind what it knows, as it came.
 */
import { IPAM, type Order, resourceOrder } from './go-order.ts';

/** @throws TypeError when `value` as a whole has no JSON form */
export function goJson(value: unknown): string {
  const text = write(value, isObject(value) && 'kind' in value ? resourceOrder(value['kind']) : IPAM);
  if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON form`);
  return text;
}

function write(value: unknown, order: Order | undefined): string | undefined {
  switch (typeof value) {
    case 'bigint':
      return value.toString();
    case 'string':
      return quote(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value)
        ? writeArray(value, order)
        : writeObject(value as Record<string, unknown>, order);
    default:
      return JSON.stringify(value);
  }
}

function writeArray(array: readonly unknown[], order: Order | undefined): string {
  let text = '';
  for (const item of array) text += `,${write(item, order) ?? 'null'}`;
  return `[${text.slice(1)}]`;
}

function writeObject(object: Readonly<Record<string, unknown>>, order: Order | undefined): string {
  const isMap = order === 'map';
  const keys = isMap ? sorted(Object.keys(object)) : ordered(Object.keys(object), order?.names);
  let text = '';
  for (const key of keys) {
    const inner =
      isMap || order === undefined || !Object.hasOwn(order.inner, key) ? undefined : order.inner[key];
    const member = write(object[key], inner);
    if (member !== undefined) text += `,${quote(key)}:${member}`;
  }
  return `{${text.slice(1)}}`;
}

function ordered(keys: readonly string[], order: readonly string[] | undefined): readonly string[] {
  if (order === undefined || isOrdered(keys, order)) return keys;
  return [...order.filter((key) => keys.includes(key)), ...keys.filter((key) => !order.includes(key))];
}

/** As most objects are, which we or Calico wrote. */
function isOrdered(keys: readonly string[], order: readonly string[]): boolean {
  let next = 0;
  for (const key of keys) {
    while (next < order.length && order[next] !== key) next++;
    if (next === order.length) return false;
  }
  return true;
}

/** As UTF-8 sorts: a pair of surrogates stands behind all else, not before U+E000. */
function sorted(keys: string[]): string[] {
  const isPlain = keys.every((key) => !SURROGATE.test(key));
  return keys.sort(isPlain ? undefined : (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

const SURROGATE = /[\ud800-\udfff]/;
const ESCAPED = /[<>&\u2028\u2029]/;
/** Of names, keys and CIDRs: nothing to escape in it at all. */
const PLAIN = /^[\w.:/ +-]*$/;

function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  const quoted = JSON.stringify(text);
  if (!ESCAPED.test(quoted)) return quoted;
  return quoted.replaceAll(
    /[<>&\u2028\u2029]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
