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

/** As Go writes a length of time, and so Calico stores it, however it was said: `90s` is `1m30s`. */
export function formatDuration(milliseconds: number): string {
  const nanoseconds = Math.round(milliseconds * 1e6);
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${nanoseconds / 1e3}µs`;
  if (nanoseconds < 1e9) return `${nanoseconds / 1e6}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${Number(((nanoseconds % 60e9) / 1e9).toFixed(9))}s`;
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}

export function duration() {
  return read(text('a duration such as 2m0s'), (text): Reading<string> => {
    const milliseconds = parseDuration(text);
    if (milliseconds !== undefined) return { value: formatDuration(milliseconds) };
    return {
      what: `${quote(text)} is not a duration`,
      remedy: 'write numbers with units, as in 90s or 2m0s',
    };
  }).meta({ examples: ['2m0s', '150ms', '0s'] });
}
