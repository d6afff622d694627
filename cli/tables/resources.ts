/** get, apply, create, replace, delete: calicoctl's grammar for resources. */
import { table } from '../command.ts';
import { fileOptions, namespaceOption, storeOptions, structuredOutput } from './common.ts';

const kinds = {
  kind: {
    describe: 'Kind of resource in any spelling (IPPool, ippools, pool); several with commas',
    complete: 'kind',
  },
  names: { describe: 'Names; without them all of the kind', many: true, complete: 'name' },
} as const;

export const getTable = table({
  path: ['get'],
  summary: 'Show resources',
  description:
    'Shows resources by kind and name, or those that a manifest names. YAML and JSON output can be given back to apply, create, replace and delete. Asking for a name that does not exist is an error; asking for a kind that has no resources is not.',
  examples: [
    ['poplin get nodes -o wide', 'AS number and addresses of each node'],
    ['poplin get policy -A', 'the network policies of all namespaces'],
    ['poplin get ippool lab-v4 -o yaml', 'one pool, ready to edit and apply again'],
    ['poplin get -f topologies/quickstart/ -o name', 'what of a folder of manifests is in the datastore'],
  ],
  positionals: kinds,
  options: {
    output: {
      type: 'string',
      alias: 'o',
      value: 'FORMAT',
      default: 'ps',
      describe:
        'ps (a table), wide (a wider one), yaml, json, name (kind/name, one a line), or custom-columns=NAME,... with headings of the wide table',
    },
    ...namespaceOption,
    'all-namespaces': { type: 'boolean', alias: 'A', describe: 'Show the resources of every namespace' },
    ...fileOptions,
    export: {
      type: 'boolean',
      describe:
        'Leave out what belongs to this datastore alone (uid, resourceVersion, creationTimestamp), when names are given',
    },
    ...storeOptions,
  },
});

const whole =
  'All documents of all files are checked first, alone and together with what the datastore holds, and written in one transaction: either all of it happens, or nothing. Fields that are stored and shown but do nothing here are told of in a warning, one line a resource.';

const outcomeOutput = {
  output: {
    ...structuredOutput.output,
    describe:
      'table: a sentence; json, yaml: of each resource what became of it, and which fields do nothing',
  },
} as const;

const previewOption = {
  preview: {
    type: 'boolean',
    describe: 'Write nothing; say which flows the change would open or close',
  },
} as const;

const judged =
  'With --preview nothing is written: the resources are checked as ever, and policy is judged before and after for all pairs of workloads, hosts behind host endpoints and addresses outside that rules name, over all traffic that rules tell apart, from a client port that no rule names. What nothing tells apart is judged once and told in one row; where nodes have policy for what they forward (applyOnForward, preDNAT, doNotTrack), rows that are true for one of their interfaces say by which. What a workload sends to its own host is not judged.';

export const applyTable = table({
  path: ['apply'],
  summary: 'Create or replace resources from files',
  description: `Creates what does not exist and replaces the whole specification of what does. ${whole} ${judged} Staged policies change nothing by themselves; for each of them it is said, too, what enforcing it would do.`,
  examples: [
    ['poplin apply -f policy.yaml', 'one file, any number of documents'],
    ['poplin apply -f topologies/quickstart/', 'every manifest of a folder'],
    ['cat policy.json | poplin apply -f -', 'standard input'],
    ['poplin apply --preview -f policy.yaml', 'which flows it would open or close'],
  ],
  positionals: {},
  options: { ...fileOptions, ...previewOption, ...outcomeOutput, ...namespaceOption, ...storeOptions },
});

export const createTable = table({
  path: ['create'],
  summary: 'Create resources from files',
  description: `Creates resources, and refuses when one exists already. ${whole}`,
  examples: [['poplin create -f pool.yaml', 'fails when the pool exists']],
  positionals: {},
  options: {
    ...fileOptions,
    'skip-exists': {
      type: 'boolean',
      describe: 'Leave resources that exist already as they are, without an error',
    },
    ...outcomeOutput,
    ...namespaceOption,
    ...storeOptions,
  },
});

export const replaceTable = table({
  path: ['replace'],
  summary: 'Replace resources that exist from files',
  description: `Replaces the whole specification of resources, and refuses when one does not exist. ${whole}`,
  examples: [['poplin replace -f policy.yaml', 'fails when the policy does not exist']],
  positionals: {},
  options: { ...fileOptions, ...outcomeOutput, ...namespaceOption, ...storeOptions },
});

export const deleteTable = table({
  path: ['delete'],
  summary: 'Delete resources by kind and name, or those that files name',
  description:
    'Deletes resources in one transaction: either all, or none. A tier that holds policies is not deleted, nor is what the system needs (the default tier). Deleting a pool with addresses in use, or a node with workloads, warns. With --preview nothing is deleted, and it is said which flows that would open or close, as apply does.',
  examples: [
    ['poplin delete policy web-in -n prod', 'one policy'],
    ['poplin delete --preview policy web-in -n prod', 'which flows that would open or close'],
    ['poplin delete -f topologies/quickstart/', 'what a folder of manifests names'],
  ],
  positionals: kinds,
  options: {
    ...fileOptions,
    'skip-not-exists': {
      type: 'boolean',
      alias: 's',
      describe: 'Count resources that do not exist as deleted',
    },
    ...previewOption,
    output: { ...structuredOutput.output, describe: 'Form of the preview' },
    ...namespaceOption,
    ...storeOptions,
  },
});
