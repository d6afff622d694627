/**
 * A node of Calico in etcd may have another name than in Kubernetes, which its `orchRefs` tell. Where a datastore moves to a
 * cluster's API, nodes go by the latter, and so does what names them: configurations, blocks, affinities, tunnels. Pure.
 */
import { fail, ok, type Problem, type Result } from '../../api/index.ts';
import { type Dumped, isRecord } from './dump.ts';

const HOST = 'host:';
const OF_NODE = 'node.';
/** Of handles that hold a node's tunnel addresses. */
const TUNNEL = /^((?:ipip|vxlan|vxlan-v6|wireguard|wireguard-v6)-tunnel-addr-)(.+)$/;

type Names = ReadonlyMap<string, string>;

export function renamed(objects: readonly Dumped[]): Result<readonly Dumped[]> {
  const names = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { key, value } of objects) {
    if (key.kind !== 'Node') continue;
    const name = kubernetesName(value);
    if (name === undefined) problems.push(notInKubernetes(key.name));
    else names.set(key.name, name);
  }
  if (problems.length > 0) return fail(...problems);
  if ([...names].every(([before, after]) => before === after)) return ok(objects);
  return ok(objects.map((object) => rename(object, names)));
}

function kubernetesName({ spec }: Readonly<Record<string, unknown>>): string | undefined {
  const refs: readonly unknown[] = isRecord(spec) && Array.isArray(spec['orchRefs']) ? spec['orchRefs'] : [];
  const ref = refs.find((one) => isRecord(one) && one['orchestrator'] === 'k8s');
  const name = isRecord(ref) ? ref['nodeName'] : undefined;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function rename(object: Dumped, names: Names): Dumped {
  const { key, value } = object;
  switch (key.kind) {
    case 'Node':
      return resourceNamed(object, names.get(key.name));
    case 'FelixConfiguration':
    case 'BGPConfiguration': {
      const after = key.name.startsWith(OF_NODE) ? names.get(key.name.slice(OF_NODE.length)) : undefined;
      return resourceNamed(object, after === undefined ? undefined : `${OF_NODE}${after}`);
    }
    case 'BlockAffinity':
      return { key: { ...key, scope: ownerNamed(key.scope, names) }, value };
    case 'IPAMHandle':
      return { key: { ...key, name: handleNamed(key.name, names) }, value };
    case 'IPAMBlock':
      return { key, value: blockNamed(value, names) };
    default:
      return object;
  }
}

function resourceNamed({ key, value }: Dumped, name: string | undefined): Dumped {
  if (name === undefined) return { key, value };
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {};
  return { key: { ...key, name }, value: { ...value, metadata: { ...metadata, name } } };
}

function ownerNamed(owner: string, names: Names): string {
  const after = owner.startsWith(HOST) ? names.get(owner.slice(HOST.length)) : undefined;
  return after === undefined ? owner : `${HOST}${after}`;
}

function handleNamed(handle: string, names: Names): string {
  const [, tunnel = '', node = ''] = TUNNEL.exec(handle) ?? [];
  return `${tunnel}${names.get(node) ?? node}` || handle;
}

function blockNamed(block: Readonly<Record<string, unknown>>, names: Names): Record<string, unknown> {
  const { affinity, attributes } = block;
  return {
    ...block,
    ...(typeof affinity === 'string' ? { affinity: ownerNamed(affinity, names) } : {}),
    ...(Array.isArray(attributes) ? { attributes: attributes.map((one) => attributeNamed(one, names)) } : {}),
  };
}

function attributeNamed(attribute: unknown, names: Names): unknown {
  if (!isRecord(attribute)) return attribute;
  const { handle_id: handle, secondary } = attribute;
  const node = isRecord(secondary) ? secondary['node'] : undefined;
  return {
    ...attribute,
    ...(typeof handle === 'string' ? { handle_id: handleNamed(handle, names) } : {}),
    ...(isRecord(secondary) && typeof node === 'string'
      ? { secondary: { ...secondary, node: names.get(node) ?? node } }
      : {}),
  };
}

function notInKubernetes(name: string): Problem {
  return {
    code: 'NODE_NOT_KUBERNETES',
    resource: `Node/${name}`,
    field: 'spec.orchRefs',
    what: 'has no name in Kubernetes, and the format of calicoctl is for moving to Kubernetes',
    remedy:
      'delete the node if it is gone, give it an orchRef of orchestrator k8s, or export in the format of poplin',
  };
}
