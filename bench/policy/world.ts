/** The cluster of the bench as resources: who exists, who may talk to whom, and changes to one pod's label. */
import type { ResourceChange } from '../../felix-lite/calc/calculator.ts';

export const NODE = 'bench';
const API_VERSION = 'projectcalico.org/v3';
/** Every policy admits one application to another; so many there are. */
const APPLICATIONS = 125;
/** Every so many pods are canaries. */
const CANARIES = 10;

export interface WorldSize {
  readonly local: number;
  readonly remote: number;
  readonly policies: number;
}

/** Index counts over the whole cluster; the first ones are local. */
export interface Pod {
  readonly index: number;
  readonly local: boolean;
}

export function podsOf({ local, remote }: WorldSize): readonly Pod[] {
  return Array.from({ length: local + remote }, (_, index) => ({ index, local: index < local }));
}

export function interfaceOf(index: number): string {
  return `cali${index.toString(16).padStart(11, '0')}`;
}

export function addressesOf(index: number): { readonly 4: string; readonly 6: string } {
  return {
    4: `10.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`,
    6: `fd00:64::${index.toString(16)}`,
  };
}

/**
 * @param application  its label `app`; default: by its index
 * @param canary  its label `canary`: one policy more selects it, and one set has it
 */
export function endpoint(
  { index, local }: Pod,
  application = index % APPLICATIONS,
  canary = index % CANARIES === 0,
): ResourceChange {
  const node = local ? NODE : `other-${index % 50}`;
  const name = `${node.replaceAll('-', '--')}-k8s-pod--${index}-eth0`;
  const addresses = addressesOf(index);
  return {
    key: { kind: 'WorkloadEndpoint', scope: 'bench', name },
    value: {
      apiVersion: API_VERSION,
      kind: 'WorkloadEndpoint',
      metadata: {
        name,
        namespace: 'bench',
        labels: { app: `a${application}`, ...(canary ? { canary: 'yes' } : {}) },
      },
      spec: {
        orchestrator: 'k8s',
        node,
        pod: `pod-${index}`,
        endpoint: 'eth0',
        interfaceName: interfaceOf(index),
        ipNetworks: [`${addresses[4]}/32`, `${addresses[6]}/128`],
        profiles: ['kns.bench'],
      },
    },
  };
}

function profile(): ResourceChange {
  return {
    key: { kind: 'Profile', scope: '', name: 'kns.bench' },
    value: {
      apiVersion: API_VERSION,
      kind: 'Profile',
      metadata: { name: 'kns.bench' },
      spec: { ingress: [{ action: 'Allow' }], egress: [{ action: 'Allow' }] },
    },
  };
}

function policy(index: number): ResourceChange {
  const application = index % APPLICATIONS;
  const name = `p${index}`;
  return {
    key: { kind: 'NetworkPolicy', scope: 'bench', name },
    value: {
      apiVersion: API_VERSION,
      kind: 'NetworkPolicy',
      metadata: { name, namespace: 'bench' },
      spec: {
        order: index,
        selector: `app == 'a${application}'`,
        types: ['Ingress'],
        ingress: [
          {
            action: 'Allow',
            protocol: 'TCP',
            source: { selector: `app == 'a${(application + 1) % APPLICATIONS}'` },
            destination: { ports: [1000 + index, '8000:8010'] },
          },
        ],
      },
    },
  };
}

function canaryPolicy(): ResourceChange {
  return {
    key: { kind: 'NetworkPolicy', scope: 'bench', name: 'canary' },
    value: {
      apiVersion: API_VERSION,
      kind: 'NetworkPolicy',
      metadata: { name: 'canary', namespace: 'bench' },
      spec: {
        order: 0,
        selector: "canary == 'yes'",
        types: ['Ingress'],
        ingress: [{ action: 'Allow', protocol: 'TCP', source: { selector: "canary == 'yes'" } }],
      },
    },
  };
}

/** Everything, in the order in which a datastore might list it. */
export function worldOf(size: WorldSize): readonly ResourceChange[] {
  return [
    profile(),
    ...(size.policies > 0 ? [canaryPolicy()] : []),
    ...Array.from({ length: size.policies }, (_, index) => policy(index)),
    ...podsOf(size).map((pod) => endpoint(pod)),
  ];
}

/** Makes the pod a canary, and takes that back with the next odd round. */
export function relabelled(pod: Pod, round: number): ResourceChange {
  const own = pod.index % CANARIES === 0;
  return endpoint(pod, undefined, round % 2 === 0 ? !own : own);
}

/** Moves the pod to the next application, and back: its policies come to life here, and those of before may go. */
export function moved(pod: Pod, round: number): ResourceChange {
  const own = pod.index % APPLICATIONS;
  return endpoint(pod, round % 2 === 0 ? (own + 1) % APPLICATIONS : own);
}

/**
 * Has the pod come to an application of which this node has no other pod, and go back with the next odd round: all of its
 * policies are new here.
 */
export function arrived(pod: Pod, round: number, { local }: WorldSize): ResourceChange {
  const own = pod.index % APPLICATIONS;
  const unknown = local + ((round >> 1) % Math.max(1, APPLICATIONS - local));
  return endpoint(pod, round % 2 === 0 ? unknown % APPLICATIONS : own);
}

/** One policy that looks into a set of many addresses. */
export function bigSet(members: number): readonly ResourceChange[] {
  const nets = Array.from({ length: members }, (_, i) => `11.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  return [profile(), endpoint({ index: 0, local: true }, 0), bigPolicy(), netSet('many', nets)];
}

/** One address more that the big set's selector selects. */
export function oneMore(round: number): ResourceChange {
  return netSet(`one-${round}`, [`12.0.${round >> 8}.${round & 255}`]);
}

function bigPolicy(): ResourceChange {
  return {
    key: { kind: 'NetworkPolicy', scope: 'bench', name: 'big' },
    value: {
      apiVersion: API_VERSION,
      kind: 'NetworkPolicy',
      metadata: { name: 'big', namespace: 'bench' },
      spec: { selector: 'all()', ingress: [{ action: 'Allow', source: { selector: 'big == "yes"' } }] },
    },
  };
}

function netSet(name: string, nets: readonly string[]): ResourceChange {
  return {
    key: { kind: 'NetworkSet', scope: 'bench', name },
    value: {
      apiVersion: API_VERSION,
      kind: 'NetworkSet',
      metadata: { name, namespace: 'bench', labels: { big: 'yes' } },
      spec: { nets },
    },
  };
}
