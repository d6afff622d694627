/** explain packet, policy matrix, policy counters: what policy says, and what it has done. */
import { table } from '../command.ts';
import { namespaceOption, runDirOption, storeOptions, structuredOutput } from './common.ts';

const protocolOption = {
  type: 'string',
  value: 'PROTOCOL',
  describe: 'tcp, udp, sctp, icmp, or a number',
} as const;

const packetOptions = {
  protocol: { ...protocolOption, default: 'tcp' },
  port: { type: 'number', value: 'PORT', describe: 'Port that the packet goes to' },
} as const;

export const explainPacketTable = table({
  path: ['explain', 'packet'],
  summary: 'Say whether policy lets a packet through, and why',
  description:
    "Asks the policies in the datastore about the first packet of a connection, in the order in which nodes ask them: the egress policy of its source, then the ingress policy of its destination, for each IP version that both have. Every tier, policy, rule and profile that is asked is shown, and what decided is marked. Staged policies decide nothing; where they would be asked, it is shown what would become of the packet. Then the kernels of the nodes at hand (this machine's, or those of the running lab) that the packet crosses: the rules in them are read back, and those that the packet would match are shown with what they have counted of all packets; host endpoints on the way are asked there, too. Without --port it is a port that no rule names. Where it goes to a service (by svc:NAMESPACE/NAME, its ClusterIP, an external address, or a node and a NodePort), kube-proxy sends it on before policy is asked: every endpoint that it may choose is judged, at the port that it serves there. Exits with 1 when the packet is stopped, and with 3, and a line that begins with ALARM, when a kernel does not do what policy says.",
  examples: [
    ['poplin explain packet --from shop/web-0 --to shop/db-0 --port 5432', 'TCP between two pods'],
    ['poplin explain packet --from 192.0.2.7 --to shop/web-0 --port 53 --protocol udp', 'from outside'],
    ['poplin explain packet --from shop/web-0 --to svc:shop/db --port 5432', 'to each endpoint of a service'],
  ],
  positionals: {},
  options: {
    from: { type: 'string', value: 'END', describe: 'Where it comes from: NAMESPACE/POD, or an address' },
    to: {
      type: 'string',
      value: 'END',
      describe: 'Where it goes: NAMESPACE/POD, svc:NAMESPACE/NAME, or an address, of a service too',
    },
    ...packetOptions,
    kernel: {
      type: 'string',
      value: 'RULES',
      choices: ['policy', 'all', 'skip'],
      default: 'policy',
      describe:
        'Which rules in the kernel to show: those of policies and profiles, all, or none and look at none',
    },
    ...structuredOutput,
    ...runDirOption,
    ...storeOptions,
  },
});

export const policyMatrixTable = table({
  path: ['policy', 'matrix'],
  summary: 'Draw who may talk to whom in a namespace',
  description:
    'For every two workloads of a namespace, what policy lets through from one (row) to the other (column): all kinds of traffic that rules tell apart, those that change together as one. With --port or --protocol it is one kind: yes, no, or the IP versions in which the first packet of a connection passes; without --port it is a port that no rule names. Host endpoints are not asked.',
  examples: [
    ['poplin policy matrix -n shop', 'who reaches whom, and by what'],
    ['poplin policy matrix -n shop --port 5432', 'who reaches databases'],
    ['poplin policy matrix -n shop --protocol udp --port 53', 'and who reaches name servers'],
  ],
  positionals: {},
  options: {
    ...namespaceOption,
    protocol: {
      ...protocolOption,
      describe: 'Of one protocol only, as for explain packet; --port means tcp',
    },
    port: packetOptions.port,
    ...structuredOutput,
    ...storeOptions,
  },
});

export const policyPreviewTable = table({
  path: ['policy', 'preview'],
  summary: 'Say which flows staged policies would open or close if they were enforced',
  description:
    'Judges policy as it is and as it would be with the staged policies in force, together, for all pairs of workloads, hosts behind host endpoints and addresses outside that rules name, as apply --preview does. Nothing is written: enforcing a staged policy is applying the policy that it stages.',
  examples: [
    ['poplin policy preview db-in -n shop', 'one staged policy'],
    ['poplin policy preview --all -o json', 'all of them together, for programs'],
  ],
  positionals: { names: { describe: 'Names of staged policies, of any of their kinds', many: true } },
  options: {
    all: { type: 'boolean', describe: 'All staged policies together' },
    namespace: {
      type: 'string',
      alias: 'n',
      value: 'NAMESPACE',
      describe: 'Only staged policies of this namespace; without it also those of the cluster',
    },
    ...structuredOutput,
    ...storeOptions,
  },
});

export const policyCountersTable = table({
  path: ['policy', 'counters'],
  summary: 'Show how many packets each rule of policy decided on a node',
  description:
    'Asks felix-lite of this machine, or of the nodes of the running lab, what the kernel has counted for each rule of the policies that are in force there: packets and octets since the rule was written into the kernel, both IP versions together. Packets of connections that were allowed once do not come to the rules again, so an allowed connection counts once. Behind the policies, what the ends of tiers denied (for workloads of each namespace), and profiles. A policy that no workload of the node meets is not there. -o json and yaml tell the IP versions apart.',
  examples: [
    ['poplin policy counters', 'all policies in force on this machine'],
    ['poplin policy counters -n shop --policy db', 'one policy of a namespace'],
    ['poplin policy counters --action Deny --hits', 'what was denied, and by which rule'],
  ],
  positionals: {
    nodes: { describe: 'Nodes of the running lab; without them all', many: true, complete: 'node' },
  },
  options: {
    namespace: {
      type: 'string',
      alias: 'n',
      value: 'NAMESPACE',
      describe: 'Only policies of this namespace, and what tiers denied its workloads',
    },
    policy: { type: 'string', value: 'NAME', describe: 'Only policies, tiers and profiles of this name' },
    action: {
      type: 'string',
      value: 'ACTION',
      choices: ['Allow', 'Deny', 'Log', 'Pass'],
      describe: 'Only rules with this action',
    },
    hits: { type: 'boolean', describe: 'Only rules that have decided at least one packet' },
    ...structuredOutput,
    ...runDirOption,
  },
});
