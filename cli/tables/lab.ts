/** lab: a small data centre on this machine, from a containerlab topology file. */
import { table } from '../command.ts';

const lab = { describe: 'Lab; without it the one that runs', complete: 'lab' } as const;

const tableOrJson = {
  output: {
    type: 'string',
    alias: 'o',
    value: 'FORMAT',
    choices: ['table', 'json'],
    default: 'table',
    describe: 'Form of the output',
  },
} as const;

const labOption = {
  lab: { type: 'string', value: 'NAME', describe: 'Lab; without it the one that runs' },
} as const;

export const labUpTable = table({
  path: ['lab', 'up'],
  summary: 'Start a lab from a containerlab topology file',
  description:
    'Makes a network namespace per node, links them, starts routers and Poplin nodes in them. What a crashed lab of the same name left behind is removed first. Ctrl-C takes down what was made so far.',
  examples: [
    ['poplin lab up topologies/quickstart.clab.yml', 'two racks, a spine, four nodes'],
    ['poplin lab up topologies/quickstart.clab.yml --kernel uml', 'the same, in a kernel with every tunnel'],
  ],
  positionals: { topology: { describe: 'Topology file (.clab.yml)', required: true } },
  options: {
    kernel: {
      type: 'string',
      value: 'KERNEL',
      choices: ['host', 'uml'],
      describe:
        "On which kernel: this machine's own (host), or Debian's user-mode-linux as a process (uml); without it uml only where this machine lacks a kind of device that the lab needs",
    },
  },
});

export const labDownTable = table({
  path: ['lab', 'down'],
  summary: 'Stop a lab and remove everything it made',
  description:
    'Stops the processes of the lab, removes its namespaces, its state and its datastore. Succeeds when there is no lab.',
  examples: [['poplin lab down', 'the lab that runs']],
  positionals: { lab },
  options: {},
});

export const labStatusTable = table({
  path: ['lab', 'status'],
  summary: 'Show the nodes, links and workloads of a lab',
  description: 'Shows each node with its kind, process and addresses.',
  examples: [['poplin lab status', 'the lab that runs']],
  positionals: { lab },
  options: tableOrJson,
});

export const labExecTable = table({
  path: ['lab', 'exec'],
  summary: 'Run a command in a node or a workload of the lab',
  description:
    'Runs the command in the network namespace of the node or workload, and exits with its exit code.',
  examples: [
    ['poplin lab exec tor-a -- birdc show protocols', 'ask the BIRD router'],
    ['poplin lab exec tor-b -- vtysh -c "show bgp summary"', 'ask the FRR router'],
    ['poplin lab exec a1 -- ip route', 'routes of a node'],
  ],
  positionals: {
    node: { describe: 'Node or workload', required: true, complete: 'node' },
    command: { describe: 'Command with its arguments, behind --', required: true, many: true },
  },
  options: labOption,
  passThrough: true,
});

export const labTestTable = table({
  path: ['lab', 'test'],
  summary: 'Measure who reaches whom in a lab, against what its policies should allow',
  description:
    'Connects every workload with every other over TCP, shows the matrix, and exits with 1 when a pair differs from the expectation.',
  examples: [['poplin lab test', 'after editing a policy']],
  positionals: { lab },
  options: tableOrJson,
});

export const labQuickstartTable = table({
  path: ['lab', 'quickstart'],
  summary: 'The whole tour: start the lab, configure it, prove it, disturb it, prove it again',
  description: 'What `npm run quickstart` runs. It leaves the lab running.',
  examples: [['poplin lab quickstart', 'the lab of topologies/quickstart.clab.yml']],
  positionals: { topology: { describe: 'Topology file (.clab.yml); without it that of the quickstart' } },
  options: {},
});
