/** Names that follow from what a workload is: of its endpoint and of its interface on the host. */
import { createHash } from 'node:crypto';

export interface WorkloadIdentity {
  readonly node: string;
  /** `k8s`, `cni`, `libnetwork`, or any other. */
  readonly orchestrator: string;
  readonly pod?: string;
  readonly containerID?: string;
  readonly workload?: string;
  readonly endpoint?: string;
}

/**
 * Name of a WorkloadEndpoint: the parts joined by `-`, with each `-` inside a part doubled.
 * @returns undefined when a part that this orchestrator's pattern needs is missing, or begins or ends with `-`
 */
export function wepName(identity: WorkloadIdentity): string | undefined {
  const parts = [identity.node, identity.orchestrator, ...workloadParts(identity)];
  const sound = parts.every(
    (part) => part !== undefined && part !== '' && !part.startsWith('-') && !part.endsWith('-'),
  );
  return sound ? parts.map((part) => part?.replaceAll('-', '--')).join('-') : undefined;
}

/** The parts of an endpoint's name: node, orchestrator, and what the orchestrator's pattern adds. */
export function wepNameParts(name: string): string[] {
  // A single dash parts; of longer runs each pair stands for one dash of a part, which has none at its ends.
  return name.split(/(?<!-)-(?!-)/).map((part) => part.replaceAll('--', '-'));
}

/** `cali` and 11 hexadecimal digits: the host's end of a pod's veth. */
export function podInterfaceName(namespace: string, pod: string): string {
  return `cali${createHash('sha1').update(`${namespace}.${pod}`).digest('hex').slice(0, 11)}`;
}

function workloadParts(identity: WorkloadIdentity): (string | undefined)[] {
  switch (identity.orchestrator) {
    case 'k8s':
      return [identity.pod, identity.endpoint];
    case 'cni':
      return [identity.containerID, identity.endpoint];
    case 'libnetwork':
      return [identity.endpoint];
    default:
      return [identity.workload, identity.endpoint];
  }
}
