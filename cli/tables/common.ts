/** Options that several commands share, so that they are the same everywhere. */
import type { OptionTable } from '../command.ts';

export const storeOptions = {
  datastore: {
    type: 'string',
    value: 'LOCATION',
    describe:
      'Datastore to use, a path or etcd://HOST:PORT; else POPLIN_DATASTORE, else that of the running lab, else /var/lib/poplin/datastore.db',
  },
} as const satisfies OptionTable;

export const namespaceOption = {
  namespace: {
    type: 'string',
    alias: 'n',
    value: 'NAMESPACE',
    describe: 'Namespace of the resources; without it "default", or what the manifest says',
  },
} as const satisfies OptionTable;

export const fileOptions = {
  filename: {
    type: 'strings',
    alias: 'f',
    value: 'FILE',
    describe:
      'File of manifests, folder of .yaml, .yml and .json files, or - for standard input; may be repeated',
  },
  recursive: { type: 'boolean', alias: 'R', describe: 'Enter the folders inside a folder given with -f' },
  'skip-empty': { type: 'boolean', describe: 'Do not fail when a file or folder holds no resource' },
} as const satisfies OptionTable;

export const structuredOutput = {
  output: {
    type: 'string',
    alias: 'o',
    value: 'FORMAT',
    choices: ['table', 'json', 'yaml'],
    default: 'table',
    describe: 'Form of the output',
  },
} as const satisfies OptionTable;

export const runDirOption = {
  'run-dir': {
    type: 'string',
    value: 'FOLDER',
    describe:
      "A node's run directory, where its sockets are; else POPLIN_RUN_DIR, else those of the running lab, else /run/poplin",
  },
} as const satisfies OptionTable;
