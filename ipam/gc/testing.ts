/** For tests of the garbage collector: nodes, pools and endpoints on a store. */
import type { IPPool, Node, WorkloadEndpoint } from '../../api/index.ts';
import type { Store } from '../../datastore/index.ts';

export async function putNode(store: Store, name: string, spec: Node['spec'] = {}): Promise<void> {
  const value: Node = { apiVersion: 'projectcalico.org/v3', kind: 'Node', metadata: { name }, spec };
  await store.commit([{ type: 'put', key: { kind: 'Node', scope: '', name }, value, expect: 'any' }]);
}

export async function putPool(store: Store, name: string, cidr: string, blockSize: number): Promise<void> {
  const value: IPPool = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name },
    spec: {
      cidr,
      blockSize,
      vxlanMode: 'Never',
      ipipMode: 'Never',
      nodeSelector: 'all()',
      allowedUses: ['Workload', 'Tunnel'],
      assignmentMode: 'Automatic',
    },
  };
  await store.commit([{ type: 'put', key: { kind: 'IPPool', scope: '', name }, value, expect: 'any' }]);
}

/** A pod's, or a container's that is none: the Kubernetes engine makes a pod's endpoint of the pod itself. */
type Orchestrator = 'k8s' | 'cni';

export function endpointOf(
  node: string,
  workload: string,
  addresses: readonly string[],
  orchestrator: Orchestrator = 'k8s',
): WorkloadEndpoint {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: endpointName(node, workload, orchestrator), namespace: 'default' },
    spec: {
      orchestrator,
      node,
      ...(orchestrator === 'k8s' ? { pod: workload } : { containerID: workload }),
      endpoint: 'eth0',
      interfaceName: 'cali0',
      ipNetworks: addresses.map((address) => `${address}/${address.includes(':') ? 128 : 32}`),
    },
  };
}

function endpointName(node: string, workload: string, orchestrator: Orchestrator): string {
  return [node, orchestrator, workload, 'eth0'].map((part) => part.replaceAll('-', '--')).join('-');
}

export async function putEndpoint(
  store: Store,
  node: string,
  workload: string,
  addresses: readonly string[],
  orchestrator?: Orchestrator,
): Promise<void> {
  const value = endpointOf(node, workload, addresses, orchestrator);
  const key = { kind: 'WorkloadEndpoint', scope: 'default', name: value.metadata.name };
  await store.commit([{ type: 'put', key, value, expect: 'any' }]);
}

export async function drop(store: Store, kind: string, name: string, scope = ''): Promise<void> {
  await store.commit([{ type: 'delete', key: { kind, scope, name }, expect: 'any' }]);
}

export async function dropEndpoint(
  store: Store,
  node: string,
  workload: string,
  orchestrator: Orchestrator = 'k8s',
): Promise<void> {
  await drop(store, 'WorkloadEndpoint', endpointName(node, workload, orchestrator), 'default');
}
