/**
 * JSON as Go's `encoding/json` writes Calico's structs, so that an object that both have written is the same octets: members
 * of a struct in its order and as far as they say something (`go-order.ts`), keys of a map sorted, `<`, `>` and `&` escaped.
 * Pure.
 *
 * What a struct's order does not know, of a newer release, stands behind what it knows, as it came.
 */
import { sameJson } from '../json.ts';
import { IPAM, type Order, resourceOrder, type Struct } from './go-order.ts';

type Loose = Readonly<Record<string, unknown>>;

/** @throws TypeError when `value` as a whole has no JSON form */
export function goJson(value: unknown): string {
  const text = write(value, orderOf(value));
  if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON form`);
  return text;
}

/** Whether Calico, which reads the one and the other, has no way to tell them apart. */
export function sameForCalico(a: unknown, b: unknown): boolean {
  return sameJson(a, b) || sameJson(inFull(a), inFull(b));
}

/** With nothing that Calico leaves out, and with all that it always writes. */
export function inFull(value: unknown): unknown {
  return full(value, orderOf(value));
}

function orderOf(value: unknown): Struct {
  return isObject(value) && 'kind' in value ? resourceOrder(value['kind']) : IPAM;
}

function full(value: unknown, order: Order | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => full(item, order));
  if (!isObject(value) || order === undefined) return value;
  return Object.fromEntries(
    keysOf(value, order).map((key) => [key, full(memberOf(value, key, order), innerOf(order, key))]),
  );
}

function write(value: unknown, order: Order | undefined): string | undefined {
  switch (typeof value) {
    case 'bigint':
      return value.toString();
    case 'string':
      return quote(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? writeArray(value, order) : writeObject(value as Loose, order);
    default:
      return JSON.stringify(value);
  }
}

function writeArray(array: readonly unknown[], order: Order | undefined): string {
  let text = '';
  for (const item of array) text += `,${write(item, order) ?? 'null'}`;
  return `[${text.slice(1)}]`;
}

function writeObject(object: Loose, order: Order | undefined): string {
  let text = '';
  for (const key of keysOf(object, order)) {
    const member = write(memberOf(object, key, order), innerOf(order, key));
    if (member !== undefined) text += `,${quote(key)}:${member}`;
  }
  return `{${text.slice(1)}}`;
}

/** Of what is written, in order. */
function keysOf(object: Loose, order: Order | undefined): readonly string[] {
  const keys = Object.keys(object);
  if (order === undefined) return keys;
  if (order === 'map') return sorted(keys);
  const { names, omitted, always } = order;
  let written: readonly string[] = keys;
  if (keys.some((key) => omitted.has(key) && isNothing(object[key])))
    written = keys.filter((key) => !(omitted.has(key) && isNothing(object[key])));
  const missing = Object.keys(always).filter((key) => object[key] === undefined);
  if (missing.length > 0) written = [...written.filter((key) => object[key] !== undefined), ...missing];
  return isOrdered(written, names)
    ? written
    : [...names.filter((name) => written.includes(name)), ...written.filter((key) => !names.includes(key))];
}

function memberOf(object: Loose, key: string, order: Order | undefined): unknown {
  const member = object[key];
  return member === undefined && order !== undefined && order !== 'map' ? order.always[key] : member;
}

function innerOf(order: Order | undefined, key: string): Order | undefined {
  return order === undefined || order === 'map' || !Object.hasOwn(order.inner, key)
    ? undefined
    : order.inner[key];
}

/** Go's `omitempty`. */
function isNothing(value: unknown): boolean {
  switch (typeof value) {
    case 'object':
      return value === null || (Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0);
    case 'bigint':
      return value === 0n;
    default:
      return value === false || value === 0 || value === '';
  }
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

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
