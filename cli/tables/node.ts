/** node: what the daemons of a node say of themselves, and what makes a container runtime call them. */
import { table } from '../command.ts';
import { runDirOption, storeOptions, structuredOutput } from './common.ts';

export const nodeStatusTable = table({
  path: ['node', 'status'],
  summary: 'Show the state of a node: its daemons and its BGP sessions',
  description:
    'Asks the node agent, bgpd and felix-lite of this machine. While a lab runs, shows its nodes, or the ones that are named.',
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
