import { expect } from 'chai';
import { encodeKeepalive, type Capability } from '../wire/index.ts';
import { HexDecoder, OctetDecoder, type Plain } from './index.ts';
import { open, update } from './testing.ts';

const MARKER = 'ff'.repeat(16);

function errorOffset(plain: Plain | undefined): unknown {
  return (plain?.['error'] as Plain | undefined)?.['offset'];
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function decodeLines(lines: readonly string[], options = {}): Plain[] {
  const decoder = new HexDecoder(options);
  return lines.flatMap((line) => [...decoder.line(line)]);
}

/** Of the last message of the lines. */
function pathOf(lines: readonly string[], options = {}): unknown {
  return (decodeLines(lines, options).at(-1)?.['attributes'] as { asPath: string } | undefined)?.asPath;
}

function nlriOf(lines: readonly string[], options = {}): unknown {
  return ((decodeLines(lines, options).at(-1)?.['announced'] ?? []) as { nlri: unknown }[])[0]?.nlri;
}

function addPath(send: boolean, receive: boolean): Capability {
  return { code: 69, families: [{ family: 'ipv4-unicast', send, receive }] };
}

/** An attribute of an UPDATE, all in hexadecimal. */
function attribute(flags: string, code: string, value: string): string {
  return `${flags}${code}${(value.length / 2).toString(16).padStart(2, '0')}${value}`;
}

/** An UPDATE of these attributes alone, decoded behind other lines. */
function plain(attributes: string, before: readonly string[] = []): Plain | undefined {
  const length = attributes.length / 2;
  const [whole, field] = [23 + length, length].map((value) => value.toString(16).padStart(4, '0'));
  return decodeLines([...before, `${MARKER}${whole}020000${field}${attributes}`]).at(-1);
}

/** Of the MP_REACH_NLRI among these attributes. */
function labelledNlri(attributes: string, opens: readonly string[]): unknown {
  const [ignored] = (plain(attributes, opens)?.['ignored'] ?? []) as { readonly nlri?: unknown }[];
  return ignored?.nlri ?? 'octets';
}

describe('poplin bgp decode, of text and octets', () => {
  describe('hexadecimal lines', () => {
    it('reads a message however it is written down', () => {
      const text = hexOf(encodeKeepalive());
      const spaced = text.replaceAll(/../g, '$& ');
      const lines = ['# captured by hand', '', text, `0x${text.toUpperCase()}`, `${spaced} # keepalive`];
      expect(decodeLines(lines)).to.deep.equal(
        [3, 4, 5].map((line) => ({ line, at: 0, length: 19, type: 'keepalive' })),
      );
    });

    it('prints every field of an UPDATE, and says what it had to guess', () => {
      expect(decodeLines([hexOf(update('10.1.0.0/16', [65001, 4_200_000_000]))])).to.deep.equal([
        {
          line: 1,
          at: 0,
          length: 57,
          type: 'update',
          announced: [{ family: 'ipv4-unicast', nextHop: '10.0.0.1', nlri: ['10.1.0.0/16'] }],
          attributes: { origin: 'IGP', asPath: '65001 4200000000', communities: ['no-export'] },
          assumed: { asn4: true, peer: 'external' },
        },
      ]);
    });

    it('takes the width of AS numbers from the option, from OPENs, or from the path itself', () => {
      const old = hexOf(update('10.1.0.0/16', [65001, 65002, 65003], { fourOctetAs: false }));
      expect(pathOf([old], { asn4: false })).to.equal('65001 65002 65003');
      expect(pathOf([old])).to.equal('65001 65002 65003');
      expect(pathOf([old], { asn4: true })).to.equal(undefined);
      expect(pathOf([hexOf(open(65001)), hexOf(open(65002)), old])).to.equal('65001 65002 65003');
    });

    it('shows what it ignores: labelled unicast in full, other families as octets', () => {
      const rest = `${attribute('40', '01', '00')}${attribute('40', '02', '02010000fde9')}`;
      const labelled = plain(attribute('80', '0e', '00010404c0000201003005dc110a0001') + rest);
      expect(labelled).to.deep.include({ type: 'update', outcome: 'attribute-discard' });
      expect(labelled?.['ignored']).to.deep.equal([
        {
          attribute: 'MP_REACH_NLRI',
          family: 'ipv4-labelled-unicast',
          nextHop: '192.0.2.1',
          nlri: [{ prefix: '10.0.1.0/24', labels: [24_001] }],
        },
      ]);
      expect(plain(attribute('80', '0f', '000104308000000a0001'))?.['ignored']).to.deep.equal([
        {
          attribute: 'MP_UNREACH_NLRI',
          family: 'ipv4-labelled-unicast',
          nlri: [{ prefix: '10.0.1.0/24', labels: [] }],
        },
      ]);
      expect(plain(attribute('80', '0f', '0001043005dc'))?.['ignored']).to.deep.equal([
        { attribute: 'MP_UNREACH_NLRI', family: 'ipv4-labelled-unicast', octets: '3005dc' },
      ]);
      expect(plain(attribute('80', '0f', '0019460102'))?.['ignored']).to.deep.equal([
        { attribute: 'MP_UNREACH_NLRI', afi: 25, safi: 70, octets: '0102' },
      ]);
    });

    it('reads stacks of labels as the OPENs have settled it (RFC 8277 §2.1), or as makes sense', () => {
      const rest = `${attribute('40', '01', '00')}${attribute('40', '02', '02010000fde9')}`;
      /** A label whose S bit is not set, and behind it what is either the prefix or another label. */
      const reach = (nlri: string): string => attribute('80', '0e', `00010404c000020100${nlri}`) + rest;
      const several = (asn: number, ...value: number[]): string =>
        hexOf(open(asn, [{ code: 'unknown', number: 8, value: Uint8Array.from(value) }]));
      const one = reach('3005dc100a0002');
      const two = reach('4805dc100006410a0001');
      const oneRead = [{ prefix: '10.0.2.0/24', labels: [24_001] }];
      const twoRead = [{ prefix: '10.0.1.0/24', labels: [24_001, 100] }];
      const both = [several(65001, 0, 1, 4, 2), several(65002, 0, 1, 4, 255)];
      expect(labelledNlri(one, both)).to.equal('octets');
      expect(labelledNlri(two, both)).to.deep.equal(twoRead);
      const singles = {
        'one of them does not': [several(65001, 0, 1, 4, 2), hexOf(open(65002))],
        'a count of 1': [several(65001, 0, 1, 4, 2), several(65002, 0, 1, 4, 1)],
        'only the first counts': [several(65001, 0, 1, 4, 2), several(65002, 0, 1, 4, 1, 0, 1, 4, 9)],
        'another family': [several(65001, 0, 1, 4, 2), several(65002, 0, 2, 4, 2)],
        'cut short': [several(65001, 0, 1, 4, 2), several(65002, 0, 1, 4, 2, 0)],
      };
      for (const [why, opens] of Object.entries(singles)) {
        expect(labelledNlri(one, opens), why).to.deep.equal(oneRead);
        expect(labelledNlri(two, opens), why).to.equal('octets');
      }
      expect(labelledNlri(one, [])).to.deep.equal(oneRead);
      expect(labelledNlri(two, [])).to.deep.equal(twoRead);
    });

    it('takes path ids from the option, or from OPENs that settle them', () => {
      const message = hexOf(update('10.1.0.0/16', [65001], { addPathSend: ['ipv4-unicast'] }));
      const nlri = [{ prefix: '10.1.0.0/16', pathId: 7 }];
      expect(nlriOf([message], { addPath: ['ipv4-unicast'] })).to.deep.equal(nlri);
      const opens = [
        open(65001, [addPath(true, false), { code: 65, asn: 65001 }]),
        open(65002, [addPath(false, true), { code: 65, asn: 65002 }]),
      ].map(hexOf);
      expect(nlriOf([...opens, message])).to.deep.equal(nlri);
    });

    it('tells an error with its offset and the outcome of RFC 7606', () => {
      const bytes = update('10.1.0.0/16', [65001]);
      bytes[19 + 4 + 3] = 9;
      const [line] = decodeLines([hexOf(bytes)]);
      expect(line).to.deep.include({
        outcome: 'treat-as-withdraw',
        withdrawn: [{ family: 'ipv4-unicast', nlri: ['10.1.0.0/16'] }],
      });
      const [fault] = (line?.['faults'] ?? []) as Plain[];
      expect(fault).to.deep.include({ attribute: 'ORIGIN (1)', code: 1, outcome: 'treat-as-withdraw' });
      expect(fault?.['offset']).to.be.within(23, 26);
    });

    it('tells an error that ends the session with what would be answered', () => {
      const [line] = decodeLines([`${MARKER}0017 02 0005 0000`]);
      expect(line).to.deep.include({
        type: 'update',
        outcome: 'session-reset',
        notification: { code: 3, subcode: 1 },
      });
      expect(errorOffset(line)).to.equal(19);
      const [wrong] = decodeLines([`${MARKER}0013 09`]);
      expect(wrong).to.deep.include({ type: 'unknown', outcome: 'session-reset' });
      expect(errorOffset(wrong)).to.equal(18);
      const [version] = decodeLines([`${MARKER}001d 01 03 fde9 005a 0a000001 00`]);
      expect(errorOffset(version)).to.equal(19);
    });

    it('says where text is no message', () => {
      expect(decodeLines(['abc', 'zz', `${MARKER}0015 04`, `${MARKER}0015 03`])).to.deep.equal([
        { line: 1, type: 'unreadable', error: { what: 'an odd number of digits' } },
        { line: 2, type: 'unreadable', error: { what: '"z" is no hexadecimal digit' } },
        {
          line: 3,
          at: 0,
          type: 'keepalive',
          outcome: 'session-reset',
          error: {
            what: 'Message Header Error / Bad Message Length (1/2): header of 21 octets, type 4',
            offset: 16,
          },
          notification: { code: 1, subcode: 2, data: '0015' },
          octets: `${MARKER}001504`,
        },
        { line: 3, at: 0, type: 'skipped', octets: 19 },
        { line: 4, at: 0, type: 'incomplete', octets: 19, expected: 21 },
      ]);
    });
  });

  it('reads plain octets of one side', () => {
    const decoder = new OctetDecoder();
    const bytes = new Uint8Array([...encodeKeepalive(), ...encodeKeepalive().subarray(0, 10)]);
    const found = [...decoder.push(bytes), ...decoder.end()];
    expect(found).to.deep.equal([
      { at: 0, length: 19, type: 'keepalive' },
      { at: 19, type: 'incomplete', octets: 10, expected: undefined },
    ]);
  });
});
