import { readFileSync } from 'node:fs';

/** Version of this program: that of package.json, so that it is written down once. */
export function release(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
