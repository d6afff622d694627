/**
 * What one (network, container, interface) is called everywhere: endpoint, veth, IPAM handle. Pure.
 *
 * Names are Calico's where Calico can name the thing at all. It cannot name a second interface of a pod, nor two
 * containers whose ids begin alike: those get a hash, so that no attachment ever shares a name with another.
 */
import { createHash } from 'node:crypto';
import { podInterfaceName, wepName } from '../../api/index.ts';
import type { Invocation } from '../../cni-plugin/environment.ts';
import { type Checked, CniCode, refuse } from '../../cni-plugin/error.ts';

export type Workload =
  | { readonly orchestrator: 'k8s'; readonly namespace: string; readonly pod: string }
  | { readonly orchestrator: 'cni'; readonly namespace: string };

export interface Attachment {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
  readonly workload: Workload;
  /** `spec.containerID` and `spec.endpoint`: the ids above, or a hash where they cannot be part of a name. */
  readonly endpointContainer: string;
  readonly endpointInterface: string;
  /** Name of the WorkloadEndpoint in `workload.namespace`. */
  readonly endpoint: string;
  /** What its addresses are held under. */
  readonly handle: string;
  /** The host's end of the veth. */
  readonly hostInterface: string;
}

/** In the IPAM attributes of an address that this plugin took: `<network>/<container>/<interface>`. */
export const ATTACHMENT_ATTRIBUTE = 'cni-attachment';

const MAIN_INTERFACE = 'eth0';

export function attachmentOf(node: string, network: string, invocation: Invocation): Checked<Attachment> {
  const { containerId, ifName } = invocation;
  const workload = workloadOf(invocation.args);
  const endpointContainer = nameable(containerId);
  const endpointInterface = nameable(ifName);
  const endpoint = wepName({
    node,
    orchestrator: workload.orchestrator,
    ...(workload.orchestrator === 'k8s' ? { pod: workload.pod } : { containerID: endpointContainer }),
    endpoint: endpointInterface,
  });
  if (endpoint === undefined) {
    const pod = workload.orchestrator === 'k8s' ? workload.pod : containerId;
    return refuse(
      CniCode.invalidEnvironment,
      `no workload endpoint can be named after node ${JSON.stringify(node)} and ${JSON.stringify(pod)}; names must be lower-case letters, digits, "-" and "."`,
    );
  }
  return {
    ok: true,
    value: {
      network,
      containerId,
      ifName,
      workload,
      endpointContainer,
      endpointInterface,
      endpoint,
      handle: handleOf(network, containerId, ifName),
      hostInterface: hostInterfaceOf(network, containerId, ifName, workload),
    },
  };
}

/** Calico's `<network>.<container>`; other interfaces of the container hold their addresses apart. */
export function handleOf(network: string, containerId: string, ifName: string): string {
  const main = `${network}.${containerId}`;
  return ifName === MAIN_INTERFACE ? main : `${main}.${ifName}`;
}

/** Both variables make a pod, as in Calico's plugin: podman sets K8S_POD_NAME alone for containers that are none. */
function workloadOf(args: Readonly<Record<string, string>>): Workload {
  const { K8S_POD_NAMESPACE: namespace = '', K8S_POD_NAME: pod = '' } = args;
  if (namespace !== '' && pod !== '') return { orchestrator: 'k8s', namespace, pod };
  return { orchestrator: 'cni', namespace: namespace === '' ? 'default' : namespace };
}

function hostInterfaceOf(network: string, containerId: string, ifName: string, workload: Workload): string {
  if (ifName === MAIN_INTERFACE) {
    if (workload.orchestrator === 'k8s') return podInterfaceName(workload.namespace, workload.pod);
    // Calico takes the first 11 characters of any id; only random ids are as unique in part as they are whole.
    if (/^[0-9a-f]{32,}$/.test(containerId)) return `cali${containerId.slice(0, 11)}`;
  }
  const owner = workload.orchestrator === 'k8s' ? `${workload.namespace}.${workload.pod}` : containerId;
  return `cali${sha1([network, owner, ifName].join('/')).slice(0, 11)}`;
}

/** The text, or a hash of it: container ids, interface and network names may hold what a resource name may not. */
export function nameable(text: string): string {
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text) && text.length <= 64 ? text : sha1(text);
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}
