/** ipam: who holds which address, and why; what leaked; how addresses are shared out. */
import { table } from '../command.ts';
import { storeOptions, structuredOutput } from './common.ts';

export const ipamShowTable = table({
  path: ['ipam', 'show'],
  summary: 'Show how full the pools are, or who holds an address',
  description:
    'Without options one line per IP pool. With --show-blocks also the blocks that nodes have claimed of it. With --ip the holder of one address. With --show-configuration the settings that hold for all nodes.',
  examples: [
    ['poplin ipam show', 'how full each pool is'],
    ['poplin ipam show --show-blocks', 'and which node has which block'],
    ['poplin ipam show --ip 10.244.0.5', 'who holds this address'],
  ],
  positionals: {},
  options: {
    'show-blocks': { type: 'boolean', describe: 'Show the blocks of each pool too' },
    'show-borrowed': {
      type: 'boolean',
      describe: "Show only addresses that a node took from another node's block",
    },
    'show-configuration': { type: 'boolean', describe: 'Show the settings of IPAM' },
    ip: { type: 'string', value: 'ADDRESS', describe: 'Show who holds this address' },
    ...structuredOutput,
    ...storeOptions,
  },
});

export const ipamCheckTable = table({
  path: ['ipam', 'check'],
  summary: 'Compare addresses taken with endpoints that use them',
  description:
    'Looks for addresses that are taken but used by no workload endpoint or node, addresses that are used but not taken, or used twice, blocks outside every pool or across each other, handles that do not fit the blocks, and affinities without block or blocks without affinity. It changes nothing. As calicoctl does, it exits with 0 whatever it finds, unless --exit-code asks otherwise; datastore check, which looks for the same and more, exits with 1.',
  examples: [
    ['poplin ipam check', 'after a crash, or before an upgrade'],
    ['poplin ipam check -o report.json', 'and write what was found to a file, for ipam release'],
    ['poplin ipam check --exit-code', 'for a script that is to stop at a problem'],
  ],
  positionals: {},
  options: {
    'show-all-ips': {
      type: 'boolean',
      describe: 'Print every address that is taken or used',
    },
    'show-problem-ips': { type: 'boolean', describe: 'Print every address that is leaked or not taken' },
    'exit-code': { type: 'boolean', describe: 'Exit with 1 when there is a problem' },
    output: {
      type: 'string',
      alias: 'o',
      value: 'FORMAT|FILE',
      default: 'table',
      describe:
        "Form of the output: table, json or yaml; any other word is a file to write a report to, in calicoctl's form",
    },
    ...storeOptions,
  },
});

export const ipamReleaseTable = table({
  path: ['ipam', 'release'],
  summary: 'Release an address, or all that a report found leaked',
  description:
    'With --ip releases one address. With --from-report releases what a report of ipam check lists as unused, addresses and handles, if it is still held as it was then and no endpoint has come to use it; of several reports, made some time apart, only what is in all of them. One report at least must have been made under the lock of the datastore that holds still, so that no address is on its way to a workload meanwhile.',
  examples: [
    ['poplin ipam release --ip 10.244.0.5', 'one address'],
    [
      'poplin ipam release --from-report report.json',
      'after: datastore migrate lock, ipam check -o report.json',
    ],
  ],
  positionals: {},
  options: {
    ip: { type: 'string', value: 'ADDRESS', describe: 'Address to release' },
    'from-report': {
      type: 'strings',
      value: 'FILE',
      describe: 'Report of ipam check, of Poplin or calicoctl; may be repeated',
    },
    force: {
      type: 'boolean',
      describe:
        'With --ip: although an endpoint uses it. With --from-report: although the datastore is not locked, or was not when the reports were made',
    },
    ...storeOptions,
  },
});

export const ipamConfigureTable = table({
  path: ['ipam', 'configure'],
  summary: 'Change how addresses are shared out among nodes',
  description: 'Changes the settings that hold for all nodes. What is not named stays as it is.',
  examples: [
    ['poplin ipam configure --strictaffinity=true', 'no node takes addresses from the block of another'],
    ['poplin ipam configure --max-blocks-per-host=4', 'of each IP version'],
    ['poplin ipam configure --ip-cooldown-seconds=60', 'a released address rests for a minute'],
  ],
  positionals: {},
  options: {
    strictaffinity: {
      type: 'string',
      value: 'true|false',
      choices: ['true', 'false'],
      describe: "Whether a node may only take addresses from its own blocks, never borrow from another's",
    },
    'max-blocks-per-host': {
      type: 'number',
      value: 'NUMBER',
      describe:
        'How many blocks of each IP version a node may claim; 0 for no limit of its own, which means 20',
    },
    'ip-cooldown-seconds': {
      type: 'number',
      value: 'SECONDS',
      describe: 'How long a released address rests before it is given again, up to 1200; 0 for not at all',
    },
    ...storeOptions,
  },
});

export const ipamExplainTable = table({
  path: ['ipam', 'explain'],
  summary: 'Explain one address: who has it, since when, and out of which block',
  description:
    'Says whether the address is free, in use, leaked, reserved or outside every pool, and shows the pool, the block and who it belongs to, the handle, the node and the workload that it follows from.',
  examples: [['poplin ipam explain 10.244.0.5', 'why a workload has this address, or does not get it']],
  positionals: { address: { describe: 'IPv4 or IPv6 address', required: true } },
  options: { ...structuredOutput, ...storeOptions },
});

export const ipamGcTable = table({
  path: ['ipam', 'gc'],
  summary: 'Free what nobody holds any more, as the agents do by themselves',
  description:
    'One round of the garbage collector that one agent of the cluster runs all the time: addresses whose workload is gone, tunnel addresses, blocks and endpoints of nodes that left, counts and affinities that a crash left behind, empty blocks of nodes that have others. It looks, waits, looks again, and puts right what was the same all the while, each by compare-and-swap after another look. In doubt (no endpoint at all, most nodes gone) it holds still. Exits with 1 when it was in doubt or could not finish, and with --dry-run when it found something.',
  examples: [
    ['poplin ipam gc --dry-run', 'what it would do'],
    ['poplin ipam gc --grace-period=120', 'what has been wrong for two minutes'],
  ],
  positionals: {},
  options: {
    'dry-run': { type: 'boolean', describe: 'Say what would be done, and do nothing' },
    'grace-period': {
      type: 'number',
      value: 'SECONDS',
      default: 60,
      describe:
        'How long a finding must stay the same. With 0 an address that is just being given to a workload looks leaked',
    },
    confirm: { type: 'boolean', describe: 'Act in spite of doubts, as they are true' },
    ...structuredOutput,
    ...storeOptions,
  },
});

export const ipamSplitTable = table({
  path: ['ipam', 'split'],
  summary: 'Split an IP pool into smaller ones of equal size',
  description:
    'Replaces the pool by NUMBER pools with the same settings; blocks and addresses stay as they are. The datastore must be locked, so that no block is claimed meanwhile.',
  examples: [['poplin ipam split 2 --cidr=10.244.0.0/16', 'into 10.244.0.0/17 and 10.244.128.0/17']],
  positionals: { number: { describe: 'Power of two', required: true } },
  options: {
    cidr: { type: 'string', value: 'CIDR', describe: 'CIDR of the pool to split' },
    name: { type: 'string', value: 'NAME', describe: 'Name of the pool to split' },
    ...storeOptions,
  },
});
