/** What RFC 7606 asks of a speaker that gets a malformed UPDATE, and of one that sends. */
import { beside, outcome, proven, type Rfc } from './demand.ts';

const UPDATE = 'bgpd/wire/update.test.ts';
const ATTRIBUTES = 'bgpd/wire/attributes/attributes.test.ts';

export const ERROR_RFCS: readonly Rfc[] = [
  {
    number: 7606,
    title: 'Malformed UPDATEs',
    demands: proven(
      [
        '2',
        'MUST',
        'treat-as-withdraw takes the routes out of the Adj-RIB-In',
        'bgpd/speaker/peer-updates.test.ts: turns a malformed UPDATE into withdrawals',
        'test/fuzz/corpus.test.ts: messages that have hurt BGP speakers',
      ],
      [
        '2',
        'MUST NOT',
        'attribute discard is used for what has a say in the choice of a route',
        `${ATTRIBUTES}: drops an attribute alone only where it has no say in the choice of a route`,
      ],
      [
        '3 a, 3 b',
        'MUST',
        'lengths that do not fit the message: a NOTIFICATION 3/1',
        'test/interop/session-hostile.test.ts: an UPDATE whose lengths do not fit',
      ],
      outcome(
        '3 c',
        'wrong Optional or Transitive bit: withdraw',
        '§3 c: ORIGIN marked optional',
        '§3 c: MED marked transitive',
        '§3 c: COMMUNITIES marked well-known',
      ),
      outcome(
        '3 d',
        'a mandatory attribute is missing: withdraw',
        '§3 d: no ORIGIN',
        '§3 d: no AS_PATH',
        '§3 d: no NEXT_HOP',
        '§3 d: no LOCAL_PREF inside',
      ),
      outcome(
        '3 g',
        'MP_REACH_NLRI or MP_UNREACH_NLRI twice: reset, 3/1',
        '§3 g: MP_REACH_NLRI twice',
        '§3 g: MP_UNREACH_NLRI twice',
      ),
      outcome(
        '3 g',
        'any other attribute twice: all but the first are dropped',
        '§3 g: ORIGIN twice',
        '§3 g: an unknown one twice',
      ),
      outcome(
        '3 h',
        'the strongest of several counts',
        '§3 h: discard and withdraw',
        '§3 h: withdraw and reset',
      ),
      outcome('3 i', 'Withdrawn Routes are checked as NLRI are', '§3 i: withdrawn prefix of 33 bits'),
      outcome('3 j', 'NLRI that cannot be read: reset', '§3 j: prefix of 33 bits', '§3 j: prefix cut short'),
      outcome(
        '4',
        'an attribute runs past the field, or has no room for its header: withdraw; the field’s own length finds the NLRI',
        '§4: one octet too few for a header',
        '§4: the last attribute runs past the end',
      ),
      outcome(
        '4',
        'a length of 0 is an error but in AS_PATH and ATOMIC_AGGREGATE',
        '§7.1: ORIGIN of 0 octets',
        '§7.8: COMMUNITIES of 0 octets',
        '§7.10: CLUSTER_LIST of 0 octets',
      ),
      [
        '5.1',
        'MUST',
        'MP_REACH_NLRI or MP_UNREACH_NLRI is sent first',
        `${UPDATE}: announces IPv6 in MP_REACH_NLRI, which comes first`,
      ],
      [
        '5.1',
        'MUST NOT',
        'an UPDATE has more than one field or attribute of NLRI',
        'bgpd/rib/update-group.test.ts: packs prefixes of equal attributes into one message, and withdrawals into one before them',
      ],
      [
        '5.1',
        'MUST',
        'they are taken in any place and combination',
        `${UPDATE}: any two attributes may come in any order`,
      ],
      outcome(
        '5.2',
        'an error but for discard in an UPDATE that reaches nothing: reset',
        '§5.2: withdraw-type error, nothing announced',
        '§5.2: discard-type error, nothing announced',
      ),
      outcome(
        '5.3',
        'a prefix that is too long or cut, wrong flags, too few octets of MP attributes: reset',
        '§5.3: prefix of 129 bits in MP_REACH_NLRI',
        '§5.3: prefix cut short in MP_UNREACH_NLRI',
        '§5.3: MP_REACH_NLRI marked transitive',
        '§7.12: MP_UNREACH_NLRI of 2 octets',
      ),
      [
        '6',
        'MUST',
        'the log has the NLRI and the whole message',
        'bgpd/speaker/log-data.test.ts: names message, attribute, offset and action of the fault that decided',
      ],
      outcome('7.1', 'ORIGIN', '§7.1: ORIGIN 3', '§7.1: ORIGIN of 2 octets'),
      outcome(
        '7.2',
        'AS_PATH',
        '§7.2: unknown segment type',
        '§7.2: segment overrun',
        '§7.2: segment underrun',
        '§7.2: segment of length 0',
      ),
      outcome('7.3', 'NEXT_HOP', '§7.3: NEXT_HOP of 3 octets', '§7.3: NEXT_HOP of 16 octets'),
      outcome('7.4', 'MULTI_EXIT_DISC', '§7.4: MED of 3 octets'),
      outcome(
        '7.5',
        'LOCAL_PREF',
        '§7.5: LOCAL_PREF from outside',
        '§7.5: LOCAL_PREF of 5 octets from inside',
      ),
      outcome('7.6', 'ATOMIC_AGGREGATE', '§7.6: ATOMIC_AGGREGATE of 1 octet'),
      outcome(
        '7.7',
        'AGGREGATOR',
        '§7.7: AGGREGATOR of 6 octets with 4-octet numbers',
        '§7.7: AGGREGATOR of 8 octets with 2-octet numbers',
      ),
      outcome('7.8', 'COMMUNITIES', '§7.8: COMMUNITIES of 5 octets'),
      outcome('7.9', 'ORIGINATOR_ID', '§7.9: ORIGINATOR_ID from outside', '§7.9: ORIGINATOR_ID of 3 octets'),
      outcome('7.10', 'CLUSTER_LIST', '§7.10: CLUSTER_LIST from outside', '§7.10: CLUSTER_LIST of 0 octets'),
      outcome(
        '7.11',
        'next hop of MP_REACH_NLRI',
        '§7.11: next hop of 4 octets for IPv6',
        '§7.11: next hop longer than the attribute',
      ),
      outcome(
        '7.14',
        'EXTENDED_COMMUNITIES; an unknown type is no error',
        '§7.14: EXTENDED_COMMUNITIES of 9 octets',
        '§7.14: an unknown type of extended community is no error',
      ),
    ).concat(
      beside('5.4', 'MUST', 'unknown types of typed NLRI are dropped', 'no family with typed NLRI is spoken'),
      beside(
        '7.13, 7.15, 7.16',
        'MUST',
        'Traffic Engineering, IPv6 extended communities, ATTR_SET',
        'passed on as attributes that nobody here knows',
      ),
    ),
  },
];
