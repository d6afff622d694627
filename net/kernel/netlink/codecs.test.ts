/** The codecs beside their bytes: what is sent, octet by octet, and that what is sent reads back as it was meant. */
import { expect } from 'chai';
import * as fc from 'fast-check';
import { Address, Prefix } from '../../addr/index.ts';
import { decodeAddress, encodeAddress } from './address.ts';
import { decodeLink, encodeLinkChange, encodeVeth, formatMac, parseMac } from './link.ts';
import { MessageWriter, splitDatagram } from './message.ts';
import { decodeNeighbour, encodeNeighbour } from './neighbour.ts';
import { formatRoute, makeRoute, type NextHop, type Route, routeKey, sameRoute } from './route.ts';
import { decodeRoute, encodeRoute, encodeRouteDump } from './route-codec.ts';

const address = (text: string) => Address.parse(text) ?? expect.fail(`not an address: ${text}`);
const prefix = (text: string) => Prefix.parse(text) ?? expect.fail(`not a prefix: ${text}`);
const unindent = (hex: string) => hex.replaceAll(/\s/g, '');

function encoded(encode: (w: MessageWriter) => void): Buffer {
  const w = new MessageWriter(16);
  encode(w);
  return w.finish(1, false);
}

function body(message: Buffer): { start: number; end: number } {
  const [only, ...more] = splitDatagram(message, message.length);
  if (only === undefined || more.length > 0) throw new Error('not one message');
  return only;
}

const indexOf = (name: string | number) => (typeof name === 'number' ? name : Number(name.slice(3)));
const nameOf = (index: number) => `eth${index}`;

function readBack(route: Route): Route | undefined {
  const message = encoded((w) => encodeRoute(w, 'replace', route, indexOf));
  const { start, end } = body(message);
  return decodeRoute(message, start, end, nameOf);
}

const routes: { it: string; route: Route; hex: string }[] = [
  {
    it: '10.244.1.0/26 via 10.0.1.1 dev eth2 proto 80',
    route: makeRoute({
      destination: prefix('10.244.1.0/26'),
      protocol: 80,
      nextHops: [{ gateway: address('10.0.1.1'), interface: 'eth2' }],
    }),
    hex: `3c000000 1800 0105 01000000 00000000  02 1a 00 00 fe 50 00 01 00000000
          0800 0100 0af40100  0800 0f00 fe000000  0800 0500 0a000101  0800 0400 02000000`,
  },
  {
    it: 'blackhole fd00:10:244::/122 proto 80',
    route: makeRoute({ destination: prefix('fd00:10:244::/122'), protocol: 80, type: 'blackhole' }),
    hex: `38000000 1800 0105 01000000 00000000  0a 7a 00 00 fe 50 00 06 00000000
          1400 0100 fd000010024400000000000000000000  0800 0f00 fe000000`,
  },
  {
    it: '10.65.0.2/32 dev eth7 table 1000 proto 3 metric 5 mtu 1440',
    route: makeRoute({
      destination: prefix('10.65.0.2/32'),
      protocol: 3,
      table: 1000,
      metric: 5,
      mtu: 1440,
      nextHops: [{ interface: 7 }],
    }),
    hex: `48000000 1800 0105 01000000 00000000  02 20 00 00 00 03 fd 01 00000000
          0800 0100 0a410002  0800 0f00 e8030000  0800 0600 05000000
          0c00 0880 0800 0200 a0050000  0800 0400 07000000`,
  },
  {
    it: '10.9.0.0/16 proto 80 nexthop via inet6 fe80::1 dev eth2 onlink nexthop via 10.0.1.3 weight 3',
    route: makeRoute({
      destination: prefix('10.9.0.0/16'),
      protocol: 80,
      nextHops: [
        { gateway: address('fe80::1'), interface: 'eth2', onlink: true },
        { gateway: address('10.0.1.3'), weight: 3, interface: 'eth3' },
      ],
    }),
    hex: `60000000 1800 0105 01000000 00000000  02 10 00 00 fe 50 00 01 00000000
          0800 0100 0a090000  0800 0f00 fe000000
          3400 0980
            2000 04 00 02000000  1600 1200 0a00 fe800000000000000000000000000001 0000
            1000 00 02 03000000  0800 0500 0a000103`,
  },
];

/** Interfaces come back as names; where the route was written with a number, compare numbers. */
function numbered(route: Route, back: Route): NextHop[] {
  return back.nextHops.map((hop, i) =>
    typeof route.nextHops[i]?.interface === 'number' && hop.interface !== undefined
      ? { ...hop, interface: indexOf(hop.interface) }
      : hop,
  );
}

function hopsUnderIpv6(nextHops: NextHop[]): () => unknown {
  return () => readBack(makeRoute({ destination: prefix('fd00::/8'), protocol: 80, nextHops }));
}

describe('route bytes', () => {
  for (const { it: title, route, hex } of routes)
    it(title, () => {
      const message = encoded((w) => encodeRoute(w, 'replace', route, indexOf));
      expect(message.toString('hex')).to.equal(unindent(hex));
      const back = readBack(route);
      expect(back && sameRoute(route, { ...back, nextHops: numbered(route, back) })).to.equal(true);
    });

  it('delete any scope, and neither create nor replace', () => {
    const route = makeRoute({ destination: prefix('10.0.0.0/8'), protocol: 80 });
    expect(encoded((w) => encodeRoute(w, 'delete', route, indexOf)).toString('hex')).to.equal(
      unindent(`2c000000 1900 0100 01000000 00000000  02 08 00 00 fe 50 ff 01 00000000
                0800 0100 0a000000  0800 0f00 fe000000`),
    );
  });

  it('ask for one protocol in one table', () => {
    expect(encoded((w) => encodeRouteDump(w, 6, { table: 254, protocol: 80 })).toString('hex')).to.equal(
      unindent(`24000000 1a00 0103 01000000 00000000  0a 00 00 00 00 50 00 00 00000000  0800 0f00 fe000000`),
    );
  });

  const anyV4 = fc.integer({ min: 0, max: 0xffffffff }).map((word) => Address.v4(word));
  const word = fc.integer({ min: 0, max: 0xffffffff });
  const anyV6 = fc.tuple(word, word, word, word).map(([a, b, c, d]) => Address.v6(a, b, c, d));
  const anyRoute = fc.constantFrom(4, 6).chain((version) => {
    const anyAddress = version === 4 ? anyV4 : anyV6;
    const anyHop = fc
      .record(
        {
          gateway: version === 4 ? fc.oneof(anyV4, anyV6) : anyV6,
          interface: fc.integer({ min: 1, max: 1000 }).map(nameOf),
          onlink: fc.constant(true),
          weight: fc.integer({ min: 2, max: 256 }),
        },
        { requiredKeys: ['gateway'] },
      )
      .map((hop): NextHop => hop);
    return fc
      .record(
        {
          destination: fc
            .tuple(anyAddress, fc.integer({ min: 0, max: version === 4 ? 32 : 128 }))
            .map(([network, length]) => Prefix.of(network, length)),
          table: fc.integer({ min: 1, max: 0xffffffff }),
          protocol: fc.integer({ min: 0, max: 255 }),
          metric: fc.integer({ min: 0, max: 0xffffffff }),
          scope: fc.constantFrom('universe', 'site', 'link', 'host', 'nowhere'),
          nextHops: fc.array(anyHop, { maxLength: 4 }),
          source: anyAddress,
          mtu: fc.integer({ min: 1, max: 65535 }),
        },
        { requiredKeys: ['destination', 'table', 'protocol', 'metric', 'scope', 'nextHops'] },
      )
      .map((route): Route => ({ ...route, type: 'unicast' }));
  });

  it('read back as the route that was written', () => {
    fc.assert(
      fc.property(anyRoute, (route) => {
        const { nextHops } = route;
        // A single next hop has no weight on the wire.
        const meant =
          nextHops.length === 1
            ? { ...route, nextHops: nextHops.map((hop) => ({ ...hop, weight: 1 })) }
            : route;
        const back = readBack(meant);
        expect(back && sameRoute(meant, back), back && formatRoute(back)).to.equal(true);
        expect(back && routeKey(back)).to.equal(routeKey(meant));
      }),
    );
  });

  it('cut short anywhere are refused and read nothing outside', () => {
    fc.assert(
      fc.property(anyRoute, fc.nat(), (route, cut) => {
        const message = encoded((w) => encodeRoute(w, 'replace', route, indexOf));
        const { start } = body(message);
        const short = Buffer.from(message.subarray(0, start + (cut % (message.length - start))));
        try {
          decodeRoute(short, start, short.length, nameOf);
        } catch (error) {
          expect(error).to.be.instanceOf(RangeError);
        }
      }),
    );
  });

  it('cannot hold an IPv4 gateway under an IPv6 destination, or a weight of 0', () => {
    expect(hopsUnderIpv6([{ gateway: address('10.0.0.1') }])).to.throw(RangeError, /10\.0\.0\.1/);
    expect(
      hopsUnderIpv6([{ gateway: address('fd00::1') }, { gateway: address('fd00::2'), weight: 0 }]),
    ).to.throw(RangeError);
  });
});

describe('link bytes', () => {
  it('make a veth whose peer is born in another namespace', () => {
    const mac = 'ee:ee:ee:ee:ee:ee';
    const message = encoded((w) =>
      encodeVeth(w, { name: 'cali1', mtu: 1440, mac }, { name: 'eth0' }, true, 9),
    );
    expect(message.toString('hex')).to.equal(
      unindent(`7c000000 1000 0106 01000000 00000000  00 00 0000 00000000 01000000 01000000
                0a00 0300 63616c693100 0000  0800 0400 a0050000  0a00 0100 eeeeeeeeeeee 0000
                3c00 1280  0900 0100 7665746800 000000
                  2c00 0280  2800 0180
                    00 00 0000 00000000 00000000 00000000
                    0900 0300 6574683000 000000  0800 1c00 09000000`),
    );
    const { start, end } = body(message);
    expect(decodeLink(message, start, end)).to.include({
      name: 'cali1',
      mtu: 1440,
      mac,
      kind: 'veth',
      up: true,
    });
  });

  it('touch only the flag that is to change', () => {
    const up = encoded((w) => encodeLinkChange(w, 5, { up: false }));
    expect(up.subarray(16).toString('hex')).to.equal(unindent('00 00 0000 05000000 00000000 01000000'));
    const mtu = encoded((w) => encodeLinkChange(w, 5, { mtu: 1280 }));
    expect(mtu.subarray(16).toString('hex')).to.equal(
      unindent('00 00 0000 05000000 00000000 00000000  0800 0400 00050000'),
    );
  });

  for (const name of ['', 'sixteen-octets-x', 'a b', 'a/b', '..', 'c:1', 'ä'.repeat(8)])
    it(`refuse the name ${JSON.stringify(name)}`, () =>
      expect(() => encoded((w) => encodeVeth(w, { name }, { name: 'eth0' }))).to.throw(RangeError));

  it('take MAC addresses as they are written', () => {
    expect(formatMac(parseMac('EE:ee:00:01:02:ff'))).to.equal('ee:ee:00:01:02:ff');
    for (const text of ['ee:ee:ee:ee:ee', 'ee-ee-ee-ee-ee-ee', 'ee:ee:ee:ee:ee:eg', ''])
      expect(() => parseMac(text)).to.throw(RangeError);
  });
});

describe('address and neighbour bytes', () => {
  const cases = [
    {
      it: '10.65.0.1/32',
      encode: (w: MessageWriter) => encodeAddress(w, 'add', 7, address('10.65.0.1'), 32),
      hex: `28000000 1400 0106 01000000 00000000  02 20 00 00 07000000  0800 0200 0a410001  0800 0100 0a410001`,
    },
    {
      it: 'fd00::1/64 without duplicate detection and prefix route',
      encode: (w: MessageWriter) =>
        encodeAddress(w, 'add', 7, address('fd00::1'), 64, {
          noDuplicateDetection: true,
          noPrefixRoute: true,
        }),
      hex: `48000000 1400 0106 01000000 00000000  0a 40 02 00 07000000
            1400 0200 fd000000000000000000000000000001  1400 0100 fd000000000000000000000000000001
            0800 0800 02020000`,
    },
    {
      it: 'neighbour 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee permanent',
      encode: (w: MessageWriter) =>
        encodeNeighbour(w, 'replace', 3, address('169.254.1.1'), 'ee:ee:ee:ee:ee:ee'),
      hex: `30000000 1c00 0105 01000000 00000000  02 000000 03000000 8000 00 00
            0800 0100 a9fe0101  0a00 0200 eeeeeeeeeeee 0000`,
    },
  ];
  for (const { it: title, encode, hex } of cases)
    it(title, () => expect(encoded(encode).toString('hex')).to.equal(unindent(hex)));

  it('read back as written', () => {
    const added = encoded((w) => encodeAddress(w, 'add', 7, address('169.254.1.9'), 16));
    const first = body(added);
    expect(decodeAddress(added, first.start, first.end)).to.deep.include({
      link: 7,
      prefixLength: 16,
      scope: 253,
    });
    const set = encoded((w) =>
      encodeNeighbour(w, 'replace', 3, address('fe80::1'), '02:00:00:00:00:01', false),
    );
    const second = body(set);
    const neighbour = decodeNeighbour(set, second.start, second.end);
    expect(neighbour).to.include({ link: 3, mac: '02:00:00:00:00:01', state: 'stale' });
    expect(neighbour?.address.toString()).to.equal('fe80::1');
  });

  it('refuse a prefix longer than the address', () => {
    expect(() => encoded((w) => encodeAddress(w, 'add', 1, address('10.0.0.1'), 33))).to.throw(
      RangeError,
      '0 to 32',
    );
  });
});
