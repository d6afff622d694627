/** The Kubernetes engine on a real kube-apiserver: the contract of all stores, and Calico's layout. */
import { storeContract } from '../../datastore/contract.ts';
import { FULL } from '../../datastore/contract-tools.ts';
import { openStore, type Store } from '../../datastore/index.ts';
import { cooldownContract } from '../../ipam/cooldown-contract.ts';
import { withKubeServer } from './suite.ts';

describe('kubernetes', function () {
  this.timeout(180_000);
  const server = withKubeServer({ own: true });
  const stores: Store[] = [];

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });

  async function open(): Promise<Store> {
    const store = await openStore(server().location());
    stores.push(store);
    return store;
  }

  /** There is one set of objects in a cluster: they are removed. */
  async function openEmpty(): Promise<Store> {
    await server().ask('/apis/poplin.internal/v1/storedobjects', { method: 'DELETE' });
    return open();
  }

  cooldownContract('kubernetes', open, async () => {});

  storeContract('kubernetes', openEmpty, { ...FULL, ownsRevisions: false, compacts: false, histories: 10 });
});
