/** Publishing keys on the embedded store; test/etcd and test/kubernetes hold the other engines to the same. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type Store } from '../../../datastore/index.ts';
import { publishContract } from './publish-contract.ts';

describe('publishing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-keys-'));
  let store: Store | undefined;
  after(async () => {
    await store?.close();
    rmSync(folder, { recursive: true });
  });

  publishContract('the embedded store', async () => (store = await openStore(join(folder, 'datastore.db'))));
});
