/**
 * Pods, which are WorkloadEndpoints here. What an agent writes to an endpoint goes into annotations of the pod, those of
 * Calico's CNI plugin and our own: kubelet tells a pod's addresses too, but late.
 */
import { type Pod, type WorkloadEndpoint, wepNameParts } from '../../../api/index.ts';
import { POD_ANNOTATIONS, POD_NOTES, podEndpoint } from '../../../api/kubernetes/index.ts';
import { annotationPatch } from './annotations.ts';
import type { KubernetesObject, NativeKind } from './native.ts';

const ENDPOINT = 'eth0';

export const pods: NativeKind = {
  kind: 'WorkloadEndpoint',
  apiVersion: 'v1',
  objectKind: 'Pod',
  plural: 'pods',
  namespaced: true,
  optional: false,
  toEntries: (object) => {
    const { resource } = podEndpoint(object as KubernetesObject & Pod);
    if (resource === undefined) return [];
    const { name, namespace = '' } = resource.metadata;
    return [{ key: { kind: 'WorkloadEndpoint', scope: namespace, name }, value: resource }];
  },
  fieldSelectorOf: (node) => `spec.nodeName=${node}`,
  locate: ({ scope, name }) => {
    const [, orchestrator, pod, endpoint, ...rest] = wepNameParts(name);
    if (orchestrator !== 'k8s' || pod === undefined || endpoint !== ENDPOINT || rest.length > 0)
      return undefined;
    return { namespace: scope, name: pod };
  },
  write: {
    subresource: 'status',
    patchFor: (value, object) => {
      const { metadata, spec } = value as WorkloadEndpoint;
      const [first = '', ...others] = spec.ipNetworks ?? [];
      return annotationPatch(object, {
        ...ownNotes(object),
        ...Object.fromEntries(
          Object.entries(metadata.annotations ?? {}).filter(([key]) => key.startsWith(POD_NOTES)),
        ),
        ...(first === ''
          ? {}
          : { [POD_ANNOTATIONS.ip]: first, [POD_ANNOTATIONS.ips]: [first, ...others].join(',') }),
        ...(spec.containerID === undefined ? {} : { [POD_ANNOTATIONS.containerId]: spec.containerID }),
        [POD_ANNOTATIONS.mac]: spec.mac,
      });
    },
    // The container's id stays: a second DEL sees by it which instance of the pod was meant.
    removalPatch: (_key, object) =>
      annotationPatch(object, {
        ...ownNotes(object),
        [POD_ANNOTATIONS.ip]: '',
        [POD_ANNOTATIONS.ips]: '',
      }),
  },
};

/** Our notes that are in the object, to be taken out unless they are written again. */
function ownNotes({ metadata }: KubernetesObject): Record<string, undefined> {
  const keys = Object.keys(metadata.annotations ?? {}).filter((key) => key.startsWith(POD_NOTES));
  return Object.fromEntries(keys.map((key) => [key, undefined]));
}
