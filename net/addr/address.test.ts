import { expect } from 'chai';
import fc from 'fast-check';
import { Address } from './address.ts';

const v4 = fc.nat({ max: 0xffff_ffff }).map((word) => Address.v4(word));
const v6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value) => Address.fromBigInt(6, value));
const any = fc.oneof(v4, v6, sparseV6());

/** IPv6 with runs of zero groups, where compression has choices to make. */
function sparseV6(): fc.Arbitrary<Address> {
  const group = fc.oneof(fc.constant(0), fc.constant(0), fc.nat({ max: 0xffff }));
  return fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => {
    const bytes = new Uint8Array(groups.flatMap((value) => [value >> 8, value & 0xff]));
    return Address.fromBytes(bytes);
  });
}

describe('Address: what it reads', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['192.0.2.1', '192.0.2.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8::A', '2001:db8::a'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:1:0:0:0:1:0', '0:0:1::1:0'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['00ff::1', 'ff::1'],
  ];
  for (const [text, want] of cases) {
    it(`${text} is ${want}`, () => expect(Address.parse(text)?.toString()).to.equal(want));
  }

  const refused = [
    '', ' ', '1', '1.2.3', '1.2.3.4.5', '1.2.3.', '.1.2.3', '1..2.3', '256.1.1.1', '01.2.3.4', '1.2.3.04', '1.2.3.-4',
    '1.2.3.4 ', ' 1.2.3.4', '1.2.3.4/32', '0x1.2.3.4', '1.2.3.4\n', '١.2.3.4', '1e1.2.3.4', '999999999999.1.1.1',
    ':', ':::', '1:', ':1', ':1::', '1:::2', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8', '12345::', 'g::', '::1%eth0', '[::1]', '::1.2.3', '::1.2.3.256', '1.2.3.4::', '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4', '::-1', '::+1', 'fe80::1/64',
  ]; // biome-ignore format: a list of words
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(Address.parse(text)).to.equal(undefined));
  }
});

describe('Address: promises', () => {
  it('reads back what it prints', () => {
    fc.assert(fc.property(any, (address) => Address.parse(address.toString())?.equals(address) === true));
  });

  it('prints IPv6 with at most one "::", never for a lone group, and no upper case', () => {
    fc.assert(
      fc.property(sparseV6(), (address) => {
        const text = address.toString();
        const [head = '', tail, ...more] = text.split('::');
        expect(more).to.deep.equal([]);
        expect(text).to.equal(text.toLowerCase());
        if (tail === undefined || text.includes('.')) return;
        const groups = [head, tail].flatMap((part) => (part === '' ? [] : part.split(':')));
        expect(groups.length).to.be.at.most(6);
      }),
    );
  });

  it('agrees with the URL parser of the runtime on IPv6', () => {
    fc.assert(
      fc.property(fc.oneof(v6, sparseV6()), (address) => {
        // WHATWG URLs have no mixed notation, so mapped addresses are spelt differently there.
        fc.pre(!address.toString().includes('.'));
        expect(new URL(`http://[${address.toString()}]/`).hostname).to.equal(`[${address.toString()}]`);
      }),
    );
  });

  it('survives bytes and bigints', () => {
    fc.assert(
      fc.property(any, (address) => {
        expect(Address.fromBytes(address.toBytes()).equals(address)).to.equal(true);
        expect(Address.fromBigInt(address.version, address.toBigInt()).equals(address)).to.equal(true);
      }),
    );
  });

  it('orders as its numbers do, IPv4 first', () => {
    fc.assert(
      fc.property(any, any, (a, b) => {
        const want =
          a.version - b.version || Number(a.toBigInt() > b.toBigInt()) - Number(a.toBigInt() < b.toBigInt());
        expect(Math.sign(a.compare(b))).to.equal(Math.sign(want));
        expect(a.equals(b)).to.equal(want === 0);
      }),
    );
  });

  it('adds as its numbers do, or refuses to leave the address space', () => {
    fc.assert(
      fc.property(
        any,
        fc.oneof(fc.bigInt({ min: -70_000n, max: 70_000n }), fc.bigInt()),
        (address, offset) => {
          const sum = address.toBigInt() + offset;
          if (sum < 0n || sum >> BigInt(address.bits) !== 0n)
            expect(() => address.add(offset)).to.throw(RangeError);
          else expect(address.add(offset).toBigInt()).to.equal(sum);
        },
      ),
    );
  });

  it('adds numbers and bigints alike', () => {
    fc.assert(
      fc.property(any, fc.integer({ min: 0, max: 1_000_000 }), (address, offset) => {
        expect(outcome(() => address.add(offset))).to.equal(outcome(() => address.add(BigInt(offset))));
      }),
    );
  });

  it('tells bits from the most significant', () => {
    fc.assert(
      fc.property(any, (address) => {
        const bits = Array.from({ length: address.bits }, (_, index) => address.bit(index)).join('');
        expect(BigInt(`0b${bits}`)).to.equal(address.toBigInt());
      }),
    );
  });
});

describe('Address: kinds', () => {
  const cases = [
    { text: '0.0.0.0', is: ['isUnspecified'] },
    { text: '::', is: ['isUnspecified'] },
    { text: '127.255.0.1', is: ['isLoopback'] },
    { text: '::1', is: ['isLoopback'] },
    { text: '::2', is: [] },
    { text: '224.0.0.5', is: ['isMulticast'] },
    { text: '239.255.255.255', is: ['isMulticast'] },
    { text: '240.0.0.1', is: [] },
    { text: 'ff02::1', is: ['isMulticast'] },
    { text: '169.254.1.1', is: ['isLinkLocal'] },
    { text: '169.255.1.1', is: [] },
    { text: 'fe80::1', is: ['isLinkLocal'] },
    { text: 'febf::1', is: ['isLinkLocal'] },
    { text: 'fec0::1', is: [] },
  ] as const;
  for (const { text, is } of cases) {
    it(`${text}: ${is.join(', ') || 'none of them'}`, () => {
      const address = Address.parse(text);
      const kinds = ['isUnspecified', 'isLoopback', 'isMulticast', 'isLinkLocal'] as const;
      expect(kinds.filter((kind) => address?.[kind])).to.deep.equal(is);
    });
  }

  it('refuses bytes of any other length', () => {
    for (const length of [0, 3, 5, 15, 17])
      expect(() => Address.fromBytes(new Uint8Array(length))).to.throw(RangeError);
  });

  it('is no number when it is IPv6', () => {
    expect(Address.parse('255.255.255.255')?.toNumber()).to.equal(0xffff_ffff);
    expect(() => Address.parse('::1')?.toNumber()).to.throw(RangeError);
  });
});

/** What an addition comes to, as text: the sum, or the name of the error. */
function outcome(add: () => Address): string {
  try {
    return add().toString();
  } catch (error) {
    return (error as Error).name;
  }
}
