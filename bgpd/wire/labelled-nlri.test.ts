import { expect } from 'chai';
import fc from 'fast-check';
import { Prefix } from '../../net/addr/index.ts';
import { decodeLabelledNlri, encodeLabelledNlri, type LabelledNlri } from './labelled-nlri.ts';
import { Reader } from './reader.ts';
import { nlri } from './testing/arbitraries.ts';
import { Writer } from './writer.ts';

const V4 = { version: 4, addPath: false, withdrawn: false, multipleLabels: true } as const;
const SINGLE = { ...V4, multipleLabels: false };

function decode(hex: string, field: Parameters<typeof decodeLabelledNlri>[1] = V4) {
  const into: LabelledNlri[] = [];
  const error = decodeLabelledNlri(new Reader(Buffer.from(hex, 'hex')), field, into);
  return error === undefined
    ? into.map(({ labels, prefix }) => `${prefix.toString()} ${labels.join('/')}`.trim())
    : error.what;
}

describe('labelled NLRI (RFC 8277)', () => {
  const cases = [
    { it: 'reads a label and its prefix', hex: '30 05dc11 0a0001', want: ['10.0.1.0/24 24001'] },
    { it: 'reads a stack', hex: '48 05dc10 000641 0a0001', want: ['10.0.1.0/24 24001/100'] },
    { it: 'reads the default route', hex: '18 05dc11', want: ['0.0.0.0/0 24001'] },
    {
      it: 'reads a label that looks like the compatibility field of a withdrawal',
      hex: '48 800000 000641 0a0001',
      want: ['10.0.1.0/24 524288/100'],
    },
    {
      it: 'refuses a stack without a bottom',
      hex: '30 05dc10 0a0000',
      want: 'the label stack has no end within its prefix',
    },
    {
      it: 'refuses fewer bits than a label has',
      hex: '10 05dc',
      want: 'the label stack has no end within its prefix',
    },
    { it: 'refuses what runs past the field', hex: '30 05dc11 0a00', want: '48 bits run past the field' },
    {
      it: 'refuses an IPv4 prefix of 33 bits',
      hex: '39 05dc11 0a00000100',
      want: 'prefix length 33 is not 0 to 32',
    },
  ];
  for (const c of cases) it(c.it, () => expect(decode(c.hex.replaceAll(' ', ''))).to.deep.equal(c.want));

  it('ignores what a withdrawal has in place of labels, whatever it is (§2.4)', () => {
    for (const multipleLabels of [false, true])
      for (const field of ['800000', '000000', '05dc11', '05dc10'])
        expect(decode(`30${field}0a0001`, { ...V4, withdrawn: true, multipleLabels })).to.deep.equal([
          '10.0.1.0/24',
        ]);
  });

  it('reads one label where several were not settled, whatever its S bit says (§2.2)', () => {
    for (const label of ['05dc10', '05dc11'])
      expect(decode(`30${label}0a0001`, SINGLE)).to.deep.equal(['10.0.1.0/24 24001']);
    expect(decode('4805dc100006410a0001', SINGLE)).to.equal('prefix length 48 is not 0 to 32');
  });

  it('ignores the three reserved bits of a label (§2.2, §2.3)', () => {
    for (const field of [V4, SINGLE])
      expect(decode('3005dc1f0a0001', field)).to.deep.equal(['10.0.1.0/24 24001']);
  });

  const labels = fc.array(fc.integer({ min: 0, max: 0xfffff }), { maxLength: 4 });
  const lists = fc.boolean().chain((addPath) =>
    fc.constantFrom(4 as const, 6 as const).chain((version) =>
      fc.tuple(
        fc.constant({ version, addPath }),
        fc.array(fc.tuple(nlri(version === 4 ? 'ipv4-unicast' : 'ipv6-unicast', addPath), labels), {
          maxLength: 5,
        }),
      ),
    ),
  );

  it('decodes what it encodes, cut short at every length without a throw', () => {
    fc.assert(
      fc.property(lists, ([field, list]) => {
        for (const withdrawn of [false, true]) {
          const given = list
            .map(([one, stack]): LabelledNlri => ({ ...one, labels: withdrawn ? [] : stack }))
            .filter((one) => withdrawn || one.labels.length > 0);
          const w = new Writer();
          for (const one of given) encodeLabelledNlri(w, one, field.addPath);
          const octets = w.finish();
          const into: LabelledNlri[] = [];
          const read = { ...field, withdrawn, multipleLabels: true };
          expect(decodeLabelledNlri(new Reader(octets), read, into)).to.equal(undefined);
          expect(into).to.deep.equal(given);
          for (let end = 0; end < octets.length; end++)
            decodeLabelledNlri(new Reader(octets, 0, end), read, []);
        }
      }),
    );
  });

  it('refuses to write what does not fit', () => {
    const prefix = Prefix.parse('10.0.0.0/8') as Prefix;
    expect(() => encodeLabelledNlri(new Writer(), { labels: [1 << 20], prefix }, false)).to.throw(RangeError);
    const eleven = Array.from({ length: 11 }, () => 1);
    expect(() => encodeLabelledNlri(new Writer(), { labels: eleven, prefix }, false)).to.throw(RangeError);
  });
});
