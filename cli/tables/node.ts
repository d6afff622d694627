/** node status: what the daemons of a node say of themselves. */
import { table } from '../command.ts';
import { runDirOption, structuredOutput } from './common.ts';

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
