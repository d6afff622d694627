import { expect } from 'chai';
import fc from 'fast-check';
import { encodeUpdates } from './encode-update.ts';
import { decodeMessage, encodeKeepalive } from './message.ts';
import { cease, encodeNotification, formatNotification, notification, shutdownText } from './notification.ts';
import { encodeOpen } from './open.ts';
import { encodeRouteRefresh } from './route-refresh.ts';
import * as arbitrary from './testing/arbitraries.ts';
import { EXTERNAL, INTERNAL, framed, octets, text, update } from './testing/octets.ts';
import type { Message } from './types.ts';

function message(bytes: Uint8Array): Message | undefined {
  const answer = decodeMessage(bytes, EXTERNAL);
  if (!answer.ok) throw new Error(answer.reason);
  return answer.message;
}

describe('KEEPALIVE', () => {
  it('is a header', () => {
    expect(text(encodeKeepalive())).to.equal(`${'ff '.repeat(16)}00 13 04`);
    expect(message(encodeKeepalive())).to.deep.equal({ type: 'keepalive' });
  });
  it('of 20 octets is refused with its length', () => {
    const answer = decodeMessage(framed(4, '00'), EXTERNAL);
    expect(!answer.ok && answer.notification).to.deep.equal(notification(1, 2, Uint8Array.of(0, 20)));
  });
});

describe('ROUTE-REFRESH', () => {
  const vectors = [
    { bytes: framed(5, '0001 00 01'), value: { type: 'route-refresh', family: 'ipv4-unicast', subtype: 0 } },
    { bytes: framed(5, '0002 01 01'), value: { type: 'route-refresh', family: 'ipv6-unicast', subtype: 1 } },
    { bytes: framed(5, '0002 02 01'), value: { type: 'route-refresh', family: 'ipv6-unicast', subtype: 2 } },
  ] as const;
  for (const { bytes, value } of vectors) {
    it(`${value.family}, subtype ${value.subtype}, there and back`, () => {
      expect(message(bytes)).to.deep.equal(value);
      expect(text(encodeRouteRefresh(value))).to.equal(text(bytes));
    });
  }
  it('of an unknown family is ignored (RFC 2918 §4)', () =>
    expect(message(framed(5, '0019 00 46'))).to.equal(undefined));
  it('of an unknown subtype is ignored (RFC 7313 §5)', () => {
    for (const subtype of ['03', '80', 'ff'])
      expect(message(framed(5, `0001 ${subtype} 01`))).to.equal(undefined);
  });
  it('with an ORF, which we do not offer, still asks for the family', () =>
    expect(message(framed(5, '0001 00 01 02 40 0001 80'))).to.deep.equal(vectors[0].value));
  it('as BoRR of a wrong length is answered with the message itself (RFC 7313 §5)', () => {
    const bytes = framed(5, '0001 01 01 00');
    const answer = decodeMessage(bytes, EXTERNAL);
    expect(!answer.ok && answer.notification).to.deep.equal(notification(7, 1, bytes));
  });
  it('of 22 octets is refused', () => {
    const answer = decodeMessage(framed(5, '0001 00'), EXTERNAL);
    expect(!answer.ok && answer.notification).to.deep.equal(notification(1, 2, Uint8Array.of(0, 22)));
  });
});

describe('NOTIFICATION', () => {
  it('decode(encode(x)) = x', () => {
    const any = fc.record({
      code: fc.nat(255),
      subcode: fc.nat(255),
      data: fc.uint8Array({ maxLength: 4075 }),
    });
    fc.assert(
      fc.property(any, ({ code, subcode, data }) => {
        const value = notification(code, subcode, data);
        expect(message(encodeNotification(value))).to.deep.equal(value);
      }),
    );
  });

  it('never exceeds 4096 octets, however long the attribute that it quotes', () => {
    expect(encodeNotification(notification(3, 4, new Uint8Array(60_000)))).to.have.length(4096);
  });

  it('shorter than 21 octets is refused', () => {
    for (const body of ['', '06'])
      expect(decodeMessage(framed(3, body), EXTERNAL)).to.deep.include({ ok: false });
  });

  const shown = [
    [notification(6, 2), 'Cease / Administrative Shutdown (6/2)'],
    [cease(2, 'bis später'), 'Cease / Administrative Shutdown (6/2): "bis später"'],
    [notification(4, 0), 'Hold Timer Expired (4/0)'],
    [notification(2, 99), 'OPEN Message Error (2/99)'],
    [notification(77, 1, Uint8Array.of(1, 2)), 'Unknown error (77/1), data 0102'],
    [notification(8, 0), 'Send Hold Timer Expired (8/0)'],
  ] as const;
  for (const [value, want] of shown)
    it(`reads ${want}`, () => expect(formatNotification(value)).to.equal(want));

  describe('shutdown text (RFC 9003)', () => {
    const cases = [
      { it: 'length 0', data: '00', want: undefined },
      { it: 'no length', data: '', want: undefined },
      { it: 'longer than the message', data: '05 61 62', want: undefined },
      { it: 'not UTF-8', data: '02 c3 28', want: undefined },
      { it: 'octets behind the text', data: '01 61 62', want: 'a' },
      {
        it: 'control characters are shown as such',
        data: '05 61 00 0a 1b 62',
        want: 'a\u{fffd}\u{fffd}\u{fffd}b',
      },
      { it: '255 octets', data: `ff ${'61'.repeat(255)}`, want: 'a'.repeat(255) },
    ];
    for (const { it: title, data, want } of cases)
      it(title, () => expect(shutdownText(notification(6, 4, octets(data)))).to.equal(want));
    it('is read in no other message', () =>
      expect(shutdownText(notification(6, 3, octets('0161')))).to.equal(undefined));
    it('is cut at a character when too long', () => {
      const message = cease(2, 'ä'.repeat(200));
      expect(message.data).to.have.length(255);
      expect(shutdownText(message)).to.equal('ä'.repeat(127));
    });
  });
});

describe('any message', () => {
  const valid: fc.Arbitrary<Uint8Array> = fc.oneof(
    arbitrary.open.map((one) => encodeOpen(one)),
    fc
      .record({
        attributes: arbitrary.attributes(INTERNAL),
        nextHop: arbitrary.nextHop('ipv6-unicast'),
        nlri: fc.array(arbitrary.nlri('ipv6-unicast', false), { minLength: 1, maxLength: 20 }),
      })
      .map(
        ({ attributes, nextHop, nlri }) =>
          encodeUpdates(
            { type: 'update', unreach: [], reach: [{ family: 'ipv6-unicast', nextHop, nlri }], attributes },
            INTERNAL,
          )[0] ?? encodeKeepalive(),
      ),
    fc
      .record({
        attributes: arbitrary.attributes(EXTERNAL),
        nextHop: arbitrary.nextHop('ipv4-unicast'),
        nlri: fc.array(arbitrary.nlri('ipv4-unicast', false), { minLength: 1, maxLength: 20 }),
      })
      .map(
        ({ attributes, nextHop, nlri }) =>
          encodeUpdates(
            { type: 'update', unreach: [], reach: [{ family: 'ipv4-unicast', nextHop, nlri }], attributes },
            EXTERNAL,
          )[0] ?? encodeKeepalive(),
      ),
    fc.constantFrom(
      encodeKeepalive(),
      encodeRouteRefresh({ family: 'ipv4-unicast', subtype: 0 }),
      encodeNotification(cease(2, 'x')),
    ),
  );

  it('of random octets never throws', () => {
    fc.assert(
      fc.property(
        fc.nat(8),
        fc.uint8Array({ maxLength: 600 }),
        fc.constantFrom(EXTERNAL, INTERNAL, undefined),
        (type, body, session) => {
          expect(decodeMessage(framed(type, body), session).ok).to.be.a('boolean');
          expect(decodeMessage(body, session).ok).to.equal(false);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('with octets changed, cut out or added never throws, and never makes more routes than it has octets', () => {
    const edit = fc.record({ at: fc.nat(), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 3 }) });
    fc.assert(
      fc.property(
        valid,
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(EXTERNAL, INTERNAL, { ...EXTERNAL, fourOctetAs: false }),
        (bytes, edits, session) => {
          const body = [...bytes.subarray(19)];
          for (const { at, remove, insert } of edits) body.splice(at % (body.length + 1), remove, ...insert);
          const answer = decodeMessage(framed(bytes[18] ?? 0, Uint8Array.from(body)), session);
          if (!answer.ok || answer.message?.type !== 'update') return;
          const routes = [...answer.message.reach, ...answer.message.unreach].flatMap(({ nlri }) => nlri);
          expect(routes.length).to.be.at.most(body.length);
          expect(answer.message.attributes === undefined).to.equal(answer.message.reach.length === 0);
        },
      ),
      { numRuns: 2000 },
    );
  }).timeout(30_000);

  it('cut short at every length never throws', () => {
    fc.assert(
      fc.property(valid, (bytes) => {
        for (let length = 19; length < bytes.length; length++)
          decodeMessage(framed(bytes[18] ?? 0, bytes.subarray(19, length)), INTERNAL);
      }),
      { numRuns: 30 },
    );
  }).timeout(30_000);

  it('with lengths off by 1, 2 or 3 in every place is judged, not thrown (CVE-2026-42285, -37462)', () => {
    const sound = update({
      withdrawn: '08 0a',
      attributes: '40 01 01 00 40 02 06 02 01 0000fde9 40 03 04 c0000201',
      nlri: '08 0b',
    });
    for (const at of [19, 20, 23, 24, 27, 31, 34]) {
      for (let change = -3; change <= 3; change++) {
        const bytes = sound.slice();
        bytes[at] = (bytes[at] ?? 0) + change;
        expect(decodeMessage(bytes, EXTERNAL).ok).to.be.a('boolean');
      }
    }
  });

  it('an UPDATE before the OPENs is a state machine error', () => {
    const answer = decodeMessage(update({}), undefined);
    expect(!answer.ok && answer.notification.code).to.equal(5);
  });
});
