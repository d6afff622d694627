/** What the RFCs ask of a speaker about sessions and the length of messages. */
import { TABLE, beside, proven, type Rfc } from './demand.ts';

const OPEN = 'bgpd/wire/open.test.ts';
const UPDATE = 'bgpd/wire/update.test.ts';
const FRAMER = 'bgpd/wire/framer.test.ts';
const NEGOTIATE = 'bgpd/fsm/negotiate.test.ts';

export const SESSION_RFCS: readonly Rfc[] = [
  {
    number: 6286,
    title: 'BGP Identifier',
    demands: proven(
      ['2.1', 'MUST', 'it is not 0, and the same for every peer', `${OPEN}: identifier 0`],
      ['2.2', 'MUST', 'an OPEN with 0 is refused with 2/3', `${OPEN}: identifier 0`],
      [
        '2.2',
        'MUST',
        'our own from an internal peer is refused with 2/3, and from an external one is not',
        `${NEGOTIATE}: lets another AS have our identifier, but not our own`,
      ],
      [
        '2.3',
        'MUST',
        'where both are equal, the connection of the higher AS stays',
        `${NEGOTIATE}: equal identifiers, our AS is higher`,
        `${NEGOTIATE}: equal identifiers, their AS is higher`,
        'bgpd/speaker/peer-failures.test.ts: equal identifiers included',
      ],
    ),
  },
  {
    number: 8654,
    title: 'Extended messages',
    demands: proven(
      ['3', 'MUST', 'errors are handled by RFC 7606', `${TABLE}: §4: an attribute of 65535 octets`],
      ['4', 'SHOULD', 'who can receive them says so', `${OPEN}: as this speaker sends it, octet by octet`],
      [
        '4',
        'MUST',
        'who says so takes messages of up to 65,535 octets',
        `${FRAMER}: takes long messages only as far as its limit`,
        'test/interop/extended.test.ts: carry a route of 6,000 octets to BIRD and back',
      ],
      [
        '4',
        'MUST',
        'they are sent only to those who said so',
        'test/interop/extended.test.ts: are not sent to one that does not know them',
        `${UPDATE}: hits the limit to the octet`,
      ],
      [
        '4',
        'MUST',
        'OPEN and KEEPALIVE stay within 4,096',
        `${FRAMER}: OPEN of 4097, extended messages or not`,
        `${OPEN}: refuses to make an OPEN that no peer could read`,
      ],
      [
        '4',
        'SHOULD',
        'a route that is too long for a peer goes without attributes that may be discarded',
        'bgpd/wire/limits.test.ts: goes without AGGREGATOR first, with all else, then is withdrawn',
      ],
      [
        '4',
        'MUST',
        'one that is too long all the same is withdrawn',
        'bgpd/wire/limits.test.ts: announces or withdraws every prefix, whatever room is left',
        `${UPDATE}: withdraws what no message can hold any more`,
      ],
      [
        '5',
        'MUST NOT',
        'a NOTIFICATION to one who did not say so exceeds 4,096',
        'bgpd/wire/message.test.ts: never exceeds 4096 octets, however long the attribute that it quotes',
      ],
      ['5', 'MUST', 'a bad length is answered with 1/2', `${FRAMER}: OPEN of 4097, extended messages or not`],
    ).concat(beside('5', 'MUST NOT', 'who has not said so takes them', 'this speaker always says so')),
  },
  {
    number: 9072,
    title: 'Extended optional parameters',
    demands: proven(
      [
        '2',
        'SHOULD',
        'up to 255 octets go out in the plain form',
        `${OPEN}: keeps the plain lengths up to 255 octets, and reads them back`,
      ],
      [
        '2',
        'MUST',
        'more go out in the extended form, its first two octets 255',
        `${OPEN}: sends the extended lengths only where needed`,
        'test/interop/extended.test.ts: of optional parameters',
      ],
      [
        '2',
        'MUST',
        'the extended form is taken whatever its length',
        `${OPEN}: takes the extended parameter lengths of RFC 9072, whatever the old length octet says`,
      ],
      [
        '2',
        'MUST',
        'the old length is ignored then, but for 0',
        `${OPEN}: takes the extended parameter lengths of RFC 9072`,
        `${OPEN}: extended parameters behind a length of 0`,
      ],
      [
        '3',
        'MUST',
        'type 255 in another place is a parameter that nobody knows: 2/4',
        `${OPEN}: type 255 in second place`,
      ],
    ),
  },
  {
    number: 9687,
    title: 'SendHoldTimer',
    demands: proven(
      [
        '4.3',
        'MUST',
        'it starts with the session, and not before',
        'bgpd/fsm/step.test.ts: Established; hold 90; send-hold 480',
      ],
      [
        '4.3',
        'MUST',
        'it begins anew with each message that leaves',
        'bgpd/speaker/send-hold.test.ts: leaves alone one that reads',
      ],
      [
        '4.3',
        'MUST',
        'it does not run where the hold time is 0',
        'bgpd/fsm/step.test.ts: hold time 0: neither timer runs in Established',
      ],
      [
        '4.3',
        'MUST',
        'when it ends: log, release of everything, no ConnectRetryTimer, TCP dropped, ConnectRetryCounter, Idle',
        'bgpd/fsm/step.test.ts: send-hold fires',
        'bgpd/speaker/send-hold.test.ts: ends the session of a peer that reads nothing for 8 minutes',
        'test/fuzz/state.test.ts: stops reading: let go by the SendHoldTimer',
      ],
      [
        '4.3',
        'MUST',
        'it is stopped by whatever ends the session',
        'bgpd/speaker/peer.test.ts: leaves no timer behind when stopped',
      ],
      [
        '5, 7',
        'MUST',
        'the log and the state shown say "Send Hold Timer Expired"',
        'bgpd/speaker/peer-updates.test.ts: is given up after the send hold time',
      ],
      [
        '6',
        'SHOULD',
        'it is on by default, with the greater of 8 minutes and twice the hold time',
        'bgpd/fsm/step.test.ts: Established; hold 600; send-hold 1200',
      ],
    ),
  },
];
