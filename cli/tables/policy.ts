/** explain packet, policy matrix: what policy says, asked of the datastore. */
import { table } from '../command.ts';
import { namespaceOption, runDirOption, storeOptions, structuredOutput } from './common.ts';

const packetOptions = {
  protocol: {
    type: 'string',
    value: 'PROTOCOL',
    default: 'tcp',
    describe: 'tcp, udp, sctp, icmp, or a number',
  },
  port: { type: 'number', value: 'PORT', describe: 'Port that the packet goes to' },
} as const;

export const explainPacketTable = table({
  path: ['explain', 'packet'],
  summary: 'Say whether policy lets a packet through, and why',
  description:
    "Asks the policies in the datastore about the first packet of a connection, in the order in which nodes ask them: the egress policy of its source, then the ingress policy of its destination, for each IP version that both have. Every tier, policy, rule and profile that is asked is shown, and what decided is marked. Staged policies decide nothing; where they would be asked, it is shown what would become of the packet. Then the kernels of the nodes at hand (this machine's, or those of the running lab) that the packet crosses: the rules in them are read back, and those that the packet would match are shown with what they have counted of all packets. Without --port it is a port that no rule names. Exits with 1 when the packet is stopped, and with 3, and a line that begins with ALARM, when a kernel does not do what policy says.",
  examples: [
    ['poplin explain packet --from shop/web-0 --to shop/db-0 --port 5432', 'TCP between two pods'],
    ['poplin explain packet --from 192.0.2.7 --to shop/web-0 --port 53 --protocol udp', 'from outside'],
  ],
  positionals: {},
  options: {
    from: { type: 'string', value: 'END', describe: 'Where it comes from: NAMESPACE/POD, or an address' },
    to: { type: 'string', value: 'END', describe: 'Where it goes: NAMESPACE/POD, or an address' },
    ...packetOptions,
    kernel: {
      type: 'string',
      value: 'WHETHER',
      choices: ['ask', 'skip'],
      default: 'ask',
      describe: 'Whether to look at the rules in the kernel',
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
    'For every two workloads of a namespace, whether policy lets the first packet of a connection from one (row) to the other (column) through: yes, no, or the IP versions in which it does.',
  examples: [
    ['poplin policy matrix -n shop --port 5432', 'who reaches databases'],
    ['poplin policy matrix -n shop --protocol udp --port 53', 'and who reaches name servers'],
  ],
  positionals: {},
  options: { ...namespaceOption, ...packetOptions, ...structuredOutput, ...storeOptions },
});
