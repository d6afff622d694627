import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  eachAttribute,
  MessageWriter,
  NLMSG_DONE,
  NLMSG_ERROR,
  readString,
  readVerdict,
  splitDatagram,
} from './message.ts';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');

function attributesOf(buffer: Buffer, start: number, end: number): { type: number; value: string }[] {
  const found: { type: number; value: string }[] = [];
  eachAttribute(buffer, start, end, (type, from, to) =>
    found.push({ type, value: buffer.toString('hex', from, to) }),
  );
  return found;
}

/** An NLMSG_ERROR as the kernel writes it: errno, the request's header, and what follows. */
const verdicts = [
  {
    it: 'success, capped',
    hex: '24000000 0200 0001 07000000 00000000  00000000  14000000 1800 0500 07000000 00000000',
    want: { errno: 0, text: undefined },
  },
  {
    it: 'ENETUNREACH with words, capped',
    hex: '34000000 0200 0003 07000000 00000000  9bffffff  3c000000 1800 0500 07000000 00000000  0d00 0100 4e6f20726f75746500 000000',
    want: { errno: 101, text: 'No route' },
  },
  {
    it: 'EINVAL with words behind the whole request of 20 octets',
    hex: '30000000 0200 0002 07000000 00000000  eaffffff  14000000 1800 0500 07000000 00000000 aabbccdd  0800 0100 62616400',
    want: { errno: 22, text: 'bad' },
  },
];

describe('netlink messages', () => {
  it('are laid out as netlink(7) says', () => {
    const w = new MessageWriter(4);
    w.begin(24, 0x400);
    w.u32(0x01020304);
    w.attributeU32(15, 254);
    w.attributeString(3, 'eth0');
    w.nested(18, () => w.attribute(1, bytes('ff')));
    w.end();
    const want =
      '34000000 1800 0504 09000000 00000000  04030201  0800 0f00 fe000000' +
      '0900 0300 6574683000 000000  0c00 1280 0500 0100 ff 000000';
    expect(w.finish(9, true).toString('hex')).to.equal(bytes(want).toString('hex'));
  });

  it('are numbered in order, and only the last asks for an acknowledgement', () => {
    const w = new MessageWriter();
    for (const type of [1, 2, 3]) {
      w.begin(type, 0);
      w.end();
    }
    w.begin(99, 0);
    w.u32(1);
    w.discard();
    const sent = w.finish(0xfffffff0, true);
    expect(
      splitDatagram(sent, sent.length).map(({ type, flags, sequence }) => ({ type, flags, sequence })),
    ).to.deep.equal([
      { type: 1, flags: 1, sequence: 0xfffffff0 },
      { type: 2, flags: 1, sequence: 0xfffffff1 },
      { type: 3, flags: 5, sequence: 0xfffffff2 },
    ]);
  });

  it('carry any attributes there and back', () => {
    const anyAttribute = fc.record({
      type: fc.integer({ min: 0, max: 0x3fff }),
      value: fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value).toString('hex')),
    });
    fc.assert(
      fc.property(fc.array(anyAttribute, { maxLength: 20 }), (attributes) => {
        const w = new MessageWriter(16);
        w.begin(1, 0);
        for (const { type, value } of attributes) w.attribute(type, Buffer.from(value, 'hex'));
        w.end();
        const sent = w.finish(1, false);
        const [message] = splitDatagram(sent, sent.length);
        expect(attributesOf(sent, message?.start ?? 0, message?.end ?? 0)).to.deep.equal(attributes);
      }),
    );
  });

  for (const { it: title, hex, want } of verdicts)
    it(`tell ${title}`, () => {
      const datagram = bytes(hex);
      const [message] = splitDatagram(datagram, datagram.length);
      expect(message?.type).to.equal(NLMSG_ERROR);
      expect(message && readVerdict(datagram, message)).to.deep.equal(want);
    });

  it('tell how a dump ended', () => {
    const datagram = bytes('14000000 0300 0200 07000000 00000000 feffffff');
    const [message] = splitDatagram(datagram, datagram.length);
    expect(message?.type).to.equal(NLMSG_DONE);
    expect(message && readVerdict(datagram, message)).to.deep.equal({ errno: 2, text: undefined });
  });

  it('whose lengths lead outside are refused, wherever they are cut', () => {
    const whole = bytes('1c000000 1800 0500 07000000 00000000  0c00 0100 0102030405060708');
    for (let length = 1; length < whole.length; length++)
      expect(() => splitDatagram(whole, length), `cut to ${length}`).to.throw(RangeError);
    expect(() => splitDatagram(bytes('00000000 00000000 00000000 00000000'), 16)).to.throw(RangeError);
    expect(() => attributesOf(bytes('0300 0100'), 0, 4)).to.throw(RangeError);
    expect(() => attributesOf(bytes('0900 0100 00000000'), 0, 8)).to.throw(RangeError);
  });

  it('never make the reader loop or read outside, whatever the octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
        const datagram = Buffer.from(octets);
        try {
          for (const { start, end } of splitDatagram(datagram, datagram.length)) {
            expect(end).to.be.at.most(datagram.length);
            attributesOf(datagram, start, end);
          }
        } catch (error) {
          expect(error).to.be.instanceOf(RangeError);
        }
      }),
    );
  });

  it('end strings at their NUL or at their bounds', () => {
    const text = bytes('65746830 00 ff');
    expect(readString(text, 0, 6)).to.equal('eth0');
    expect(readString(text, 0, 3)).to.equal('eth');
  });
});
