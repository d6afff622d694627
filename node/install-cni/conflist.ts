/** The network configuration list that a runtime reads: our own, or a template with Calico's variables. Pure. */
import { fail, ok, type Result } from '../../api/problem.ts';

export interface Placeholders {
  readonly agentSocket: string;
  /** Octets; 0: that of the node's uplink. */
  readonly mtu: number;
  readonly node: string;
  readonly kubeconfig: string;
  readonly logLevel: string;
  readonly apiHost: string;
  readonly apiPort: string;
}

/** @param type  the plugin's file name */
export function ownConflist(type: string, { agentSocket, mtu }: Placeholders): string {
  const list = {
    name: 'k8s-pod-network',
    cniVersion: '1.0.0',
    plugins: [
      { type, agent_socket: agentSocket, mtu, policy: { type: 'k8s' }, ipam: { type: 'calico-ipam' } },
      { type: 'portmap', snat: true, capabilities: { portMappings: true } },
    ],
  };
  // What containerd passes on: annotations that the Kubernetes API may not have been asked for.
  Object.assign(list.plugins[0] ?? {}, {
    capabilities: {
      'io.kubernetes.cri.pod-annotations': true,
      ips: true,
      mac: true,
      dns: true,
      // The bandwidth plugin is not needed: the agent shapes, and goes on doing so when limits change.
      bandwidth: true,
    },
  });
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

/** Puts the values in and looks whether a runtime could read the outcome. @returns the text, or what is wrong with it */
export function fillTemplate(template: string, values: Placeholders): Result<string> {
  const variables: Readonly<Record<string, string>> = {
    __KUBECONFIG_FILEPATH__: values.kubeconfig,
    __CNI_MTU__: String(values.mtu),
    __KUBERNETES_NODE_NAME__: values.node,
    __KUBERNETES_SERVICE_HOST__: values.apiHost,
    __KUBERNETES_SERVICE_PORT__: values.apiPort,
    __LOG_LEVEL__: values.logLevel,
    __AGENT_SOCKET__: values.agentSocket,
  };
  const text = template.replaceAll(/__[A-Z0-9_]+?__/g, (name) => variables[name] ?? name);
  const left = /__[A-Z0-9_]+?__/.exec(text)?.[0];
  if (left !== undefined) {
    const remedy = `use ${Object.keys(variables).join(', ')}`;
    return fail({
      code: 'TEMPLATE_VARIABLE',
      what: `the template has ${left}, which stands for nothing`,
      remedy,
    });
  }
  const fault = faultOf(text);
  if (fault === undefined) return ok(text);
  return fail({
    code: 'TEMPLATE_INVALID',
    what: `the filled template ${fault}`,
    remedy: 'write a network configuration list: {"name": …, "cniVersion": …, "plugins": [{"type": …}]}',
  });
}

function faultOf(text: string): string | undefined {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    return `is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (typeof list !== 'object' || list === null) return 'is no object';
  const { name, plugins } = list as { readonly name?: unknown; readonly plugins?: unknown };
  if (typeof name !== 'string' || name === '') return 'has no name';
  if (!Array.isArray(plugins) || plugins.length === 0) return 'lists no plugins';
  return plugins.every(hasType) ? undefined : 'has a plugin without a type';
}

function hasType(plugin: unknown): boolean {
  return typeof plugin === 'object' && plugin !== null && 'type' in plugin && typeof plugin.type === 'string';
}
