/**
 * The pod that an attachment is for, as far as it is known: from Kubernetes where the datastore is or mirrors it, with what
 * the runtime says of its annotations underneath.
 */
import type { Pod } from '../../api/index.ts';
import type { NetConf } from '../../cni-plugin/netconf.ts';
import type { Attachment } from './attachment.ts';
import type { Annotations } from './pod-wishes.ts';
import type { CniPorts } from './ports.ts';

export interface KnownPod {
  readonly object: Pod;
  /** Annotations of its namespace. */
  readonly namespace: Annotations;
}

/** Undefined for containers that are no pods. @throws PoplinError when the store cannot be reached */
export async function podOf(
  { client }: CniPorts,
  { workload }: Attachment,
  conf: NetConf,
): Promise<KnownPod | undefined> {
  if (workload.orchestrator !== 'k8s') return undefined;
  const { namespace, pod: name } = workload;
  const [pod, space] = await Promise.all([
    client.get('Pod', name, namespace),
    client.get('Namespace', namespace),
  ]);
  const object: Pod = pod.ok ? pod.value : { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace } };
  return {
    object: {
      ...object,
      metadata: {
        ...object.metadata,
        annotations: { ...conf.podAnnotations, ...object.metadata.annotations },
      },
    },
    namespace: (space.ok ? space.value.metadata.annotations : undefined) ?? {},
  };
}
