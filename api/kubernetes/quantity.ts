/** Quantities as Kubernetes writes them: `10M`, `1.5Gi`, `100m`, `2e6`. */

const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The whole number at or above the quantity; undefined for what is none. */
export function parseQuantity(text: string): number | undefined {
  const match =
    /^([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:[eE]([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text);
  if (match === null) return undefined;
  const [, digits = '', exponent, suffix = ''] = match;
  const scale = exponent === undefined ? (SUFFIXES[suffix] ?? Number.NaN) : 10 ** Number(exponent);
  // Decimal fractions times powers of ten: what a double adds in the fifteenth digit is no part of the quantity.
  const value = Math.ceil(Number((Number(digits) * scale).toPrecision(15)));
  return Number.isFinite(value) ? value : undefined;
}
