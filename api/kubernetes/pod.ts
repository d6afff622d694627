/** A pod as WorkloadEndpoint. */
import { Address, Prefix } from '../../net/addr/index.ts';
import { API_VERSION } from '../kinds/kind.ts';
import type { Pod } from '../kinds/kubernetes-data.ts';
import type { WorkloadEndpoint } from '../kinds/workload-endpoint.ts';
import { podInterfaceName, wepName } from '../kinds/workload-names.ts';
import type { Problem } from '../problem.ts';
import { namespaceProfileName, serviceAccountProfileName } from './profiles.ts';
import { qosOf } from './qos.ts';

/** What is written into pods of their endpoints, by CNI plugins of Calico and Amazon and by ours. */
export const POD_ANNOTATIONS = {
  /** The first address with its length; '' once the plugin has taken it away. */
  ip: 'cni.projectcalico.org/podIP',
  /** All addresses, with commas. */
  ips: 'cni.projectcalico.org/podIPs',
  containerId: 'cni.projectcalico.org/containerID',
  amazonIps: 'vpc.amazonaws.com/pod-ips',
  floatingIps: 'cni.projectcalico.org/floatingIPs',
  allowedSources: 'cni.projectcalico.org/allowedSourcePrefixes',
  networkStatus: 'k8s.v1.cni.cncf.io/network-status',
  mac: 'cni.poplin.dev/mac',
} as const;

/** What our own agent notes on an endpoint; it is kept in the pod, under the same names. */
export const POD_NOTES = 'cni.poplin.dev/';

/** A service account's name becomes the value of a label when it is short enough for one. */
const LONG_ACCOUNT = 63;

/** The interface that a pod's first network gives it. */
const ENDPOINT = 'eth0';

/** False for pods on the host's own network, those that no node has yet, and those that ran to their end. */
export function hasEndpoint(pod: Pod): boolean {
  const { nodeName = '', hostNetwork = false } = pod.spec ?? {};
  return !hostNetwork && nodeName !== '' && !isFinished(pod);
}

/** Its addresses are no longer its own: it ended, or it is being deleted and its network is gone already. */
export function isFinished({ metadata, status }: Pod): boolean {
  const { annotations = {}, deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined) {
    if (annotations[POD_ANNOTATIONS.ip] === '' || annotations[POD_ANNOTATIONS.amazonIps] === '') return true;
  }
  return ['Failed', 'Succeeded', 'Completed'].includes(status?.phase ?? '');
}

export interface PodEndpoint {
  /** Undefined when the pod has none, see {@link hasEndpoint}, or no name can be made of its own. */
  readonly resource: WorkloadEndpoint | undefined;
  /** Annotations that say nothing sound, and are passed over. */
  readonly problems: readonly Problem[];
}

export function podEndpoint(pod: Pod): PodEndpoint {
  const name = podEndpointName(pod);
  if (name === undefined) return { resource: undefined, problems: [] };
  const { metadata, spec = {} } = pod;
  const { namespace = 'default', annotations = {} } = metadata;
  const { nodeName: node = '', serviceAccountName: account = '' } = spec;
  const problems: Problem[] = [];
  const told = (annotation: string): void => {
    problems.push(unreadable(pod, annotation, annotations[annotation]));
  };
  const addresses = addressesOf(pod);
  const ipNATs = floatingIps(annotations, addresses, told);
  const allowSpoofedSourcePrefixes = allowedSources(annotations, told);
  const ports = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap(portsOf);
  const qosControls = qosOf(annotations);
  const containerID = annotations[POD_ANNOTATIONS.containerId] ?? '';
  const { [POD_ANNOTATIONS.mac]: mac = '', ...noted } = annotations;
  const notes = Object.entries(noted).filter(
    ([key]) => key === POD_ANNOTATIONS.networkStatus || key.startsWith(POD_NOTES),
  );
  const resource: WorkloadEndpoint = {
    apiVersion: API_VERSION,
    kind: 'WorkloadEndpoint',
    metadata: {
      name,
      namespace,
      ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
      ...(metadata.creationTimestamp === undefined ? {} : { creationTimestamp: metadata.creationTimestamp }),
      labels: {
        ...metadata.labels,
        'projectcalico.org/namespace': namespace,
        'projectcalico.org/orchestrator': 'k8s',
        ...(account === '' || account.length >= LONG_ACCOUNT
          ? {}
          : { 'projectcalico.org/serviceaccount': account }),
      },
      ...(notes.length === 0 ? {} : { annotations: Object.fromEntries(notes) }),
    },
    spec: {
      orchestrator: 'k8s',
      node,
      pod: metadata.name,
      endpoint: ENDPOINT,
      ...(containerID === '' ? {} : { containerID }),
      ...(account === '' ? {} : { serviceAccountName: account }),
      interfaceName: podInterfaceName(namespace, metadata.name),
      ...(mac === '' ? {} : { mac }),
      ...(addresses.length === 0
        ? {}
        : { ipNetworks: addresses.map((address) => Prefix.host(address).toString()) }),
      ...(ipNATs.length === 0 ? {} : { ipNATs }),
      profiles: [
        namespaceProfileName(namespace),
        ...(account === '' ? [] : [serviceAccountProfileName(namespace, account)]),
      ],
      ...(ports.length === 0 ? {} : { ports }),
      ...(allowSpoofedSourcePrefixes.length === 0 ? {} : { allowSpoofedSourcePrefixes }),
      ...(qosControls === undefined ? {} : { qosControls }),
    },
  };
  return { resource, problems };
}

/** Undefined when the pod has no endpoint, or its name cannot be part of another. */
export function podEndpointName(pod: Pod): string | undefined {
  if (!hasEndpoint(pod)) return undefined;
  return wepName({
    node: pod.spec?.nodeName ?? '',
    orchestrator: 'k8s',
    pod: pod.metadata.name,
    endpoint: ENDPOINT,
  });
}

/** The first place that has any: the status that kubelet writes late, then what CNI plugins wrote at once. */
function addressesOf({ metadata, status }: Pod): Address[] {
  const notes = metadata.annotations ?? {};
  const places: readonly (readonly (string | undefined)[])[] = [
    (status?.podIPs ?? []).map(({ ip }) => ip),
    [status?.podIP],
    (notes[POD_ANNOTATIONS.ips] ?? '').split(','),
    [notes[POD_ANNOTATIONS.ip]],
    (notes[POD_ANNOTATIONS.amazonIps] ?? '').split(','),
  ];
  const first = places.find((place) => place.some((text) => text !== undefined && text !== '')) ?? [];
  return first.flatMap((text) => {
    const [host = ''] = (text ?? '').trim().split('/');
    return Address.parse(host) ?? [];
  });
}

type Container = NonNullable<NonNullable<Pod['spec']>['containers']>[number];
type EndpointPort = NonNullable<WorkloadEndpoint['spec']['ports']>[number];

/** Ports that can be spoken of: by name, or from outside the node. */
function portsOf({ ports = [] }: Container): EndpointPort[] {
  return ports.flatMap(({ name = '', containerPort = 0, hostPort = 0, hostIP = '', protocol = 'TCP' }) => {
    const known = (['TCP', 'UDP', 'SCTP'] as const).find((one) => one === protocol);
    if (known === undefined || containerPort === 0 || (name === '' && hostPort === 0)) return [];
    return [
      {
        ...(name === '' ? {} : { name }),
        protocol: known,
        port: containerPort,
        ...(hostPort === 0 ? {} : { hostPort }),
        ...(hostIP === '' ? {} : { hostIP }),
      },
    ];
  });
}

type Annotations = Readonly<Record<string, string>>;

/** Each outside address leads to the pod's address of the same family, where it has one. */
function floatingIps(
  annotations: Annotations,
  addresses: readonly Address[],
  told: (annotation: string) => void,
): { internalIP: string; externalIP: string }[] {
  const texts = listIn(annotations, POD_ANNOTATIONS.floatingIps, told);
  return texts.flatMap((text) => {
    const external = Address.parse(text);
    if (external === undefined) told(POD_ANNOTATIONS.floatingIps);
    const internal = addresses.findLast(({ version }) => version === external?.version);
    if (external === undefined || internal === undefined) return [];
    return [{ internalIP: internal.toString(), externalIP: external.toString() }];
  });
}

function allowedSources(annotations: Annotations, told: (annotation: string) => void): string[] {
  return listIn(annotations, POD_ANNOTATIONS.allowedSources, told).flatMap((text) => {
    const prefix = text.includes('/') ? Prefix.parse(text, { hostBits: 'mask' }) : undefined;
    if (prefix === undefined) told(POD_ANNOTATIONS.allowedSources);
    return prefix?.toString() ?? [];
  });
}

/** A list of texts as JSON. */
function listIn(annotations: Annotations, annotation: string, told: (annotation: string) => void): string[] {
  const text = annotations[annotation] ?? '';
  if (text === '') return [];
  try {
    const list = JSON.parse(text) as unknown;
    if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  } catch {
    // Told below, as any other text that is no list.
  }
  told(annotation);
  return [];
}

function unreadable({ metadata }: Pod, annotation: string, value: string | undefined): Problem {
  return {
    code: 'ANNOTATION_INVALID',
    resource: `Pod/${metadata.namespace ?? ''}/${metadata.name}`,
    field: `metadata.annotations[${JSON.stringify(annotation)}]`,
    what: `${JSON.stringify(value)} cannot be read and is passed over`,
    remedy: 'write a JSON list of texts, such as ["192.0.2.1"]',
  };
}
