/**
 * Kinds of resource on a real kube-apiserver: those that Calico has a custom resource for, and Kubernetes' own
 * NetworkPolicy. (The policies of clusters are custom resources of another project, which this server has not got.)
 */
import { resourceContract } from '../../datastore/contract-resources.ts';
import { openStore, type Store } from '../../datastore/index.ts';
import { isCustom } from '../../datastore/kubernetes/resources.ts';
import { withKubeServer } from './suite.ts';

describe('kubernetes', function () {
  this.timeout(180_000);
  const server = withKubeServer();
  let store: Store | undefined;

  after(() => store?.close());

  async function open(): Promise<Store> {
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod' } };
    await server().ask('/api/v1/namespaces', { method: 'POST', body });
    return (store = await openStore(server().location()));
  }

  resourceContract(open, {
    keeps: (info) => isCustom(info) || info.kind === 'KubernetesNetworkPolicy',
    prunes: (info) => info.kind === 'KubernetesNetworkPolicy',
    draws: 2,
  });
});
