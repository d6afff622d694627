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
