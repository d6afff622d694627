import { expect } from 'chai';
import fc from 'fast-check';
import { decodeMessage } from './message.ts';
import { encodeOpen } from './open.ts';
import * as arbitrary from './testing/arbitraries.ts';
import { framed, octets, text } from './testing/octets.ts';
import type { Capability } from './types.ts';

/** Version 4, AS 65001, 90 s, 10.0.0.2, then this. */
function open(parameters: string): Uint8Array {
  return framed(1, `04 fde9 005a 0a000002 ${parameters}`);
}

function capabilities(bytes: Uint8Array): readonly Capability[] {
  const answer = decodeMessage(bytes, undefined);
  if (!answer.ok || answer.message?.type !== 'open') throw new Error(JSON.stringify(answer));
  return answer.message.capabilities;
}

describe('OPEN', () => {
  it('as this speaker sends it, octet by octet', () => {
    const message = {
      type: 'open',
      version: 4,
      asn: 4_200_000_001,
      holdSeconds: 90,
      routerId: 0x0a00_0001,
      capabilities: [
        { code: 1, afi: 1, safi: 1 },
        { code: 1, afi: 2, safi: 1 },
        { code: 2 },
        { code: 6 },
        {
          code: 64,
          restarting: true,
          notification: false,
          restartSeconds: 120,
          families: [
            { family: 'ipv4-unicast', forwarding: true },
            { family: 'ipv6-unicast', forwarding: false },
          ],
        },
        { code: 65, asn: 4_200_000_001 },
      ],
    } as const;
    const bytes = framed(
      1,
      `04 5ba0 005a 0a000001 24 02 22 01 04 0001 00 01 01 04 0002 00 01 02 00 06 00
       40 0a 8078 0001 01 80 0002 01 00 41 04 fa56ea01`,
    );
    expect(text(encodeOpen(message))).to.equal(text(bytes));
    expect(decodeMessage(bytes, undefined)).to.deep.equal({ ok: true, message, faults: [] });
  });

  it('takes each capability in a parameter of its own, as old speakers send them', () => {
    expect(capabilities(open('0e 02 02 02 00 02 02 06 00 02 04 63 02 0001'))).to.deep.equal([
      { code: 2 },
      { code: 6 },
      { code: 'unknown', number: 99, value: Uint8Array.of(0, 1) },
    ]);
  });

  it('takes the extended parameter lengths of RFC 9072, whatever the old length octet says', () => {
    for (const old of ['ff', '01', '02'])
      expect(capabilities(open(`${old} ff 0005 02 0002 02 00`)), old).to.deep.equal([{ code: 2 }]);
  });

  it('sends the extended lengths only where needed', () => {
    const many = Array.from({ length: 70 }, () => ({ code: 2 }) as const);
    const sized = (count: number): Uint8Array =>
      encodeOpen({
        version: 4,
        asn: 1,
        holdSeconds: 0,
        routerId: 1,
        capabilities: [...many, ...many].slice(0, count),
      });
    expect(text(sized(126).subarray(28, 31))).to.equal('fe 02 fc');
    expect(text(sized(127).subarray(28, 35))).to.equal('ff ff 01 01 02 00 fe');
  });

  it('keeps the plain lengths up to 255 octets, and reads them back (RFC 9072 §2)', () => {
    const capability = { code: 'unknown', number: 99, value: new Uint8Array(251) } as const;
    const message = encodeOpen({
      version: 4,
      asn: 1,
      holdSeconds: 0,
      routerId: 1,
      capabilities: [capability],
    });
    expect(text(message.subarray(28, 31))).to.equal('ff 02 fd');
    expect(decodeMessage(message, undefined))
      .to.have.nested.property('message.capabilities')
      .deep.equal([capability]);
  });

  it('refuses to make an OPEN that no peer could read', () => {
    const huge: Capability = { code: 'unknown', number: 99, value: new Uint8Array(256) };
    const message = { version: 4, asn: 1, holdSeconds: 0, routerId: 1 };
    expect(() => encodeOpen({ ...message, capabilities: [huge] })).to.throw(RangeError);
    const many = Array.from(
      { length: 17 },
      (): Capability => ({ code: 'unknown', number: 99, value: new Uint8Array(250) }),
    );
    expect(() => encodeOpen({ ...message, capabilities: many })).to.throw(RangeError);
  });

  it('keeps the last AS number and ignores bad ADD-PATH tuples (RFC 7911 §4) and unknown families', () => {
    expect(capabilities(open('12 02 10 45 0c 0001 01 03 0001 01 00 0019 46 01 02 00'))).to.deep.equal([
      { code: 69, families: [{ family: 'ipv4-unicast', send: true, receive: true }] },
      { code: 2 },
    ]);
  });

  const refused: readonly {
    it: string;
    bytes: Uint8Array;
    code: readonly [number, number];
    data?: string;
  }[] = [
    { it: 'version 5', bytes: framed(1, '05 fde9 005a 0a000002 00'), code: [2, 1], data: '0004' },
    { it: 'AS 0', bytes: framed(1, '04 0000 005a 0a000002 00'), code: [2, 2] },
    { it: 'AS 0 in the capability', bytes: open('08 02 06 41 04 00000000'), code: [2, 2] },
    { it: 'AS_TRANS without the capability', bytes: framed(1, '04 5ba0 005a 0a000002 00'), code: [2, 2] },
    { it: 'hold time 1', bytes: framed(1, '04 fde9 0001 0a000002 00'), code: [2, 6] },
    { it: 'hold time 2', bytes: framed(1, '04 fde9 0002 0a000002 00'), code: [2, 6] },
    { it: 'identifier 0', bytes: framed(1, '04 fde9 005a 00000000 00'), code: [2, 3] },
    { it: 'parameter type 1', bytes: open('03 01 01 00'), code: [2, 4] },
    { it: 'parameters shorter than they claim', bytes: open('05 02 02 02 00'), code: [2, 0] },
    { it: 'parameters longer than they claim', bytes: open('03 02 02 02 00'), code: [2, 0] },
    { it: 'length 255 and nothing behind (CVE-2022-40302)', bytes: open('ff'), code: [2, 0] },
    { it: 'type 255 in second place (RFC 9072 §3)', bytes: open('06 02 02 02 00 ff 00'), code: [2, 4] },
    { it: 'type 255 and nothing behind', bytes: open('ff ff'), code: [2, 0] },
    { it: 'extended length past the message', bytes: open('ff ff 0006 02 0002 02 00'), code: [2, 0] },
    { it: 'extended parameter past its list', bytes: open('ff ff 0005 02 0003 02 00'), code: [2, 0] },
    { it: 'parameter past its list', bytes: open('04 02 03 02 00'), code: [2, 0] },
    {
      it: 'extended parameters behind a length of 0 (RFC 9072 §2)',
      bytes: open('00 ff 0005 02 0002 02 00'),
      code: [2, 0],
    },
    { it: 'a lone parameter type', bytes: open('01 02'), code: [2, 0] },
    { it: 'capability past its parameter', bytes: open('04 02 02 63 01'), code: [2, 0] },
    { it: 'a lone capability code', bytes: open('03 02 01 02'), code: [2, 0] },
  ];
  for (const { it: title, bytes, code, data = '' } of refused) {
    it(`is refused: ${title}`, () => {
      const answer = decodeMessage(bytes, undefined);
      expect(answer).to.deep.include({ ok: false });
      if (answer.ok) return;
      expect(answer.notification).to.deep.equal({
        type: 'notification',
        code: code[0],
        subcode: code[1],
        data: octets(data),
      });
      expect(answer.reason).to.include(`(${code[0]}/${code[1]}): `);
    });
  }

  const needed = [
    { code: 1, sound: [4] },
    { code: 64, sound: [2, 6, 10] },
    { code: 65, sound: [4] },
    { code: 69, sound: [0, 4, 8, 12] },
  ];
  for (const { code, sound } of needed) {
    it(`is refused when capability ${code} has a length that it cannot have, and only then`, () => {
      for (let length = 0; length <= 12; length++) {
        const value = '01'.repeat(length);
        const parameter = `02 ${hex(length + 2)} ${hex(code)} ${hex(length)} ${value}`;
        const answer = decodeMessage(open(`${hex(length + 4)} ${parameter}`), undefined);
        expect(answer.ok, `length ${length}`).to.equal(sound.includes(length));
      }
    });
  }

  it('takes text capabilities of length 0 (CVE-2025-43971)', () => {
    expect(capabilities(open('06 02 04 49 00 4b 00'))).to.deep.equal([
      { code: 'unknown', number: 73, value: new Uint8Array() },
      { code: 'unknown', number: 75, value: new Uint8Array() },
    ]);
  });

  it('decode(encode(x)) = x', () => {
    fc.assert(
      fc.property(arbitrary.open, (message) => {
        expect(decodeMessage(encodeOpen(message), undefined)).to.deep.equal({
          ok: true,
          message,
          faults: [],
        });
      }),
    );
  });

  it('cut short anywhere is refused or still a whole OPEN, never an exception', () => {
    fc.assert(
      fc.property(arbitrary.open, fc.nat(), (message, cut) => {
        const body = encodeOpen(message).subarray(19);
        const answer = decodeMessage(framed(1, body.subarray(0, cut % body.length)), undefined);
        expect(answer.ok).to.equal(false);
      }),
    );
  });
});

function hex(octet: number): string {
  return octet.toString(16).padStart(2, '0');
}
