/** ARCHITECTURE.md and README.md name paths; every one of them exists. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ROOT, gitFiles } from './sources.ts';

/** `room/file.ts`, `room/folder/` and `FILE.md` in backquotes; commands, keys and patterns are not paths. */
const PATH = /`((?:[a-z][\w.-]*\/)+[\w.-]*|[\w-]+\.(?:md|json|ts))`/g;

for (const document of ['ARCHITECTURE.md', 'README.md']) {
  it(`${document} names only paths that exist`, () => {
    const text = readFileSync(join(ROOT, document), 'utf8');
    const rooms = new Set(gitFiles().map((file) => file.split('/')[0]));
    const named = [...text.matchAll(PATH)]
      .map((match) => match[1] ?? '')
      .filter((path) => !path.includes('/') || rooms.has(path.split('/')[0]));
    expect(named.length).to.be.greaterThan(document === 'ARCHITECTURE.md' ? 20 : 3);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).to.deep.equal([]);
  });
}

it('no tracked file holds a path of the machine it was written on', () => {
  const wrong = gitFiles().filter((file) => {
    const path = join(ROOT, file);
    return existsSync(path) && !file.endsWith('.png') && readFileSync(path, 'utf8').includes(`${ROOT}/`);
  });
  expect(wrong).to.deep.equal([]);
});
