/** Durations as Go writes them: `2m0s`, `1h30m`, `150ms`. */
import { quote, read, type Reading, text } from './field.ts';

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds, or undefined when the text is no Go duration. Negative ones count as none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * (UNITS[unit ?? ''] ?? Number.NaN);
  }
  return total;
}

export function duration() {
  return read(text('a duration such as 2m0s'), (text): Reading<string> => {
    if (parseDuration(text) !== undefined) return { value: text };
    return {
      what: `${quote(text)} is not a duration`,
      remedy: 'write numbers with units, as in 90s or 2m0s',
    };
  }).meta({ examples: ['2m0s', '150ms', '0s'] });
}
