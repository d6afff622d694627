/** What a database file may be like when it is opened, and what a person is told then. */
import { chmodSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { PoplinError } from '../../api/problem.ts';
import { openStore } from '../index.ts';
import { temporaryFolder, temporaryStore } from '../testing.ts';
import { EmbeddedStore } from './embedded.ts';
import { skip } from '../skip.ts';

async function told(opening: Promise<unknown>): Promise<string> {
  const error = await opening.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof PoplinError)) throw new Error(`expected a PoplinError, got ${String(error)}`);
  expect(error.problems).to.have.length(1);
  expect(error.message).not.to.include('\n');
  return `${error.problems[0]?.code}: ${error.message}`;
}

const value = { text: 'x'.repeat(2000) };

async function filled(path: string): Promise<void> {
  const store = await EmbeddedStore.open(path);
  for (let i = 0; i < 50; i++) {
    await store.commit([
      { type: 'put', key: { kind: 'K', scope: '', name: String(i) }, value, expect: 'any' },
    ]);
  }
  await store.close();
}

describe('embedded datastore: files', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = temporaryFolder();
    path = join(folder, 'datastore.db');
  });

  it('are made with their folder, readable by their owner only', async () => {
    const deep = join(folder, 'a/b/c.db');
    const store = await openStore(`sqlite:${deep}`);
    await store.commit([{ type: 'put', key: { kind: 'K', scope: '', name: 'a' }, value: 1, expect: 'any' }]);
    for (const suffix of ['', '-wal', '-notify'])
      expect(statSync(deep + suffix).mode & 0o777).to.equal(0o600);
    await store.close();
  });

  it('keep what was committed when opened again', async () => {
    await filled(path);
    const store = await temporaryStore(path);
    expect((await store.list({ kind: 'K' })).entries).to.have.length(50);
    expect(await store.revision()).to.equal('50');
  });

  it('are opened by many at once, new', async () => {
    const stores = await Promise.all(Array.from({ length: 8 }, async () => temporaryStore(path)));
    await Promise.all(
      stores.map(async (store, i) =>
        store.commit([
          { type: 'put', key: { kind: 'K', scope: '', name: String(i) }, value: i, expect: 'absent' },
        ]),
      ),
    );
    expect((await stores[0]!.list({ kind: 'K' })).entries).to.have.length(8);
  });

  it('that are no database are refused and left as they are', async () => {
    writeFileSync(path, 'interface eth0\n'.repeat(100));
    expect(await told(openStore(path))).to.match(/^STORE_CORRUPT: .*datastore\.db is not a Poplin datastore/);
    expect(readFileSync(path, 'utf8')).to.equal('interface eth0\n'.repeat(100));
  });

  it('of another program are refused and left as they are', async () => {
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE notes (text)');
    other.close();
    const before = readFileSync(path);
    expect(await told(openStore(path))).to.match(/^STORE_CORRUPT: .*is a database of another program/);
    expect(readFileSync(path).equals(before)).to.equal(true);
  });

  it('of a newer release are refused', async () => {
    await filled(path);
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(await told(openStore(path))).to.match(/^STORE_UNAVAILABLE: .*has format 99/);
  });

  it('that lost their tail are reported as damaged, at the latest when read', async () => {
    await filled(path);
    truncateSync(path, 20_000);
    const reading = async (): Promise<void> => {
      const store = await temporaryStore(path);
      await store.list({ kind: 'K' });
    };
    expect(await told(reading())).to.match(/^STORE_CORRUPT: the datastore .* is damaged/);
  });

  it('that lost their beginning are reported', async () => {
    await filled(path);
    const bytes = readFileSync(path);
    bytes.fill(0xff, 100, 4096);
    writeFileSync(path, bytes);
    expect(await told(openStore(path))).to.match(/^STORE_CORRUPT: /);
  });

  it('in a place that cannot be are reported', async () => {
    mkdirSync(join(folder, 'folder'));
    writeFileSync(join(folder, 'file'), '');
    expect(await told(openStore(join(folder, 'folder')))).to.match(/^STORE_UNAVAILABLE: .*cannot be opened/);
    expect(await told(openStore(join(folder, 'file/x.db')))).to.match(
      /^STORE_UNAVAILABLE: .*cannot be opened/,
    );
    expect(await told(openStore('/proc/nowhere/x.db'))).to.match(/^STORE_UNAVAILABLE: .*cannot be opened/);
    expect(await told(openStore('consul://localhost:8500'))).to.match(
      /^STORE_UNSUPPORTED: .*no consul engine yet/,
    );
  });

  it('that may not be written are reported', async function () {
    // Root writes what it likes: only a read-only file system would stop it.
    if (process.getuid?.() === 0) skip(this, 'root may write every file');
    await filled(path);
    chmodSync(path, 0o400);
    expect(await told(openStore(path))).to.match(/^STORE_UNAVAILABLE: .*cannot be written/);
  });

  it('say so when they are used after the end', async () => {
    const store = await openStore(path);
    await store.close();
    await store.close();
    expect(await told(store.revision())).to.match(/^STORE_UNAVAILABLE: .*has been closed/);
  });

  it('forget old history by themselves, and only that', async () => {
    const store = await temporaryStore(path, { keepRevisions: 16 });
    for (let i = 1; i <= 100; i++) {
      await store.commit([
        { type: 'put', key: { kind: 'K', scope: '', name: 'a' }, value: i, expect: 'any' },
      ]);
    }
    const at = async (revision: number) =>
      (await store.list({ kind: 'K' }, String(revision))).entries[0]?.value;
    expect(await at(84)).to.equal(84);
    expect(await at(100)).to.equal(100);
    const error = await at(80).catch((error: unknown) => error);
    expect(error).to.have.property('name', 'CompactedError');
  });
});
