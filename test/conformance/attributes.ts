/** What the RFCs ask of a speaker about attributes and prefixes. */
import { TABLE, beside, proven, type Rfc } from './demand.ts';

const OPEN = 'bgpd/wire/open.test.ts';
const UPDATE = 'bgpd/wire/update.test.ts';
const ATTRIBUTES = 'bgpd/wire/attributes/attributes.test.ts';
const PATH = 'bgpd/wire/attributes/as-path.test.ts';
const AIGP = 'bgpd/wire/attributes/aigp.test.ts';
const LABELS = 'bgpd/wire/labelled-nlri.test.ts';
const EXPORT = 'bgpd/filter/export.test.ts';
const DECISION = 'bgpd/rib/decision.test.ts';
const CONFEDERATION = 'this speaker is no member of a confederation';
const NO_LABELS = 'the family is not negotiated: no MPLS is forwarded here';

export const ATTRIBUTE_RFCS: readonly Rfc[] = [
  {
    number: 4360,
    title: 'Extended communities',
    demands: proven(
      [
        '2',
        'MUST',
        'two are equal where all eight octets are',
        'bgpd/filter/community.test.ts: makes of a community the pattern that fits it alone',
      ],
      ['2', 'MUST', 'the attribute is optional and transitive', `${ATTRIBUTES}: EXTENDED_COMMUNITIES`],
      [
        '6',
        'MUST NOT',
        'they change the choice of a path so that packets circle',
        `${DECISION}: has a row in the ladder for every step`,
      ],
      [
        '6',
        'SHOULD',
        'those that are not transitive come off at the border of the AS',
        `${EXPORT}: extended communities that are not transitive come off`,
      ],
    ).concat(beside('6', 'SHOULD NOT', 'they come off between members of a confederation', CONFEDERATION)),
  },
  {
    number: 5065,
    title: 'Confederations, as others use them',
    demands: proven(
      [
        '3',
        'MUST',
        'segments of types 3 and 4 are understood from inside',
        `${TABLE}: RFC 5065 §3: confederation segment of type`,
        'bgpd/wire/format.test.ts: write every kind of AS_PATH segment',
      ],
      [
        '4',
        'MUST',
        'our own AS inside such a segment is a loop',
        'bgpd/filter/import.test.ts: finds its own AS in a segment of a confederation',
      ],
      [
        '4.1 a',
        'MUST NOT',
        'a path is changed on its way to internal peers',
        `${EXPORT}: to iBGP: LOCAL_PREF always, path and next hop as they came`,
      ],
      [
        '5',
        'MUST NOT',
        'such segments reach a peer outside',
        `${EXPORT}: to eBGP: confederation segments stay inside`,
      ],
      [
        '5',
        'MUST',
        'from a peer outside they make the path malformed',
        `${TABLE}: RFC 5065 §5: confederation segment from outside`,
      ],
      [
        '5.3',
        'SHOULD NOT',
        'they count in the length of a path',
        `${PATH}: counts a set as 1 and confederation segments as 0`,
      ],
      [
        '5.3',
        'SHOULD',
        'MED compares by the first AS behind them',
        `${DECISION}: compares MED by the first AS behind confederation segments`,
      ],
    ).concat(
      beside(
        '4',
        'MUST',
        'members use the confederation’s number outside, and their own inside',
        CONFEDERATION,
      ),
      beside('4.1 b', 'MUST', 'members put their number into AS_CONFED_SEQUENCE', CONFEDERATION),
      beside('5', 'MUST', 'a path from another member AS begins with AS_CONFED_SEQUENCE', CONFEDERATION),
    ),
  },
  {
    number: 6793,
    title: 'AS numbers of four octets',
    demands: proven(
      [
        '4.1',
        'MUST',
        'we say the capability, with our number in it',
        `${OPEN}: as this speaker sends it, octet by octet`,
      ],
      [
        '4.1',
        'MUST',
        'the number in the capability counts, not My Autonomous System',
        `${OPEN}: keeps the last AS number`,
      ],
      [
        '4.1',
        'MUST',
        'between two who can, AS_PATH and AGGREGATOR have four octets for a number',
        `${ATTRIBUTES}: AS_PATH with 4-octet numbers`,
        `${ATTRIBUTES}: AGGREGATOR with a 4-octet number`,
      ],
      [
        '4.1',
        'MUST NOT',
        'AS4_PATH and AS4_AGGREGATOR go to one who can',
        `${PATH}: sends AS4_PATH and AS4_AGGREGATOR to no new speaker`,
      ],
      [
        '4.1, 6',
        'MUST',
        'from one who can they are dropped, and that is told',
        `${TABLE}: RFC 6793 §4.1: AS4_PATH from a new speaker`,
      ],
      [
        '4.2.1',
        'MUST',
        'AS_TRANS stands in My Autonomous System for a number that does not fit',
        `${OPEN}: as this speaker sends it, octet by octet`,
        `${OPEN}: decode(encode(x)) = x`,
      ],
      [
        '4.2.2',
        'MUST',
        'to one who cannot, the path has two octets for a number, and AS4_PATH beside it where that loses something',
        `${UPDATE}: speaks to a peer with 2-octet AS numbers`,
      ],
      [
        '4.2.2',
        'MUST NOT',
        'AS4_PATH goes where nothing is lost',
        `${PATH}: needs AS4_PATH only where a number outside confederation segments does not fit`,
      ],
      [
        '3, 4.2.2',
        'MUST NOT',
        'confederation segments are in AS4_PATH',
        `${PATH}: leaves confederation segments out of AS4_PATH`,
      ],
      [
        '4.2.2',
        'MUST',
        'AS4_AGGREGATOR goes where AGGREGATOR would lose its number, and not otherwise',
        `${UPDATE}: speaks to a peer with 2-octet AS numbers`,
      ],
      [
        '4.2.3',
        'MUST',
        'an AGGREGATOR with a true number makes both AS4 attributes stale',
        `${UPDATE}: lets an old aggregator invalidate both AS4 attributes`,
      ],
      [
        '4.2.3',
        'MUST',
        'an AS4_PATH longer than AS_PATH is ignored',
        `${PATH}: AS4_PATH is longer, so stale`,
      ],
      [
        '4.2.3',
        'MUST',
        'else the front of AS_PATH stands before AS4_PATH',
        `${PATH}: old speakers have prepended`,
        `${PATH}: the cut falls inside the second segment`,
      ],
      [
        '4.2.3',
        'MUST',
        'confederation segments that lead, or follow what stays, stay',
        `${PATH}: a leading confederation segment stays`,
        `${PATH}: one next to a kept segment stays`,
      ],
      ['6', 'MUST', 'a malformed AS4_PATH is dropped and told', `${TABLE}: RFC 6793 §6: AS4_PATH malformed`],
      [
        '6',
        'MUST',
        'an AS4_AGGREGATOR that has not 8 octets is dropped and told',
        `${TABLE}: RFC 6793 §6: AS4_AGGREGATOR of 7 octets`,
      ],
      [
        '6',
        'MUST',
        'confederation segments in AS4_PATH are dropped, the rest stands, and that is told',
        `${TABLE}: RFC 6793 §6: a confederation segment in AS4_PATH goes and is told`,
      ],
    ),
  },
  {
    number: 7311,
    title: 'AIGP',
    demands: proven(
      [
        '3',
        'MUST',
        'the metric has 11 octets, and lengths fit the attribute',
        `${AIGP}: a metric of 7 octets`,
        `${AIGP}: a length past the attribute`,
      ],
      [
        '3',
        'MUST',
        'of several metrics the first counts, and all other TLVs are passed along unchanged',
        `${AIGP}: the first of two metrics, the other kept as it came`,
        `${AIGP}: TLVs of other types beside it, kept as they came`,
      ],
      [
        '3.2',
        'MUST',
        'a malformed one is dropped and not passed along',
        `${AIGP}: half a header`,
        `${AIGP}: nothing`,
      ],
      [
        '3.2',
        'MUST NOT',
        'several TLVs of a type, or unknown ones, make it malformed',
        `${AIGP}: the first of two metrics`,
      ],
      [
        '3.2',
        'MUST',
        'one with the Transitive bit is dropped',
        `${AIGP}: is dropped where it is marked transitive`,
      ],
      ['3.2', 'SHOULD', 'one with the highest metric is dropped', `${AIGP}: the highest metric there is`],
      [
        '3.3',
        'MUST',
        'it can be switched on and off for each session',
        'bgpd/config/config.test.ts: AIGP where it says',
        `${AIGP}: is ignored where it was not switched on`,
      ],
      [
        '3.3',
        'MUST',
        'it is off on external sessions unless asked for',
        'bgpd/config/config.test.ts: AIGP where it says',
      ],
      ['3.3', 'SHOULD', 'it is on on internal sessions', 'bgpd/config/config.test.ts: AIGP where it says'],
      [
        '3.3',
        'MUST NOT',
        'it is sent where it is off',
        `${AIGP}: is ignored where it was not switched on`,
        'test/interop/marks.test.ts: AIGP reaches BIRD and who it reflects to, and nobody outside',
      ],
      [
        '3.3',
        'MUST',
        'one that comes where it is off is as one that nobody knows',
        `${AIGP}: is ignored where it was not switched on`,
      ],
      [
        '3.4.3',
        'MUST NOT',
        'it changes where the next hop does not',
        `${AIGP}: grows by the way to the next hop where we become the next hop, and only there`,
      ],
      [
        '3.4.3',
        'MUST',
        'it grows by the way to the next hop where we become that, at least by something',
        `${AIGP}: grows by the way to the next hop`,
      ],
      [
        '3.4.3',
        'MUST',
        'it ends at the highest value and does not wrap',
        `${AIGP}: ends at the highest metric there is`,
      ],
      [
        '4.1',
        'MUST',
        'it decides before the tie-breaking of RFC 4271 §9.1.2.2, to the last of its 64 bits',
        `${AIGP}: decides before AS_PATH`,
        `${DECISION}: has a row in the ladder for every step`,
      ],
    ).concat(
      beside(
        '3.4.1',
        'MUST',
        'to attach one is to be asked for',
        'only `set` of a route of our own attaches one; nothing does so by itself',
      ),
      beside(
        '3.4.3',
        'MUST',
        'a change of the distance to a next hop is told',
        'next hops are not resolved in the decision: their distance is 0, and what is added is 1',
      ),
    ),
  },
  {
    number: 8092,
    title: 'Large communities',
    demands: proven(
      [
        '3',
        'MUST',
        'repeated values are dropped on receipt, silently',
        `${ATTRIBUTES}: drops repeated large communities, keeping the first place`,
      ],
      [
        '3',
        'MUST NOT',
        'they are sent',
        `${ATTRIBUTES}: drops repeated large communities, keeping the first place`,
      ],
      [
        '5',
        'SHOULD',
        'they are written as three numbers with colons, without leading zeros',
        'bgpd/wire/format.test.ts: write communities so that filters read them',
      ],
      [
        '6',
        'MUST',
        'a length that is 0 or no multiple of 12: withdraw',
        `${TABLE}: RFC 8092 §6: LARGE_COMMUNITY of 11 octets`,
      ],
      [
        '6',
        'MUST NOT',
        'repeated values or reserved AS numbers make it malformed',
        `${ATTRIBUTES}: drops repeated large communities, keeping the first place`,
        `${ATTRIBUTES}: LARGE_COMMUNITY`,
      ],
    ),
  },
  {
    number: 8277,
    title: 'Labelled prefixes, in captures and for tools',
    demands: proven(
      [
        '2.1',
        'MUST',
        'a count of 0 or 1, a second copy and a malformed capability of Multiple Labels are ignored',
        'bgpd/decode/hex.test.ts: reads stacks of labels as the OPENs have settled it',
      ],
      [
        '2.2',
        'MUST',
        'without it there is one label, whatever its S bit',
        `${LABELS}: reads one label where several were not settled`,
      ],
      [
        '2.2, 2.3',
        'MUST',
        'the reserved bits are ignored',
        `${LABELS}: ignores the three reserved bits of a label`,
      ],
      [
        '2.3',
        'MUST',
        'with it the S bit is on the last label and on no other',
        `${LABELS}: reads a stack`,
        `${LABELS}: decodes what it encodes`,
      ],
      [
        '2.4',
        'MUST',
        'what a withdrawal has in place of labels is ignored',
        `${LABELS}: ignores what a withdrawal has in place of labels`,
      ],
      ['2.4', 'SHOULD', 'it is sent as 0x800000', `${LABELS}: decodes what it encodes`],
    ).concat(beside('3, 4', 'MUST', 'labels are bound, swapped and passed on', NO_LABELS), {
      section: 'RFC 4760 §7',
      level: 'MUST',
      asks: 'what a peer sends of the family all the same is ignored, and the session stays',
      proof: [`${TABLE}: MP_REACH_NLRI of a family not negotiated`],
    }),
  },
];
