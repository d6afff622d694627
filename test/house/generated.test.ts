import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { generatedFiles } from './generated.ts';
import { ROOT } from './sources.ts';

describe('generated files', () => {
  const files = generatedFiles();

  for (const { path, content } of files) {
    it(`${path} is what the code says (npm run generate)`, () => {
      expect(existsSync(join(ROOT, path)), `${path} exists`).to.equal(true);
      expect(readFileSync(join(ROOT, path), 'utf8') === content, `${path} is up to date`).to.equal(true);
    });
  }

  it('docs/schemas holds nothing else', () => {
    const known = files.map(({ path }) => path);
    expect(
      readdirSync(join(ROOT, 'docs/schemas')).filter((name) => !known.includes(`docs/schemas/${name}`)),
    ).to.deep.equal([]);
  });
});
