/**
 * JSON in which integers survive. Calico's block sequence numbers exceed 2^53 and would be rounded by plain
 * `JSON.parse`: here an integer beyond the safe range is a `bigint` in memory and its exact digits in text.
 */

/**
 * What may be an unsafe integer: 2^53 has sixteen digits. Without one the fast parser is exact. The hashes that Kubernetes
 * writes into every pod have as many digits in a row now and then, and are followed by other letters or a quote.
 */
const LONG_INTEGER = /(?:^|[\s:,[])-?\d{16,}(?:[\s,}\]]|$)/;
const INTEGER = /^-?\d+$/;

/** @throws SyntaxError when `text` is not JSON */
export function parseJson(text: string): unknown {
  if (!LONG_INTEGER.test(text)) return JSON.parse(text) as unknown;
  return JSON.parse(text, exactInteger) as unknown;
}

function exactInteger(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && INTEGER.test(source) ? BigInt(source) : value;
}

/**
 * One line of JSON, or several with `indent`; a `bigint` becomes its digits, `undefined` members vanish as in `JSON.stringify`.
 *
 * @throws TypeError when `value` as a whole has no JSON form, such as `undefined` or a function
 */
export function stringifyJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, rawInteger, indent) as string | undefined;
  if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON form`);
  return text;
}

/** `JSON.rawJSON` is ES2026: the compiler's library does not describe it yet. */
const rawJson = (JSON as unknown as { readonly rawJSON: (this: void, text: string) => unknown }).rawJSON;

function rawInteger(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? rawJson(value.toString()) : value;
}

/** Whether two values have the same JSON form, whatever the order of their members. An `undefined` member is none. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, i) => sameJson(item, b[i]))
    );
  }
  if (!isObject(a) || !isObject(b))
    return (typeof a === 'bigint' || typeof b === 'bigint') && looselyEqual(a, b);
  const present = Object.keys(a).filter((key) => a[key] !== undefined);
  if (present.length !== Object.keys(b).filter((key) => b[key] !== undefined).length) return false;
  return present.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** `5n` and `5` are written alike. */
function looselyEqual(a: unknown, b: unknown): boolean {
  return typeof a === typeof b
    ? a === b
    : (typeof a === 'number' || typeof b === 'number') && String(a) === String(b);
}
