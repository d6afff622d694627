/** For tests of this room and of those above it: stores that vanish with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedOptions, EmbeddedStore } from './embedded/embedded.ts';

let opened: { readonly store: EmbeddedStore }[] = [];
let folders: string[] = [];

/** A folder of its own, removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-datastore-'));
  folders.push(folder);
  return folder;
}

/** Opens the store at `path`, or a new one, and closes it when the test ends. */
export async function temporaryStore(path?: string, options?: EmbeddedOptions): Promise<EmbeddedStore> {
  const store = await EmbeddedStore.open(path ?? join(temporaryFolder(), 'datastore.db'), options);
  opened.push({ store });
  return store;
}

/** A root hook, registered by the first test file that imports this one. */
afterEach(async () => {
  for (const { store } of opened) await store.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  opened = [];
  folders = [];
});
