/** The table of obligations, held to the tests that it names. */
import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OBLIGATIONS } from './obligations.ts';

const ROOT = join(import.meta.dirname, '..', '..');

describe('the obligations of the CNI specification', () => {
  it('each name a test that is there', () => {
    const missing = OBLIGATIONS.flatMap(({ must, tests }) =>
      tests
        .filter(
          ([file, title]) =>
            !existsSync(join(ROOT, file)) || !readFileSync(join(ROOT, file), 'utf8').includes(title),
        )
        .map(([file, title]) => `"${must}": no "${title}" in ${file}`),
    );
    expect(missing).to.deep.equal([]);
    expect(OBLIGATIONS.filter(({ tests }) => tests.length === 0)).to.deep.equal([]);
  });
});
