/**
 * Calls the CNI plugin as a container runtime on the node would: the real executable, in the node's namespaces,
 * the command in the environment, the network configuration on standard input.
 */
import { join } from 'node:path';
import { PoplinError } from '../../api/problem.ts';
import { namespacePath } from '../../net/kernel/index.ts';
import type { Workload } from '../expectation.ts';
import { pause } from '../runner/members.ts';
import { type Ended, type OnNode, captureOn } from '../runner/node.ts';
import { REPOSITORY, nodeRunDir } from '../runner/paths.ts';

export interface Attachment {
  readonly workload: Workload;
  readonly on: OnNode;
  /** Name of the workload's network namespace. */
  readonly namespace: string;
  readonly containerId: string;
}

export interface Addresses {
  readonly ipv4?: string;
  readonly ipv6?: string;
}

const PLUGINS = join(REPOSITORY, 'cni-plugin');
/** CNI: "try again later", e.g. an agent that has just started. */
const TRY_AGAIN = 11;
const ATTEMPTS = 20;

/** ADD. @throws PoplinError CNI_FAILED with what the plugin said */
export async function addToNetwork(attachment: Attachment): Promise<Addresses> {
  for (let attempt = 1; ; attempt++) {
    const answer = await call('ADD', attachment);
    if (answer.ok) return addressesOf(answer.stdout);
    if (answer.code !== TRY_AGAIN || attempt === ATTEMPTS)
      throw new PoplinError([
        {
          code: 'CNI_FAILED',
          resource: attachment.workload.name,
          value: answer.code,
          what: `the CNI plugin could not connect the workload "${attachment.workload.name}": ${answer.message}`,
          remedy: `see the log of the node: poplin lab exec ${attachment.workload.node} -- tail ${nodeRunDir(attachment.on.lab, attachment.workload.node).replace('/nodes/', '/inits/')}/log`,
        },
      ]);
    await pause(250);
  }
}

/** DEL: gives the addresses back. What is gone already is no error. */
export async function removeFromNetwork(attachment: Attachment): Promise<void> {
  await call('DEL', attachment);
}

type Answer =
  | { readonly ok: true; readonly stdout: string }
  | { readonly ok: false; readonly code: number; readonly message: string };

async function call(command: 'ADD' | 'DEL', attachment: Attachment): Promise<Answer> {
  const { workload, on, namespace, containerId } = attachment;
  const ended = await captureOn(on, [join(PLUGINS, 'poplin')], {
    stdin: JSON.stringify(netconf(attachment)),
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: namespacePath(namespace),
      CNI_IFNAME: 'eth0',
      CNI_PATH: PLUGINS,
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${workload.namespace};K8S_POD_NAME=${workload.name};K8S_POD_INFRA_CONTAINER_ID=${containerId}`,
    },
  });
  return ended.exitCode === 0 ? { ok: true, stdout: ended.stdout } : { ok: false, ...whatItSaid(ended) };
}

function netconf({ workload, on }: Attachment): object {
  return {
    cniVersion: '1.0.0',
    name: 'poplin',
    type: 'poplin',
    agent_socket: join(nodeRunDir(on.lab, workload.node), 'agent.sock'),
    ipam: { type: 'poplin-ipam', assign_ipv4: 'true', assign_ipv6: 'true' },
    args: { cni: { labels: Object.entries(workload.labels).map(([key, value]) => ({ key, value })) } },
  };
}

/** A plugin tells its error as JSON on standard output; one that could not even start says something on stderr. */
function whatItSaid({ exitCode, stdout, stderr }: Ended): { code: number; message: string } {
  try {
    const { code, msg, details } = JSON.parse(stdout) as { code: number; msg: string; details?: string };
    return { code, message: details === undefined || details === '' ? msg : `${msg}: ${details}` };
  } catch {
    return { code: 0, message: stderr.trim() === '' ? `it exited with ${exitCode}` : stderr.trim() };
  }
}

function addressesOf(stdout: string): Addresses {
  const { ips = [] } = JSON.parse(stdout) as { ips?: { address: string }[] };
  const bare = ips.map(({ address }) => address.replace(/\/\d+$/, ''));
  const ipv4 = bare.find((address) => !address.includes(':'));
  const ipv6 = bare.find((address) => address.includes(':'));
  return { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) };
}
