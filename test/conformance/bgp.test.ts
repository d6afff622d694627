/** Every demand of an RFC has its proof, and every proof names a test that is there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { RFCS } from './bgp.ts';

const ROOT = join(import.meta.dirname, '../..');

/** As a title stands in its source. */
function holdsTitle(source: string, title: string): boolean {
  return [title, title.replaceAll("'", String.raw`\'`)].some((text) => source.includes(text));
}

function missing(proof: string): string | undefined {
  const colon = proof.indexOf(': ');
  const [file, title] = [proof.slice(0, colon), proof.slice(colon + 2)];
  const path = join(ROOT, file);
  if (!file.endsWith('.test.ts') || !existsSync(path)) return `${file} is no test file`;
  return holdsTitle(readFileSync(path, 'utf8'), title) ? undefined : `${file} has no "${title}"`;
}

describe('what the RFCs ask of the BGP speaker', () => {
  for (const { number, title, demands } of RFCS)
    it(`RFC ${number} (${title}): each demand has a test, or a reason`, () => {
      expect(demands.flatMap(({ proof }) => (proof ?? []).map(missing)).filter(Boolean)).to.deep.equal([]);
      for (const { section, asks, proof = [], beside } of demands)
        expect([proof.length > 0, beside !== undefined].filter(Boolean), `${section} ${asks}`).to.have.length(
          1,
        );
    });
});
