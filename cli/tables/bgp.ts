/** bgp: what a BGP speaker knows, and what is in BGP messages. */
import { table, type OptionTable } from '../command.ts';
import { runDirOption, structuredOutput } from './common.ts';

/** Which bgpd is asked. */
const speakerOptions = {
  node: {
    type: 'string',
    value: 'NODE',
    describe: 'Node of the running lab; without it all of them, each with its name',
  },
  ...runDirOption,
  socket: {
    type: 'string',
    value: 'PATH',
    describe: 'Control socket of bgpd, where it is not in a run directory: controlSocket of router.yaml',
  },
} as const satisfies OptionTable;

export const bgpNeighborsTable = table({
  path: ['bgp', 'neighbors'],
  summary: 'Show the BGP neighbors: state, since when, routes, last error',
  description:
    'Asks bgpd of this machine, or of every node of the running lab. RECEIVED counts what import policy refused, too; where that is some, both numbers are shown.',
  examples: [
    ['poplin bgp neighbors', 'this machine, or every node of the running lab'],
    ['poplin bgp neighbors --node a1 -o json', 'one node of the lab, for programs'],
    ['poplin bgp neighbors --socket /run/poplin/bgpd.sock', 'a speaker that runs alone'],
  ],
  positionals: {},
  options: { ...structuredOutput, ...speakerOptions },
});

export const bgpNeighborTable = table({
  path: ['bgp', 'neighbor'],
  summary: 'Show all about one BGP neighbor',
  description:
    'Shows state, what the OPENs settled, the capabilities each side sent, the last NOTIFICATION each way, the last end of a connection, routes per family, counters and running timers.',
  examples: [
    ['poplin bgp neighbor tor-a --node a1', 'by name'],
    ['poplin bgp neighbor 10.0.0.1', 'by address'],
  ],
  positionals: { neighbor: { describe: 'Name or address', required: true } },
  options: { ...structuredOutput, ...speakerOptions },
});

export const bgpRoutesTable = table({
  path: ['bgp', 'routes'],
  summary: 'Show BGP routes, and why each path was or was not chosen',
  description:
    'Without a view, every path of every prefix, with the step of the decision process that each one lost by. "best": only those in use. "in": what neighbors sent, before import policy, and what became of it. "out": what neighbors are told, after export policy. Routes come in prefix order and are not gathered anywhere: a million of them cost neither memory nor the speaker\'s time for its sessions. In a table, > marks the best path, = one used beside it, x one that policy or the protocol refused, s one kept for a neighbor that is restarting.',
  examples: [
    ['poplin bgp routes', 'every path'],
    ['poplin bgp routes 10.1.2.3', 'the most specific prefix that holds this address'],
    ['poplin bgp routes 10.0.0.0/8 --within', 'this prefix and all more specific ones'],
    [
      'poplin bgp routes 10.1.0.0/16 --explain',
      'which rule let each path in or changed it, who is told, and why not',
    ],
    ['poplin bgp routes in --neighbor tor-a', 'what a neighbor sent'],
    [
      'poplin bgp routes out --neighbor tor-a --explain',
      'what it is told, and what is held back by which rule',
    ],
  ],
  positionals: {
    view: { describe: 'in, out or best; may be left out' },
    prefix: { describe: 'Prefix, or address; without it all' },
  },
  options: {
    neighbor: {
      type: 'string',
      value: 'NEIGHBOR',
      describe: 'Only routes of this neighbor, by name or address',
    },
    explain: {
      type: 'boolean',
      describe: 'Tell the rules of import and export that decided and changed each route',
    },
    within: { type: 'boolean', describe: 'The prefix and all more specific ones' },
    family: {
      type: 'string',
      value: 'FAMILY',
      choices: ['ipv4-unicast', 'ipv6-unicast'],
      describe: 'Only this address family',
    },
    limit: { type: 'number', value: 'COUNT', describe: 'Stop after so many prefixes' },
    ...structuredOutput,
    ...speakerOptions,
  },
});

export const bgpClearTable = table({
  path: ['bgp', 'clear'],
  summary: 'End a BGP session so that it comes up anew, or have routes told again on it',
  description:
    'Without --soft the session ends with Cease "administrative reset" and starts at once, also where the idle hold or a prefix limit kept it down. With --soft it stands: "in" asks the neighbor for its routes (ROUTE-REFRESH; one that does not know that has its stored routes judged again), "out" tells it ours again, "both" does both. A changed filter needs none of this: what it changes is worked out on stored routes at once.',
  examples: [
    ['poplin bgp clear tor-a', 'end the session with tor-a and bring it up anew'],
    ['poplin bgp clear tor-a --soft in', 'ask tor-a for its routes'],
    ['poplin bgp clear --all --soft out --family ipv6-unicast', 'tell every neighbor our IPv6 routes again'],
  ],
  positionals: { neighbor: { describe: 'Name or address' } },
  options: {
    all: { type: 'boolean', describe: 'Every neighbor, in place of one' },
    soft: {
      type: 'string',
      value: 'DIRECTION',
      choices: ['in', 'out', 'both'],
      describe: 'Keep the session, and have routes of this direction told again',
    },
    family: {
      type: 'string',
      value: 'FAMILY',
      choices: ['ipv4-unicast', 'ipv6-unicast'],
      describe: 'With --soft: only this address family',
    },
    ...structuredOutput,
    ...speakerOptions,
  },
});

export const bgpDecodeTable = table({
  path: ['bgp', 'decode'],
  summary: 'Decode BGP messages from hexadecimal text or a capture',
  description:
    'Reads lines of hexadecimal octets, a pcap or pcapng file (TCP put together by sequence number), or plain octets; it finds out which. Prints one JSON object per message: its fields, or the error with its offset and what RFC 7606 makes of it. What an UPDATE cannot be read without (width of AS numbers, path ids, kind of session) comes from the options, else from the OPENs, else is guessed and told under "assumed". It asks no daemon.',
  examples: [
    ['poplin bgp decode session.pcap', 'every message of every session in a capture'],
    ['tcpdump -i eth0 -U -w - tcp port 179 | poplin bgp decode', 'messages as they pass'],
    ['echo ffffffffffffffffffffffffffffffff001304 | poplin bgp decode', 'one message'],
    ['poplin bgp decode --add-path 1/1 lines.txt', 'NLRI with path ids'],
  ],
  positionals: { files: { describe: 'Files; without them standard input', many: true } },
  options: {
    asn4: { type: 'boolean', describe: 'AS numbers have 4 octets, whatever the OPENs say' },
    asn2: { type: 'boolean', describe: 'AS numbers have 2 octets, whatever the OPENs say' },
    'add-path': {
      type: 'strings',
      value: 'AFI/SAFI',
      describe: 'NLRI of this family have path ids, whatever the OPENs say: 1/1 or 2/1; may be repeated',
    },
    peer: {
      type: 'string',
      value: 'KIND',
      choices: ['internal', 'external'],
      describe: 'Kind of session, whatever the OPENs say: what some attributes mean depends on it',
    },
    port: {
      type: 'strings',
      value: 'PORT',
      describe:
        'TCP port of BGP in captures beside 179; may be repeated. Sessions seen from their start need none',
    },
  },
});
