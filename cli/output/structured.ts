/** Values for programs, in the form that -o asks for. */
import { stringify } from 'yaml';

/** Counts of IPv6 addresses are larger than a JSON number: programs get decimal text. @returns undefined when a table is wanted */
export function structured(value: unknown, format: string): string | undefined {
  if (format === 'table') return undefined;
  const json = JSON.stringify(
    value,
    (_key, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner),
    2,
  );
  switch (format) {
    case 'json':
      return `${json}\n`;
    case 'yaml':
      return stringify(JSON.parse(json), { lineWidth: 0, aliasDuplicateObjects: false });
    default:
      return undefined;
  }
}
