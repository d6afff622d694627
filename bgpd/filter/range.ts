/** Ranges of numbers, both ends inclusive; an end that is not given is open. */

export interface Range {
  readonly min?: number;
  readonly max?: number;
}

export function inRange(range: Range, value: number): boolean {
  return (range.min === undefined || value >= range.min) && (range.max === undefined || value <= range.max);
}

/**
 * `7`, `7-9`, and `*` for anything.
 * @returns undefined for any other text, an upside-down range, and a number above `limit`
 */
export function parseRange(text: string, limit: number): Range | undefined {
  if (text === '*') return {};
  const parts = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(text);
  if (parts === null) return undefined;
  const min = Number(parts[1]);
  const max = Number(parts[2] ?? parts[1]);
  return min > max || max > limit ? undefined : { min, max };
}
