/** ipam show, ipam check: who holds which address. */
import { table } from '../command.ts';
import { storeOptions, structuredOutput } from './common.ts';

export const ipamShowTable = table({
  path: ['ipam', 'show'],
  summary: 'Show how full the pools are, or who holds an address',
  description:
    'Without options one line per IP pool. With --show-blocks also the blocks that nodes have claimed of it. With --ip the holder of one address.',
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
    ip: { type: 'string', value: 'ADDRESS', describe: 'Show who holds this address' },
    ...structuredOutput,
    ...storeOptions,
  },
});

export const ipamCheckTable = table({
  path: ['ipam', 'check'],
  summary: 'Compare addresses taken with endpoints that use them',
  description:
    'Looks for addresses that are taken but used by no workload endpoint, addresses that an endpoint uses but nobody took, blocks outside every pool, and handles that count wrong. It changes nothing. Exits with 1 when it finds something.',
  examples: [['poplin ipam check', 'after a crash, or before an upgrade']],
  positionals: {},
  options: { ...structuredOutput, ...storeOptions },
});
