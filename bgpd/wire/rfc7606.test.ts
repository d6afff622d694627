/**
 * RFC 7606, its sections 3, 4, 5 and 7, row by row: what one malformed UPDATE does, on internal and external sessions.
 */
import { expect } from 'chai';
import { outcomeOf, type Fault } from './fault.ts';
import { decodeMessage } from './message.ts';
import { EXTERNAL, INTERNAL, update } from './testing/octets.ts';
import type { Negotiated, UpdateMessage } from './types.ts';

const OLD: Negotiated = { ...EXTERNAL, fourOctetAs: false };

const ORIGIN = '40 01 01 00';
const AS_PATH = '40 02 06 02 01 0000fde9';
const NEXT_HOP = '40 03 04 c0000201';
const LOCAL_PREF = '40 05 04 00000064';
const MP_REACH = `80 0e 1b 0002 01 10 20010db8 ${'00'.repeat(11)} 01 00 28 20010db801`;
const NLRI = '18 c63364';

type Want =
  | 'accept'
  | { readonly discard: number }
  | 'withdraw'
  | { readonly reset: readonly [code: number, subcode: number] };

interface Row {
  readonly it: string;
  readonly attributes: string;
  readonly nlri?: string;
  readonly withdrawn?: string;
  readonly want: Want;
  /** Default: both kinds of peer, with LOCAL_PREF added on the internal one. */
  readonly on?: Negotiated;
}

/** The sound attributes but for one, which is given in its place or added. */
function but(change: { origin?: string; asPath?: string; nextHop?: string; extra?: string }): string {
  return [
    change.origin ?? ORIGIN,
    change.asPath ?? AS_PATH,
    change.nextHop ?? NEXT_HOP,
    change.extra ?? '',
  ].join(' ');
}

const ROWS: readonly Row[] = [
  { it: 'a sound UPDATE', attributes: but({}), want: 'accept' },
  // §3 c: flags
  { it: '§3 c: ORIGIN marked optional', attributes: but({ origin: 'c0 01 01 00' }), want: 'withdraw' },
  { it: '§3 c: ORIGIN marked non-transitive', attributes: but({ origin: '00 01 01 00' }), want: 'withdraw' },
  { it: '§3 c: MED marked transitive', attributes: but({ extra: 'c0 04 04 00000001' }), want: 'withdraw' },
  {
    it: '§3 c: COMMUNITIES marked well-known',
    attributes: but({ extra: '40 08 04 00000001' }),
    want: 'withdraw',
  },
  {
    it: '§3 c: COMMUNITIES with the partial bit are fine',
    attributes: but({ extra: 'e0 08 04 00000001' }),
    want: 'accept',
  },
  {
    it: '§3 c: the low four bits of the flags mean nothing',
    attributes: but({ origin: '5f 01 0001 00' }),
    want: 'accept',
  },
  {
    it: '§5.3: MP_REACH_NLRI marked transitive',
    attributes: `c0${MP_REACH.slice(2)} ${ORIGIN} ${AS_PATH}`,
    nlri: '',
    want: { reset: [3, 4] },
  },
  // §3 d: missing attributes
  { it: '§3 d: no ORIGIN', attributes: `${AS_PATH} ${NEXT_HOP}`, want: 'withdraw' },
  { it: '§3 d: no AS_PATH', attributes: `${ORIGIN} ${NEXT_HOP}`, want: 'withdraw' },
  { it: '§3 d: no NEXT_HOP', attributes: `${ORIGIN} ${AS_PATH}`, want: 'withdraw' },
  {
    it: '§3 d: no NEXT_HOP, and MP_REACH_NLRI alone announces',
    attributes: `${MP_REACH} ${ORIGIN} ${AS_PATH}`,
    nlri: '',
    want: 'accept',
  },
  { it: '§3 d: no attribute at all', attributes: '', want: 'withdraw' },
  {
    it: 'RFC 6793 §6: a confederation segment in AS4_PATH goes and is told, the rest stands',
    attributes: `${ORIGIN} 40 02 06 02 02 5ba0 5ba0 ${NEXT_HOP} c0 11 10 03 01 0000fde9 02 02 00011170 00011171`,
    on: OLD,
    want: { discard: 1 },
  },
  { it: '§3 d: only an unknown transitive one', attributes: 'c0 63 01 00', want: 'withdraw' },
  { it: '§3 d: no LOCAL_PREF inside', attributes: but({}), on: INTERNAL, want: 'withdraw' },
  // §3 g: repeated attributes
  { it: '§3 g: ORIGIN twice', attributes: but({ extra: '40 01 01 02' }), want: { discard: 1 } },
  {
    it: '§3 g: an unknown one twice',
    attributes: but({ extra: 'c0 63 01 00 c0 63 01 01' }),
    want: { discard: 1 },
  },
  {
    it: '§3 g: MP_REACH_NLRI twice',
    attributes: `${MP_REACH} ${MP_REACH} ${ORIGIN} ${AS_PATH}`,
    nlri: '',
    want: { reset: [3, 1] },
  },
  {
    it: '§3 g: MP_UNREACH_NLRI twice',
    attributes: '80 0f 03 000201 80 0f 03 000201',
    nlri: '',
    want: { reset: [3, 1] },
  },
  // §3 h: the strongest
  {
    it: '§3 h: discard and withdraw',
    attributes: but({ origin: '40 01 01 05', extra: '40 06 01 00' }),
    want: 'withdraw',
  },
  {
    it: '§3 h: withdraw and reset',
    attributes: but({ origin: '40 01 01 05', extra: `${MP_REACH} ${MP_REACH}` }),
    want: { reset: [3, 1] },
  },
  // §3 i, j and §5.3: NLRI
  {
    it: '§3 i: withdrawn prefix of 33 bits',
    attributes: but({}),
    withdrawn: '21 0a000000 00',
    want: { reset: [3, 10] },
  },
  { it: '§3 j: prefix of 33 bits', attributes: but({}), nlri: '21 0a000000 00', want: { reset: [3, 10] } },
  { it: '§3 j: prefix cut short', attributes: but({}), nlri: '18 0a00', want: { reset: [3, 10] } },
  {
    it: '§5.3: prefix of 129 bits in MP_REACH_NLRI',
    attributes: `80 0e 27 0002 01 10 20010db8 ${'00'.repeat(11)} 01 00 81 ${'00'.repeat(17)} ${ORIGIN} ${AS_PATH}`,
    nlri: '',
    want: { reset: [3, 9] },
  },
  {
    it: '§5.3: prefix cut short in MP_UNREACH_NLRI',
    attributes: '80 0f 05 000201 20 20',
    nlri: '',
    want: { reset: [3, 9] },
  },
  // §4: attribute length fields
  { it: '§4: one octet too few for a header', attributes: `${but({})} 40 01`, want: 'withdraw' },
  { it: '§4: extended length cut short', attributes: `${but({})} 50 01 00`, want: 'withdraw' },
  {
    it: '§4: the last attribute runs past the end',
    attributes: `${but({})} 80 04 05 00000001`,
    want: 'withdraw',
  },
  {
    it: '§4 with §3 j: MP_REACH_NLRI runs past the end',
    attributes: `${but({})} 80 0e ff 0002`,
    want: { reset: [3, 1] },
  },
  { it: '§4: an attribute of 65535 octets', attributes: `${but({})} d0 63 ffff`, want: 'withdraw' },
  // §5.2: nothing reachable
  {
    it: '§5.2: withdraw-type error, nothing announced',
    attributes: '40 01 01 05',
    nlri: '',
    want: { reset: [3, 6] },
  },
  {
    it: '§5.2: withdraw-type error beside MP_UNREACH_NLRI',
    attributes: '80 0f 03 000201 40 01 01 05',
    nlri: '',
    want: { reset: [3, 6] },
  },
  {
    it: '§5.2: withdraw-type error beside withdrawn routes',
    attributes: '40 01 01 05',
    withdrawn: '08 0a',
    nlri: '',
    want: { reset: [3, 6] },
  },
  {
    it: '§5.2: discard-type error, nothing announced',
    attributes: '40 06 01 00',
    nlri: '',
    want: { discard: 1 },
  },
  {
    it: '§5.3: MP_UNREACH_NLRI marked well-known',
    attributes: '40 0f 08 000201 20 20010db8',
    nlri: '',
    want: { reset: [3, 4] },
  },
  { it: '§5.2: framing error and nothing else', attributes: '40', nlri: '', want: { reset: [3, 1] } },
  {
    it: '§5.2: MP_REACH_NLRI without NLRI, ORIGIN malformed',
    attributes: `80 0e 15 0002 01 10 20010db8 ${'00'.repeat(11)} 01 00 40 01 01 05`,
    nlri: '',
    want: { reset: [3, 6] },
  },
  // §7.1
  { it: '§7.1: ORIGIN 3', attributes: but({ origin: '40 01 01 03' }), want: 'withdraw' },
  { it: '§7.1: ORIGIN of 0 octets', attributes: but({ origin: '40 01 00' }), want: 'withdraw' },
  { it: '§7.1: ORIGIN of 2 octets', attributes: but({ origin: '40 01 02 0000' }), want: 'withdraw' },
  // §7.2
  {
    it: '§7.2: unknown segment type',
    attributes: but({ asPath: '40 02 06 05 01 0000fde9' }),
    want: 'withdraw',
  },
  { it: '§7.2: segment overrun', attributes: but({ asPath: '40 02 06 02 02 0000fde9' }), want: 'withdraw' },
  {
    it: '§7.2: segment underrun',
    attributes: but({ asPath: '40 02 07 02 01 0000fde9 02' }),
    want: 'withdraw',
  },
  { it: '§7.2: segment of length 0', attributes: but({ asPath: '40 02 02 02 00' }), want: 'withdraw' },
  {
    it: 'RFC 7607: AS 0 in AS_PATH',
    attributes: but({ asPath: '40 02 06 02 01 00000000' }),
    want: 'withdraw',
  },
  {
    it: 'RFC 4271 §6.3: empty AS_PATH from outside',
    attributes: but({ asPath: '40 02 00' }),
    on: EXTERNAL,
    want: 'withdraw',
  },
  {
    it: 'empty AS_PATH from inside',
    attributes: `${but({ asPath: '40 02 00' })} ${LOCAL_PREF}`,
    on: INTERNAL,
    want: 'accept',
  },
  {
    it: 'RFC 5065 §5: confederation segment from outside',
    attributes: but({ asPath: '40 02 06 03 01 0000fde9' }),
    on: EXTERNAL,
    want: 'withdraw',
  },
  ...(['03', '04'] as const).map(
    (type): Row => ({
      it: `RFC 5065 §3: confederation segment of type ${type} from inside`,
      attributes: but({ asPath: `40 02 0c ${type} 01 0000fde9 02 01 0000fdea`, extra: LOCAL_PREF }),
      on: INTERNAL,
      want: 'accept',
    }),
  ),
  // §7.3
  { it: '§7.3: NEXT_HOP of 3 octets', attributes: but({ nextHop: '40 03 03 c00002' }), want: 'withdraw' },
  {
    it: '§7.3: NEXT_HOP of 16 octets',
    attributes: but({ nextHop: `40 03 10 ${'20'.repeat(16)}` }),
    want: 'withdraw',
  },
  ...['00000000', '7f000001', 'e0000001', 'ffffffff', '00000001', 'f0000001'].map(
    (hop): Row => ({
      it: `RFC 4271 §6.3: NEXT_HOP ${hop} is no host`,
      attributes: but({ nextHop: `40 03 04 ${hop}` }),
      want: 'withdraw',
    }),
  ),
  {
    it: 'NEXT_HOP 0.0.0.0 beside MP_REACH_NLRI alone means nothing',
    attributes: `${MP_REACH} ${but({ nextHop: '40 03 04 00000000' })}`,
    nlri: '',
    want: 'accept',
  },
  // §7.4 to §7.10
  { it: '§7.4: MED of 3 octets', attributes: but({ extra: '80 04 03 000001' }), want: 'withdraw' },
  {
    it: '§7.5: LOCAL_PREF from outside',
    attributes: but({ extra: LOCAL_PREF }),
    on: EXTERNAL,
    want: { discard: 1 },
  },
  {
    it: '§7.5: even a malformed one',
    attributes: but({ extra: '40 05 01 00' }),
    on: EXTERNAL,
    want: { discard: 1 },
  },
  {
    it: '§7.5: LOCAL_PREF of 5 octets from inside',
    attributes: but({ extra: '40 05 05 0000000001' }),
    on: INTERNAL,
    want: 'withdraw',
  },
  {
    it: '§7.6: ATOMIC_AGGREGATE of 1 octet',
    attributes: but({ extra: '40 06 01 00' }),
    want: { discard: 1 },
  },
  {
    it: '§7.7: AGGREGATOR of 6 octets with 4-octet numbers',
    attributes: but({ extra: 'c0 07 06 fde9 c0000201' }),
    want: { discard: 1 },
  },
  {
    it: '§7.7: AGGREGATOR of 8 octets with 2-octet numbers',
    attributes: `${ORIGIN} 40 02 04 02 01 fde9 ${NEXT_HOP} c0 07 08 0000fde9 c0000201`,
    on: OLD,
    want: { discard: 1 },
  },
  {
    it: 'RFC 7607: AGGREGATOR with AS 0',
    attributes: but({ extra: 'c0 07 08 00000000 c0000201' }),
    want: { discard: 1 },
  },
  { it: '§7.8: COMMUNITIES of 0 octets', attributes: but({ extra: 'c0 08 00' }), want: 'withdraw' },
  {
    it: '§7.8: COMMUNITIES of 5 octets',
    attributes: but({ extra: 'c0 08 05 0000000100' }),
    want: 'withdraw',
  },
  {
    it: '§7.9: ORIGINATOR_ID from outside',
    attributes: but({ extra: '80 09 04 00000001' }),
    on: EXTERNAL,
    want: { discard: 1 },
  },
  {
    it: '§7.9: ORIGINATOR_ID of 3 octets',
    attributes: but({ extra: `${LOCAL_PREF} 80 09 03 000001` }),
    on: INTERNAL,
    want: 'withdraw',
  },
  {
    it: '§7.10: CLUSTER_LIST from outside',
    attributes: but({ extra: '80 0a 04 00000001' }),
    on: EXTERNAL,
    want: { discard: 1 },
  },
  {
    it: '§7.10: CLUSTER_LIST of 0 octets',
    attributes: but({ extra: `${LOCAL_PREF} 80 0a 00` }),
    on: INTERNAL,
    want: 'withdraw',
  },
  // §7.11, §7.12
  {
    it: '§7.11: next hop of 4 octets for IPv6',
    attributes: `80 0e 0a 0002 01 04 c0000201 00 00 ${ORIGIN} ${AS_PATH}`,
    nlri: '',
    want: { reset: [3, 9] },
  },
  {
    it: '§7.11: next hop of 0 octets',
    attributes: `80 0e 05 0002 01 00 00 ${ORIGIN} ${AS_PATH}`,
    nlri: '',
    want: { reset: [3, 9] },
  },
  {
    it: '§7.11: next hop longer than the attribute',
    attributes: `80 0e 06 0002 01 ff 0000 ${ORIGIN} ${AS_PATH}`,
    nlri: '',
    want: { reset: [3, 9] },
  },
  {
    it: 'multicast IPv6 next hop',
    attributes: `80 0e 1a 0002 01 10 ff02${'00'.repeat(13)}01 00 20 20010db8 ${ORIGIN} ${AS_PATH}`,
    nlri: '',
    want: 'withdraw',
  },
  {
    it: '§7.12: MP_UNREACH_NLRI of 2 octets',
    attributes: '80 0f 02 0002',
    nlri: '',
    want: { reset: [3, 9] },
  },
  {
    it: 'MP_REACH_NLRI of a family not negotiated',
    attributes: `80 0e 06 0019 46 00 00 00 ${ORIGIN} ${AS_PATH}`,
    nlri: '',
    want: { discard: 1 },
  },
  // §7.14, RFC 8092, RFC 6793
  {
    it: '§7.14: EXTENDED_COMMUNITIES of 9 octets',
    attributes: but({ extra: `c0 10 09 ${'00'.repeat(9)}` }),
    want: 'withdraw',
  },
  {
    it: '§7.14: an unknown type of extended community is no error',
    attributes: but({ extra: 'c0 10 08 ffffffffffffffff' }),
    want: 'accept',
  },
  {
    it: 'RFC 8092 §6: LARGE_COMMUNITY of 11 octets',
    attributes: but({ extra: `c0 20 0b ${'00'.repeat(11)}` }),
    want: 'withdraw',
  },
  {
    it: 'RFC 6793 §4.1: AS4_PATH from a new speaker',
    attributes: but({ extra: 'c0 11 06 02 01 0000fde9' }),
    want: { discard: 1 },
  },
  {
    it: 'RFC 6793 §6: AS4_PATH malformed',
    attributes: `${ORIGIN} 40 02 04 02 01 fde9 ${NEXT_HOP} c0 11 06 02 02 0000fde9`,
    on: OLD,
    want: { discard: 1 },
  },
  {
    it: 'RFC 6793 §6: AS4_AGGREGATOR of 7 octets',
    attributes: `${ORIGIN} 40 02 04 02 01 fde9 ${NEXT_HOP} c0 12 07 00000001 c00002`,
    on: OLD,
    want: { discard: 1 },
  },
  // RFC 4271 §6.3
  {
    it: 'RFC 4271 §6.3: unknown well-known attribute',
    attributes: but({ extra: '40 63 00' }),
    want: { reset: [3, 2] },
  },
  { it: 'an unknown optional non-transitive one', attributes: but({ extra: '80 63 00' }), want: 'accept' },
];

describe('RFC 7606', () => {
  for (const row of ROWS) {
    const sessions: readonly [string, Negotiated][] =
      row.on === undefined
        ? [
            ['external', EXTERNAL],
            ['internal', INTERNAL],
          ]
        : [[row.on.internal ? 'internal' : 'external', row.on]];
    for (const [kind, session] of sessions) {
      it(`${row.it} (${kind})`, () => {
        const localPref = row.on === undefined && session.internal ? `${LOCAL_PREF} ` : '';
        const attributes = row.attributes === '' && localPref === '' ? '' : localPref + row.attributes;
        judge(
          update({ attributes, nlri: row.nlri ?? NLRI, withdrawn: row.withdrawn ?? '' }),
          session,
          row.want,
        );
      });
    }
  }

  for (const [code, name] of [
    [0, 'reserved'],
    ...Array.from({ length: 223 }, (_, i) => [33 + i, 'unknown'] as const),
  ] as const) {
    it(`carries attribute ${code} (${name}) on, transitive, partial or not`, () => {
      for (const flags of ['c0', 'e0']) {
        const extra = `${flags} ${code.toString(16).padStart(2, '0')} 03 010203`;
        const message = judge(update({ attributes: but({ extra }), nlri: NLRI }), EXTERNAL, 'accept');
        expect(message?.attributes?.unknown).to.deep.equal([
          { flags: 0xe0, code, value: Uint8Array.of(1, 2, 3) },
        ]);
      }
    });
  }

  it('says in the NOTIFICATION which attribute it was (RFC 4271 §6.3)', () => {
    const answer = decodeMessage(
      update({ attributes: but({ extra: '40 63 02 abcd' }), nlri: NLRI }),
      EXTERNAL,
    );
    expect(!answer.ok && answer.notification.data).to.deep.equal(Uint8Array.of(0x40, 0x63, 2, 0xab, 0xcd));
    expect(!answer.ok && answer.reason).to.equal(
      'UPDATE Message Error / Unrecognized Well-known Attribute (3/2): attribute (99) at offset 43: well-known attribute is unknown; session-reset (RFC 4271 §6.3)',
    );
  });

  it('takes the first of an attribute that is repeated, known or not (§3 g)', () => {
    const extra = '40 01 01 02 80 04 04 00000001 80 04 04 00000002 c0 63 01 0a c0 63 01 0b';
    const message = judge(update({ attributes: but({ extra }), nlri: NLRI }), EXTERNAL, { discard: 3 });
    expect(message?.attributes).to.deep.include({ origin: 'IGP', med: 1 });
    expect(message?.attributes?.unknown?.map(({ value }) => [...value])).to.deep.equal([[10]]);
  });

  it('says where the error is', () => {
    const answer = decodeMessage(
      update({ attributes: but({ asPath: '40 02 08 02 01 0000fde9 02 00' }), nlri: NLRI }),
      EXTERNAL,
    );
    expect(answer.ok && answer.faults.map(({ attribute, offset }) => [attribute, offset])).to.deep.equal([
      [2, 36],
    ]);
  });
});

function judge(bytes: Uint8Array, session: Negotiated, want: Want): UpdateMessage | undefined {
  const answer = decodeMessage(bytes, session);
  if (typeof want === 'object' && 'reset' in want) {
    expect(answer.ok, 'the session is reset').to.equal(false);
    if (!answer.ok) expect([answer.notification.code, answer.notification.subcode]).to.deep.equal(want.reset);
    return undefined;
  }
  expect(answer.ok, answer.ok ? '' : answer.reason).to.equal(true);
  if (!answer.ok || answer.message?.type !== 'update') return undefined;
  const { message, faults } = answer;
  if (want === 'withdraw') {
    expect(outcomeOf(faults)).to.equal('treat-as-withdraw');
    expect(message.reach).to.deep.equal([]);
    expect(message.attributes).to.equal(undefined);
    expect(message.unreach.flatMap(({ nlri }) => nlri)).to.have.lengthOf.at.least(1);
  } else {
    expect(discards(faults)).to.equal(want === 'accept' ? 0 : want.discard);
    expect(outcomeOf(faults)).to.equal(want === 'accept' ? undefined : 'attribute-discard');
  }
  return message;
}

function discards(faults: readonly Fault[]): number {
  return faults.filter(({ check }) => check.outcome === 'attribute-discard').length;
}
