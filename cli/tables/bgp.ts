/** bgp: what a BGP speaker knows, and what is in BGP messages. */
import { table } from '../command.ts';

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
