/** bgpd, bgp reload: the BGP speaker that runs alone, from a file. */
import { table } from '../command.ts';
import { structuredOutput } from './common.ts';

export const bgpdTable = table({
  path: ['bgpd'],
  summary: 'Run the BGP speaker alone, configured by a file',
  description:
    'Runs in the foreground and logs to standard error, without a datastore. docs/bgpd.md tells what the file can say. SIGHUP, or poplin bgp reload, reads it again; sessions that did not change are not touched, and a file with a mistake changes nothing. SIGTERM leaves without a word, so that peers keep our routes for the restart time; SIGINT says goodbye.',
  examples: [
    ['poplin bgpd --config router.yaml', 'run'],
    [
      'poplin bgpd --config router.yaml --check',
      'say what is wrong with the file, and exit with 1 if anything is',
    ],
    ['poplin bgpd --print-schema > router.schema.json', 'JSON Schema, for editors'],
  ],
  positionals: {},
  options: {
    config: { type: 'string', value: 'FILE', describe: 'The configuration, YAML' },
    check: {
      type: 'boolean',
      describe: 'Only check the file: exit with 0 where it is good, 1 where it is not',
    },
    'print-schema': { type: 'boolean', describe: 'Only print the JSON Schema of the file' },
    metrics: {
      type: 'string',
      value: 'ENDPOINT',
      describe:
        'Serve metrics for Prometheus here, too: a port (on the loopback) or ADDRESS:PORT; without it on the control socket only',
    },
    'log-level': {
      type: 'string',
      value: 'LEVEL',
      choices: ['debug', 'info', 'warn', 'error'],
      default: 'info',
      describe: 'Least weight of lines in the log',
    },
  },
});

export const bgpReloadTable = table({
  path: ['bgp', 'reload'],
  summary: 'Have poplin bgpd read its configuration again',
  description:
    'Prints for each peer what happens: nothing, its policy is evaluated again on the routes that are there, its session restarts. A file with a mistake changes nothing; the mistakes are printed and the exit code is 1.',
  examples: [
    ['poplin bgp reload', 'after editing router.yaml'],
    ['poplin bgp reload --dry-run', 'what would happen'],
  ],
  positionals: {},
  options: {
    'dry-run': { type: 'boolean', describe: 'Say what would happen, and change nothing' },
    socket: {
      type: 'string',
      value: 'PATH',
      default: '/run/poplin/bgpd.sock',
      describe: 'Control socket of the daemon: controlSocket in its configuration',
    },
    ...structuredOutput,
  },
});
