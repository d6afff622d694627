/** version, completion. */
import { table } from '../command.ts';
import { storeOptions } from './common.ts';

export const versionTable = table({
  path: ['version'],
  summary: 'Show the version of this program and of the cluster',
  description: 'Prints the version of this program and what ClusterInformation says of the cluster.',
  examples: [],
  positionals: {},
  options: {
    client: { type: 'boolean', describe: 'Only this program: do not open the datastore' },
    ...storeOptions,
  },
});

export const completionTable = table({
  path: ['completion'],
  summary: 'Print a script that teaches the shell to complete poplin by TAB',
  description: 'Completes commands, options, kinds, and names of resources from the datastore.',
  examples: [
    ['source <(poplin completion bash)', 'for this shell; put the line in ~/.bashrc for all'],
    ['source <(poplin completion zsh)', 'the same for zsh'],
  ],
  positionals: { shell: { describe: 'bash or zsh; without it bash' } },
  options: {},
});
