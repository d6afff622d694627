/** Every kind of resource on a real etcd. */
import { resourceContract } from '../../datastore/contract-resources.ts';
import { openStore, type Store } from '../../datastore/index.ts';
import { EtcdServer } from './server.ts';

describe('etcd', function () {
  this.timeout(180_000);
  const server = new EtcdServer();
  let store: Store | undefined;

  before(() => server.start());
  after(async () => {
    await store?.close();
    await server.remove();
  });

  resourceContract(async () => (store = await openStore(`etcd://${server.endpoint}/resources`)));
});
