/** datastore migrate: everything from one datastore into another. datastore check: what does not fit together. */
import { table } from '../command.ts';
import { storeOptions, structuredOutput } from './common.ts';

const overwrite = {
  overwrite: {
    type: 'boolean',
    describe: 'Also into a datastore that is not empty: objects of the same names are replaced, others stay',
  },
} as const;

export const datastoreMigrateExportTable = table({
  path: ['datastore', 'migrate', 'export'],
  summary: 'Write everything in the datastore to one file',
  description:
    'Writes all resources and all IPAM objects, as they are at one moment, as JSON lines that end in a checksum. Lock the datastore first when you move it: what nodes write after the export is not in the file.',
  examples: [
    ['poplin datastore migrate export -f backup.jsonl', 'into a file that only its owner can read'],
    ['poplin datastore migrate export | gzip > backup.gz', 'to standard output'],
    [
      'poplin datastore migrate export --format calico -f move.yaml',
      'for calicoctl datastore migrate import',
    ],
  ],
  positionals: {},
  options: {
    format: {
      type: 'string',
      choices: ['poplin', 'calico'],
      default: 'poplin',
      describe:
        "poplin holds everything; calico is calicoctl's file for moving to Kubernetes, without endpoints, profiles and identities",
    },
    filename: {
      type: 'string',
      alias: 'f',
      value: 'FILE',
      default: '-',
      describe: 'File to write, replaced once it is complete, or - for standard output',
    },
    ...storeOptions,
  },
});

export const datastoreMigrateImportTable = table({
  path: ['datastore', 'migrate', 'import'],
  summary: 'Write an export into a datastore, and verify it',
  description:
    'Checks the whole file, writes it into an empty datastore, reads all of it back and compares. The datastore is locked meanwhile and stays locked: unlock it when you are content.',
  examples: [
    ['poplin datastore migrate import -f backup.jsonl --datastore etcd://10.0.0.9:2379', 'into an etcd'],
    ['poplin datastore migrate import -f calico.yaml', 'what calicoctl datastore migrate export wrote'],
  ],
  positionals: {},
  options: {
    filename: {
      type: 'string',
      alias: 'f',
      value: 'FILE',
      default: '-',
      describe: 'File that an export wrote, of poplin or of calicoctl, or - for standard input',
    },
    ...overwrite,
    ...storeOptions,
  },
});

export const datastoreMigrateCopyTable = table({
  path: ['datastore', 'migrate', 'copy'],
  summary: 'Move everything from one datastore into another at once',
  description:
    'Locks the one, writes all of it into the other, verifies, and leaves both locked: unlock the new one once the nodes use it.',
  examples: [
    [
      'poplin datastore migrate copy --from /var/lib/poplin/datastore.db --to etcd://10.0.0.9:2379',
      'from this machine to an etcd',
    ],
  ],
  positionals: {},
  options: {
    from: { type: 'string', value: 'LOCATION', describe: 'Datastore to read, which must exist' },
    to: { type: 'string', value: 'LOCATION', describe: 'Datastore to write' },
    ...overwrite,
  },
});

export const datastoreMigrateLockTable = table({
  path: ['datastore', 'migrate', 'lock'],
  summary: 'Lock the datastore for a migration: no new workloads',
  description:
    'Sets datastoreReady of ClusterInformation to false. Nodes then attach no new workload, and routing and policy stay as they are whatever changes in the datastore; what runs goes on running, and may go.',
  examples: [],
  positionals: {},
  options: { ...storeOptions },
});

export const datastoreMigrateUnlockTable = table({
  path: ['datastore', 'migrate', 'unlock'],
  summary: 'Unlock the datastore after a migration',
  description:
    'Sets datastoreReady of ClusterInformation to true: nodes attach workloads again, and take in what has changed meanwhile.',
  examples: [],
  positionals: {},
  options: { ...storeOptions },
});

export const datastoreCheckTable = table({
  path: ['datastore', 'check'],
  summary: 'Report what is inconsistent in the datastore',
  description:
    'Reads everything and looks for resources that cannot be read, that break a rule or clash with others (policies of missing tiers, overlapping pools), policies that lie there under two names, endpoints of missing nodes, resources whose owner is gone, kinds that nobody knows, IPAM blocks that contradict themselves or their affinities, and all that ipam check finds. It changes nothing. Exits with 1 when it finds something.',
  examples: [['poplin datastore check', 'before a migration or an upgrade']],
  positionals: {},
  options: { ...structuredOutput, ...storeOptions },
});
