import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readRouter } from '../config/index.ts';
import { readConfig } from './read-config.ts';

describe('the reading of router.yaml in a thread', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-read-config-'));
    file = join(folder, 'router.yaml');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('comes to what reading it here comes to, warnings with their places and all', async () => {
    const text = [
      'asNumber: 65001',
      'routerId: 192.0.2.1',
      'listen: {addresses: ["::"]}',
      'filters: {f: [{match: {prefixes: [{prefix: 10.0.0.0/8, maxLength: 24}]}, action: accept}]}',
      'peers: [{address: 192.0.2.2, asNumber: 65002, import: [f]}]',
      'originate: [{prefix: "2001:db8::/32", communities: [no-export]}]',
    ].join('\n');
    writeFileSync(file, text);
    const [read, expected] = [await readConfig(file), readRouter(text, file)];
    expect(expected.ok && expected.value.warnings.length).to.be.greaterThan(0);
    expect(read).to.deep.equal(expected);
  });

  it('tells each mistake with its place', async () => {
    writeFileSync(file, 'asNumber: 0\nrouterId: 192.0.2.256\n');
    const read = await readConfig(file);
    expect(!read.ok && read.problems.map(({ at }) => `${at?.file}:${at?.line}:${at?.column}`)).to.deep.equal([
      `${file}:1:1`,
      `${file}:2:1`,
    ]);
  });

  it('tells that a file is not there', async () => {
    const read = await readConfig(join(folder, 'none.yaml'));
    expect(!read.ok && read.problems[0]?.code).to.equal('CONFIG_UNREADABLE');
  });
});
