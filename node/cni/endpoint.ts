/** The WorkloadEndpoint of an attachment, and how the agent knows its own again. Pure. */
import type { Pod, WorkloadEndpoint } from '../../api/index.ts';
import { POD_ANNOTATIONS, podEndpoint } from '../../api/kubernetes/index.ts';
import type { Address } from '../../net/addr/index.ts';
import { Prefix } from '../../net/addr/index.ts';
import type { NetConf } from '../../cni-plugin/netconf.ts';
import { type Attachment, nameable } from './attachment.ts';

/**
 * What the endpoint's own fields cannot say. They also mark it as made here: the agent sweeps no endpoint that
 * lacks them, because somebody else (a user, Calico's plugin) answers for it.
 */
const NETWORK = 'cni.poplin.dev/network';
const CONTAINER = 'cni.poplin.dev/container';
const INTERFACE = 'cni.poplin.dev/interface';
const HANDLE = 'cni.poplin.dev/handle';
const NETNS = 'cni.poplin.dev/netns';
/** Says who gave the addresses when it was not IPAM. */
export const ADDRESSES_FROM = 'cni.poplin.dev/addresses-from';

/** What the agent wrote into the annotations of an endpoint. */
export interface EndpointRecord {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
  readonly handle: string;
  /** Device and inode of the namespace the interface was made in. A path may be reused, this only after a reboot. */
  readonly netns: string;
}

export interface Made {
  readonly addresses: readonly Address[];
  readonly mac: string;
  /** Identity of the namespace. */
  readonly netns: string;
  /** Who gave the addresses; undefined: IPAM. */
  readonly addressesFrom?: string | undefined;
}

/** @param pod  as Kubernetes has it, or what is known of it: its labels, ports, accounts and annotations go into the endpoint */
export function endpointFor(
  attachment: Attachment,
  conf: NetConf,
  node: string,
  made: Made,
  pod?: Pod,
): WorkloadEndpoint {
  const { workload } = attachment;
  const networks = made.addresses.map((address) => Prefix.host(address).toString());
  const told = pod === undefined ? undefined : asToldBy(pod, node, networks);
  const ports = [...(told?.spec.ports ?? []), ...mappedPorts(conf, told?.spec.ports ?? [])];
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: {
      name: attachment.endpoint,
      namespace: workload.namespace,
      labels: {
        ...told?.metadata.labels,
        ...conf.labels,
        'projectcalico.org/namespace': workload.namespace,
        'projectcalico.org/orchestrator': workload.orchestrator,
      },
      annotations: {
        [NETWORK]: attachment.network,
        [CONTAINER]: attachment.containerId,
        [INTERFACE]: attachment.ifName,
        [HANDLE]: attachment.handle,
        [NETNS]: made.netns,
        ...(made.addressesFrom === undefined ? {} : { [ADDRESSES_FROM]: made.addressesFrom }),
      },
    },
    spec: {
      ...whatPodsSay(told),
      ...limits(told, conf),
      orchestrator: workload.orchestrator,
      node,
      ...(workload.orchestrator === 'k8s' ? { pod: workload.pod } : {}),
      containerID: attachment.endpointContainer,
      endpoint: attachment.endpointInterface,
      ipNetworks: networks,
      profiles: told?.spec.profiles ?? [profileOf(attachment)],
      interfaceName: attachment.hostInterface,
      mac: made.mac,
      ...(ports.length === 0 ? {} : { ports }),
    },
  };
}

/** The pod as it will be: on this node, with these addresses. */
function asToldBy(pod: Pod, node: string, networks: readonly string[]): WorkloadEndpoint | undefined {
  const { status: _, ...rest } = pod;
  const annotations = { ...pod.metadata.annotations, [POD_ANNOTATIONS.ips]: networks.join(',') };
  return podEndpoint({
    ...rest,
    metadata: { ...pod.metadata, annotations },
    spec: { ...pod.spec, nodeName: node },
  }).resource;
}

function whatPodsSay(told: WorkloadEndpoint | undefined): Partial<WorkloadEndpoint['spec']> {
  if (told === undefined) return {};
  const { serviceAccountName, ipNATs, allowSpoofedSourcePrefixes } = told.spec;
  return {
    ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
    ...(ipNATs === undefined ? {} : { ipNATs }),
    ...(allowSpoofedSourcePrefixes === undefined ? {} : { allowSpoofedSourcePrefixes }),
  };
}

/** The pod's annotations go before what the runtime made of them: Calico's own say more than Kubernetes'. */
function limits(
  told: WorkloadEndpoint | undefined,
  { bandwidth }: NetConf,
): Pick<WorkloadEndpoint['spec'], 'qosControls'> {
  const qosControls = { ...bandwidth, ...told?.spec.qosControls };
  return Object.keys(qosControls).length === 0 ? {} : { qosControls };
}

type Port = NonNullable<WorkloadEndpoint['spec']['ports']>[number];

/** What the runtime maps and the pod has not said. A port without a host port and without a name says nothing. */
function mappedPorts(conf: NetConf, known: readonly Port[]): Port[] {
  return conf.portMappings
    .filter(({ hostPort }) => hostPort > 0)
    .filter(
      ({ hostPort, containerPort }) =>
        !known.some((port) => port.hostPort === hostPort && port.port === containerPort),
    )
    .map(({ containerPort, hostPort, protocol, hostIP }) => ({
      protocol: protocol as 'TCP',
      port: containerPort,
      hostPort,
      hostIP,
    }));
}

/** A pod stands under its namespace's profile; any other container under one named after its network (calico-ipam's way). */
export function profileOf({ workload, network }: Attachment): string {
  return workload.orchestrator === 'k8s' ? `kns.${workload.namespace}` : nameable(network);
}

/** Undefined for an endpoint that was not made by this plugin. */
export function recordOf(endpoint: WorkloadEndpoint): EndpointRecord | undefined {
  const notes = endpoint.metadata.annotations ?? {};
  const {
    [NETWORK]: network,
    [CONTAINER]: containerId,
    [INTERFACE]: ifName,
    [HANDLE]: handle,
    [NETNS]: netns,
  } = notes;
  if (network === undefined || containerId === undefined || ifName === undefined) return undefined;
  if (handle === undefined || netns === undefined) return undefined;
  return { network, containerId, ifName, handle, netns };
}

/** An endpoint without a record was made by Calico's plugin before this one took over; its container id says whose. */
export function belongsTo(endpoint: WorkloadEndpoint, attachment: Attachment): boolean {
  const record = recordOf(endpoint);
  if (record === undefined) {
    const { containerID, endpoint: ifName } = endpoint.spec;
    return containerID === attachment.containerId && ifName === attachment.ifName;
  }
  return (
    record.network === attachment.network &&
    record.containerId === attachment.containerId &&
    record.ifName === attachment.ifName
  );
}
