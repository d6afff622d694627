import { expect } from 'chai';
import fc from 'fast-check';
import IPCIDR from 'ip-cidr';
import { Address } from './address.ts';
import { parseInterfaceAddress } from './interface-address.ts';
import { Prefix } from './prefix.ts';

const prefixV4 = fc
  .tuple(fc.nat({ max: 0xffff_ffff }), fc.nat({ max: 32 }))
  .map(([word, length]) => Prefix.of(Address.v4(word), length));
const prefixV6 = fc
  .tuple(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.nat({ max: 128 }))
  .map(([value, length]) => Prefix.of(Address.fromBigInt(6, value), length));
const any = fc.oneof(prefixV4, prefixV6);

/** Two prefixes near each other, so that nesting is common. */
const pair = any.chain((outer) =>
  fc
    .tuple(fc.nat({ max: outer.address.bits }), fc.bigInt({ min: -2n, max: outer.size + 1n }))
    .map(([length, offset]) => {
      const top = (1n << BigInt(outer.address.bits)) - 1n;
      const wanted = outer.address.toBigInt() + offset;
      const value = wanted < 0n ? 0n : wanted > top ? top : wanted;
      return [outer, Prefix.of(Address.fromBigInt(outer.version, value), length)] as const;
    }),
);

const first = (prefix: Prefix): bigint => prefix.address.toBigInt();
const last = (prefix: Prefix): bigint => first(prefix) + prefix.size - 1n;

describe('Prefix: what it reads', () => {
  const cases: readonly (readonly [string, string | undefined, string | undefined])[] = [
    ['10.0.0.0/8', '10.0.0.0/8', '10.0.0.0/8'],
    ['10.0.0.1/8', undefined, '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0', '0.0.0.0/0'],
    ['255.255.255.255/32', '255.255.255.255/32', '255.255.255.255/32'],
    ['255.255.255.255/0', undefined, '0.0.0.0/0'],
    ['::/0', '::/0', '::/0'],
    ['FD00:10:244::40/122', 'fd00:10:244::40/122', 'fd00:10:244::40/122'],
    ['fd00::1/64', undefined, 'fd00::/64'],
    ['fd00::1/128', 'fd00::1/128', 'fd00::1/128'],
    ...[
      '10.0.0.0',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/08',
      '10.0.0.0/-1',
      '10.0.0.0/+8',
      '10.0.0.0/8 ',
    ].map(nothing),
    ...[
      '10.0.0/8',
      '010.0.0.0/8',
      '10.0.0.0/8/8',
      '/8',
      '::/129',
      '::/1e1',
      '::%lo/64',
      '10.0.0.0/255.0.0.0',
    ].map(nothing),
  ];
  for (const [text, strict, masked] of cases) {
    it(`${text} is ${strict}, masked ${masked}`, () => {
      expect(Prefix.parse(text)?.toString()).to.equal(strict);
      expect(Prefix.parse(text, { hostBits: 'mask' })?.toString()).to.equal(masked);
    });
  }

  it('takes only lengths that there are', () => {
    for (const length of [-1, 33, 1.5, Number.NaN])
      expect(() => Prefix.of(Address.v4(0), length)).to.throw(RangeError);
  });
});

describe('Prefix: promises', () => {
  it('reads back what it prints', () => {
    fc.assert(fc.property(any, (prefix) => Prefix.parse(prefix.toString())?.equals(prefix) === true));
  });

  it('begins, ends and counts as ip-cidr says', () => {
    fc.assert(
      fc.property(any, (prefix) => {
        const oracle = new IPCIDR(prefix.toString());
        expect(prefix.address.toBigInt()).to.equal(oracle.start({ type: 'bigInteger' }));
        expect(prefix.last.toBigInt()).to.equal(oracle.end({ type: 'bigInteger' }));
        expect(prefix.size).to.equal(oracle.size);
      }),
    );
  });

  it('accepts nothing that ip-cidr refuses', () => {
    const digit = fc.constantFrom('0', '1', '9', '25', '255', '256', 'f', 'ffff', '00');
    const mark = fc.constantFrom('.', ':', '::', '/', '');
    const text = fc.array(fc.tuple(digit, mark), { maxLength: 9 }).map((parts) => parts.flat().join(''));
    fc.assert(
      fc.property(text, (candidate) => {
        if (Prefix.parse(candidate, { hostBits: 'mask' }) !== undefined)
          expect(IPCIDR.isValidCIDR(candidate)).to.equal(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('contains and overlaps as intervals do', () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(a.contains(b)).to.equal(first(a) <= first(b) && last(b) <= last(a));
        expect(a.contains(b.address)).to.equal(first(a) <= first(b) && first(b) <= last(a));
        expect(a.overlaps(b)).to.equal(first(a) <= last(b) && first(b) <= last(a));
        expect(a.overlaps(b)).to.equal(b.overlaps(a));
      }),
      { numRuns: 500 },
    );
  });

  it('never contains the other version', () => {
    fc.assert(
      fc.property(prefixV4, prefixV6, (v4, v6) => {
        expect([v4.contains(v6), v6.contains(v4), v4.overlaps(v6), v6.contains(v4.address)]).to.not.include(
          true,
        );
      }),
    );
  });

  it('counts its addresses from the first', () => {
    fc.assert(
      fc.property(any, fc.bigInt({ min: 0n, max: 1n << 128n }), (prefix, seed) => {
        const index = seed % prefix.size;
        const address = prefix.nth(index);
        expect(prefix.indexOf(address)).to.equal(index);
        expect(() => prefix.nth(prefix.size)).to.throw(RangeError);
        expect(() => prefix.nth(-1)).to.throw(RangeError);
      }),
    );
  });

  it('falls apart into blocks that touch without a gap', () => {
    const small = fc
      .tuple(any, fc.nat({ max: 6 }))
      .filter(([prefix, more]) => prefix.length + more <= prefix.address.bits);
    fc.assert(
      fc.property(small, ([prefix, more]) => {
        const blocks = [...prefix.subnets(prefix.length + more)];
        expect(blocks).to.have.length(2 ** more);
        let next = first(prefix);
        for (const [index, block] of blocks.entries()) {
          expect(first(block)).to.equal(next);
          expect(prefix.subnet(block.length, index).equals(block)).to.equal(true);
          next = last(block) + 1n;
        }
        expect(next - 1n).to.equal(last(prefix));
      }),
    );
  });

  it('sorts the wider before what it contains', () => {
    fc.assert(fc.property(pair, ([a, b]) => !a.contains(b) || a.compare(b) <= 0));
  });

  it('is the same under deep comparison exactly when it is equal', () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        if (a.equals(b)) expect(a).to.deep.equal(b);
        else expect(a).to.not.deep.equal(b);
      }),
    );
  });
});

describe('parseInterfaceAddress', () => {
  const cases = [
    { text: '10.1.0.3/24', want: ['10.1.0.3', '10.1.0.0/24'] },
    { text: '10.1.0.3', want: ['10.1.0.3', '10.1.0.3/32'] },
    { text: '2001:db8::3/64', want: ['2001:db8::3', '2001:db8::/64'] },
    { text: '2001:db8::3', want: ['2001:db8::3', '2001:db8::3/128'] },
    { text: '10.1.0.3/33', want: undefined },
    { text: '10.1.0/24', want: undefined },
  ];
  for (const { text, want } of cases) {
    it(`${text} is ${want?.join(' in ')}`, () => {
      const parsed = parseInterfaceAddress(text);
      expect(parsed && [parsed.address.toString(), parsed.prefix.toString()]).to.deep.equal(want);
    });
  }
});

function nothing(text: string): readonly [string, undefined, undefined] {
  return [text, undefined, undefined];
}
