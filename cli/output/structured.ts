/** Values for programs, in the form that -o asks for. */
import { stringify } from 'yaml';

/** @returns undefined when a table is wanted */
export function structured(value: unknown, format: string): string | undefined {
  switch (format) {
    case 'json':
      return `${JSON.stringify(value, undefined, 2)}\n`;
    case 'yaml':
      return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
    default:
      return undefined;
  }
}
