/** explain route: which way packets of a node to an address take, and why. */
import { table } from '../command.ts';
import { runDirOption, structuredOutput } from './common.ts';

export const explainRouteTable = table({
  path: ['explain', 'route'],
  summary: 'Say by which route a node sends packets to an address, and why',
  description:
    'Asks felix-lite and bgpd of this machine, or of the nodes of the running lab: which pool, block and workload the address is of, the route that felix-lite wants for it, the best path that bgpd has, and the entry of the kernel’s table that packets take. Exits with 3, and a line that begins with ALARM, when the kernel does otherwise than the two want: a stranger’s route in the place of ours, one that the kernel refused, one that nobody wants any more.',
  examples: [
    ['poplin explain route 10.244.2.7', 'this machine, or every node of the running lab'],
    ['poplin explain route fd00:10:244::47 a1 -o json', 'one node of the lab, for programs'],
  ],
  positionals: {
    address: { describe: 'Where packets go', required: true },
    nodes: { describe: 'Nodes of the running lab; without them all', many: true, complete: 'node' },
  },
  options: { ...structuredOutput, ...runDirOption },
});
