/** Every kind of resource in the embedded store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resourceContract } from '../contract-resources.ts';
import { EmbeddedStore } from './embedded.ts';

describe('embedded store', () => {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-resources-'));
  let store: EmbeddedStore | undefined;

  after(async () => {
    await store?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  resourceContract(async () => (store = await EmbeddedStore.open(join(folder, 'datastore.db'))));
});
