import { expect } from 'chai';
import fc from 'fast-check';
import { encodeKeepalive } from '../wire/index.ts';
import { CaptureDecoder, isCapture, type CaptureOptions, type Plain } from './index.ts';
import { frame, ipPacket, open, pcap, pcapng, update, type Link, type Packet } from './testing.ts';

type Ends = Pick<Packet, 'from' | 'fromPort' | 'to' | 'toPort'>;

const A = { from: '10.0.0.1', fromPort: 179, to: '10.0.0.2', toPort: 40_000 } as const;
const B = { from: '10.0.0.2', fromPort: 40_000, to: '10.0.0.1', toPort: 179 } as const;
const V6 = { from: 'fd00::1', fromPort: 179, to: 'fd00::2', toPort: 40_000 } as const;

function decodeFile(file: Uint8Array, options: CaptureOptions = {}, step = file.length): Plain[] {
  const decoder = new CaptureDecoder(options);
  const found: Plain[] = [];
  for (let at = 0; at < file.length; at += step) found.push(...decoder.push(file.subarray(at, at + step)));
  return [...found, ...decoder.end()];
}

function types(found: readonly Plain[]): unknown[] {
  return found.map((each) => each['type']);
}

/** A session of two OPENs and an UPDATE of which one TCP segment ends in the middle. */
function session(way: Ends, back: Ends): Packet[] {
  const told = update('10.1.0.0/16', [65001]);
  return [
    { ...way, sequence: 999, syn: true },
    { ...back, sequence: -1, syn: true },
    { ...way, sequence: 1000, payload: open(65001, [{ code: 65, asn: 65001 }]) },
    { ...back, sequence: 0, payload: open(65002, [{ code: 65, asn: 65002 }]) },
    { ...way, sequence: 1000 + 43, payload: told.subarray(0, 30) },
    { ...way, sequence: 1000 + 43 + 30, payload: told.subarray(30) },
  ];
}

function announced(payloads: readonly Packet[]): unknown[] {
  return decodeFile(
    pcap(
      'raw',
      payloads.map((each) => ipPacket(each)),
    ),
  ).map((each) => each['announced']);
}

describe('poplin bgp decode, of captures', () => {
  const links: readonly Link[] = ['ethernet', 'vlan', 'sll', 'sll2', 'raw', 'null'];
  for (const link of links) {
    it(`reads ${link}, IPv4 and IPv6, in every file format, cut anywhere`, () => {
      for (const [way, back] of [
        [A, B],
        [V6, { from: V6.to, fromPort: V6.toPort, to: V6.from, toPort: 179 }],
      ] as const) {
        const frames = session(way, back).map((each) => frame(link, ipPacket(each)));
        const files = [
          pcap(link, frames),
          pcap(link, frames, { little: false }),
          pcap(link, frames, { nanoseconds: true }),
          pcapng(link, frames),
          pcapng(link, frames, { little: false }),
        ];
        const whole = decodeFile(files[0] as Uint8Array);
        expect(types(whole)).to.deep.equal(['open', 'open', 'update']);
        expect(whole[2]).to.deep.include({
          time: '2026-01-01T00:00:05.000Z',
          from: way.from.includes(':') ? '[fd00::1]:179' : '10.0.0.1:179',
          at: 43,
        });
        expect(whole[2]).not.to.have.property('assumed');
        for (const file of files) {
          expect(isCapture(file)).to.equal(true);
          for (const step of [1, 7, file.length]) expect(decodeFile(file, {}, step)).to.deep.equal(whole);
        }
      }
    });
  }

  it('puts segments in order whatever order they come in, repeated and overlapping', () => {
    const messages = Array.from({ length: 20 }, (_, i) => update(`10.${i}.0.0/16`, [65001]));
    const stream = new Uint8Array(Buffer.concat(messages));
    const start: Packet = { ...A, sequence: 0xffff_ff00, syn: true };
    const want = announced([start, { ...A, sequence: start.sequence + 1, payload: stream }]);
    expect(want).to.have.length(20);
    const anyOrder = fc
      .array(fc.tuple(fc.nat(stream.length - 1), fc.integer({ min: 1, max: 300 })), { maxLength: 30 })
      .chain((extra) => {
        const cover = Array.from({ length: Math.ceil(stream.length / 90) }, (_, i) => [i * 90, 90] as const);
        return fc.shuffledSubarray([...cover, ...extra], { minLength: cover.length + extra.length });
      });
    fc.assert(
      fc.property(anyOrder, (parts) => {
        const packets = parts.map(
          ([at, length]): Packet => ({
            ...A,
            sequence: (start.sequence + 1 + at) | 0,
            payload: stream.subarray(at, at + length),
          }),
        );
        expect(announced([start, ...packets])).to.deep.equal(want);
      }),
      { numRuns: 60 },
    );
  });

  it('finds its place again behind a hole, and tells the hole', () => {
    const [first, second, third] = [1, 2, 3].map((i) => update(`10.${i}.0.0/16`, [65001])) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const packets: Packet[] = [
      { ...A, sequence: 0, syn: true },
      { ...A, sequence: 1, payload: first },
      {
        ...A,
        sequence: 1 + first.length + 20,
        payload: new Uint8Array([...second.subarray(20), ...third]),
      },
    ];
    const found = decodeFile(
      pcap(
        'raw',
        packets.map((each) => ipPacket(each)),
      ),
    );
    expect(types(found)).to.deep.equal(['update', 'gap', 'skipped', 'update']);
    expect(found[1]).to.deep.include({ octets: 20, at: first.length });
  });

  it('begins in the middle of a session', () => {
    const whole = new Uint8Array([...update('10.1.0.0/16', [65001]).subarray(25), ...encodeKeepalive()]);
    const found = decodeFile(pcap('raw', [ipPacket({ ...A, sequence: 77, payload: whole })]));
    expect(types(found)).to.deep.equal(['skipped', 'keepalive']);
  });

  it('takes a SYN that comes again, late, for what it is', () => {
    const syn: Packet = { ...A, sequence: 999, syn: true };
    const first: Packet = { ...A, sequence: 1000, payload: encodeKeepalive() };
    const second: Packet = { ...A, sequence: 1019, payload: encodeKeepalive() };
    const found = decodeFile(
      pcap(
        'raw',
        [syn, first, syn, first, second].map((each) => ipPacket(each)),
      ),
    );
    expect(found.map(({ type, at }) => [type, at])).to.deep.equal([
      ['keepalive', 0],
      ['keepalive', 19],
    ]);
  });

  it('forgets what the session before on the same ports has settled', () => {
    const old: Packet[] = [
      { ...A, sequence: 5_000_000, syn: true },
      {
        ...A,
        sequence: 5_000_001,
        payload: new Uint8Array([
          ...open(65001),
          ...update('10.9.0.0/16', [65001, 65002, 65003], { fourOctetAs: false }),
        ]),
      },
      { ...B, sequence: 6_000_000, syn: true },
      { ...B, sequence: 6_000_001, payload: open(65002) },
    ];
    const found = decodeFile(
      pcap(
        'raw',
        [...session(A, B), ...old].map((each) => ipPacket(each)),
      ),
    );
    expect(types(found)).to.deep.equal(['open', 'open', 'update', 'open', 'update', 'open']);
    expect(found[4]).to.deep.nested.include({ 'attributes.asPath': '65001 65002 65003' });
  });

  it('finds BGP on another port by its first octets, or where it is told to look', () => {
    const odd = { from: '10.0.0.1', fromPort: 1790, to: '10.0.0.2', toPort: 40_000 } as const;
    const packets = (payload: Uint8Array): Uint8Array =>
      pcap('raw', [ipPacket({ ...odd, sequence: 1, payload })]);
    expect(types(decodeFile(packets(encodeKeepalive())))).to.deep.equal(['keepalive']);
    const middle = new Uint8Array([0, ...encodeKeepalive()]);
    expect(decodeFile(packets(middle))).to.deep.equal([]);
    expect(types(decodeFile(packets(middle), { ports: [1790] }))).to.deep.equal(['skipped', 'keepalive']);
  });

  it('says that a file is cut, or holds frames nobody can read', () => {
    const file = pcap('raw', [ipPacket({ ...A, sequence: 1, payload: encodeKeepalive() })]);
    expect(decodeFile(file.subarray(0, file.length - 3)).at(-1)).to.deep.equal({
      type: 'unreadable',
      error: { what: 'the file ends in the middle of a record' },
    });
    const strange = file.slice();
    strange[20] = 105;
    expect(types(decodeFile(strange))).to.deep.equal(['unreadable']);
  });

  it('never throws on what a file holds', () => {
    const good = pcapng(
      'ethernet',
      session(A, B).map((each) => frame('ethernet', ipPacket(each))),
    );
    const classic = pcap(
      'sll',
      session(A, B).map((each) => frame('sll', ipPacket(each))),
    );
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.constantFrom(good, classic), damage, (file, hits) => {
        const broken = file.slice();
        for (const [at, value] of hits) broken[4 + (at % (broken.length - 4))] = value;
        decodeFile(broken);
      }),
      { numRuns: 500 },
    );
  });
});
