/** Every kind of resource on a real etcd, and WireGuard's keys in a Node there. */
import { resourceContract } from '../../datastore/contract-resources.ts';
import { openStore, type Store } from '../../datastore/index.ts';
import { publishContract } from '../../felix-lite/routing/wireguard/publish-contract.ts';
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

  const open = async (): Promise<Store> => (store ??= await openStore(`etcd://${server.endpoint}/resources`));

  resourceContract(open);
  publishContract('etcd', open);
});
