/** Files that say which endpoints have their policy: whole after a reconciliation, touched one by one in between. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type EndpointStatus, EndpointStatusFiles } from './endpoint-status.ts';

const up = (revision: string): EndpointStatus => ({ status: 'up', interface: 'cali1', revision });

describe('files of endpoint status', () => {
  let runDir: string;
  let files: EndpointStatusFiles;
  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), 'poplin-status-'));
    files = new EndpointStatusFiles(runDir);
  });
  afterEach(() => rmSync(runDir, { recursive: true, force: true }));

  const path = (name: string): string => join(runDir, 'endpoint-status', name);
  const names = (): readonly string[] => readdirSync(join(runDir, 'endpoint-status')).toSorted();

  it('are all there and no others after a reconciliation', () => {
    files.reconcile(new Map([['a/x', up('1')]]));
    writeFileSync(path('a%2Fgone'), 'old');
    files.reconcile(
      new Map([
        ['a/x', up('2')],
        ['a/y', up('2')],
        ['a/z', undefined],
      ]),
    );
    expect(names()).to.deep.equal(['a%2Fx', 'a%2Fy']);
    expect(JSON.parse(readFileSync(path('a%2Fx'), 'utf8'))).to.deep.equal(up('2'));
  });

  it('are left alone unless they are told of', () => {
    files.reconcile(
      new Map([
        ['a/x', up('1')],
        ['a/y', up('1')],
      ]),
    );
    writeFileSync(path('a%2Fx'), 'untouched');
    files.update(
      new Map([
        ['a/y', undefined],
        ['a/z', up('2')],
      ]),
    );
    expect(names()).to.deep.equal(['a%2Fx', 'a%2Fz']);
    expect(readFileSync(path('a%2Fx'), 'utf8')).to.equal('untouched');
  });
});
