/** node: what the daemons of a node say of themselves, and what makes a container runtime call them. */
import { table } from '../command.ts';
import { runDirOption, storeOptions, structuredOutput } from './common.ts';

export const nodeStatusTable = table({
  path: ['node', 'status'],
  summary: 'Show the state of a node: its daemons, its BGP sessions and its policy',
  description:
    'Asks the node agent, bgpd and felix-lite of this machine. While a lab runs, shows its nodes, or the ones that are named. Of policy it says whether the kernel holds it, and which policies cannot be enforced as they are written, with the field, its value, what is done instead, what mends it, and the endpoints that are closed by it.',
  examples: [
    ['poplin node status', 'this machine, or every node of the running lab'],
    ['poplin node status a1 -o json', 'one node of the lab, for programs'],
  ],
  positionals: {
    nodes: { describe: 'Nodes of the running lab; without them all', many: true, complete: 'node' },
  },
  options: { ...structuredOutput, ...runDirOption },
});

export const nodeInitTable = table({
  path: ['node', 'init'],
  summary: "Make this machine's Node, or bring its addresses up to date",
  description:
    "Finds the machine's addresses and writes them, with the AS number, to its Node in the datastore. What is not named stays as the Node has it; an address that it has not is found. Calico's environment variables (NODENAME, IP, IP6, IP_AUTODETECTION_METHOD, IP6_AUTODETECTION_METHOD, AS) mean the same as the options, which win. Ends with 1 when an address could not be found or another Node has it.",
  examples: [
    ['poplin node init', 'a Node named after the host, with the first address of its uplink'],
    [
      'poplin node init --ip=autodetect --ip-autodetection-method=can-reach=192.0.2.1',
      'once more, as the route leads',
    ],
    ['poplin node init --ip=192.0.2.7/24 --ip6=none --as=65001', 'as given'],
  ],
  positionals: {},
  options: {
    name: {
      type: 'string',
      value: 'NODE',
      describe: 'Name of the Node; without it that of the host, in lower case',
    },
    ip: {
      type: 'string',
      value: 'ADDRESS',
      describe: 'IPv4 address, with its length or without, or autodetect, or none',
    },
    ip6: {
      type: 'string',
      value: 'ADDRESS',
      describe: 'IPv6 address, with its length or without, or autodetect, or none',
    },
    'ip-autodetection-method': {
      type: 'string',
      value: 'METHOD',
      describe:
        'first-found (the default), can-reach=DEST, interface=REGEX, skip-interface=REGEX, cidr=CIDR or kubernetes-internal-ip; several of a kind with commas',
    },
    'ip6-autodetection-method': { type: 'string', value: 'METHOD', describe: 'The same for IPv6' },
    as: { type: 'string', value: 'NUMBER', describe: 'AS number of the node' },
    ...structuredOutput,
    ...storeOptions,
  },
});

export const nodeInstallCniTable = table({
  path: ['node', 'install-cni'],
  summary: 'Put the CNI plugin and its configuration where the container runtime looks for them',
  description:
    'Writes the plugin into the folder of programs, then the configuration that names it; each file whole or not at all. Repeating it changes only what differs. In a pod of Kubernetes it writes a kubeconfig, too, for other plugins of the chain. A template may come from --template or CNI_NETWORK_CONFIG and use the variables of Calico.',
  examples: [
    ['poplin node install-cni', 'for containerd and podman as Debian has them'],
    [
      'poplin node install-cni --name calico --template /config/cni.json',
      'in the place of Calico, with its template',
    ],
    ['poplin node install-cni --watch 60', 'and put back what is changed or missing, and renewed tokens'],
    ['poplin node install-cni --uninstall', 'take away what is of Poplin'],
  ],
  positionals: {},
  options: {
    'bin-dir': {
      type: 'string',
      value: 'FOLDER',
      default: '/opt/cni/bin',
      describe: 'Where the runtime looks for plugins',
    },
    'conf-dir': {
      type: 'string',
      value: 'FOLDER',
      default: '/etc/cni/net.d',
      describe: 'Where the runtime looks for configurations',
    },
    'conf-name': {
      type: 'string',
      value: 'FILE',
      default: '10-poplin.conflist',
      describe: 'Name of the configuration; the first one in the alphabet counts',
    },
    name: {
      type: 'string',
      value: 'NAME',
      default: 'poplin',
      describe: 'Name of the plugin, the type in configurations',
    },
    template: {
      type: 'string',
      value: 'FILE',
      describe: 'Template of the configuration; else CNI_NETWORK_CONFIG, else our own',
    },
    mtu: {
      type: 'number',
      value: 'OCTETS',
      default: 0,
      describe: 'MTU of workloads; 0 takes that of the uplink',
    },
    watch: { type: 'number', value: 'SECONDS', describe: 'Stay, and look again every so often' },
    uninstall: { type: 'boolean', describe: 'Take away the configuration, then the plugin' },
    ...runDirOption,
  },
});
