import { expect } from 'chai';
import fc from 'fast-check';
import { MessageFramer } from './framer.ts';
import { encodeKeepalive } from './message.ts';
import { notification } from './notification.ts';
import { framed, text, update } from './testing/octets.ts';
import type { NotificationMessage } from './types.ts';

function frames(
  chunks: readonly Uint8Array[],
  limit?: number,
): { messages: string[]; error: NotificationMessage | undefined } {
  const framer = new MessageFramer(limit);
  const messages: string[] = [];
  let error: NotificationMessage | undefined;
  for (const chunk of chunks) {
    error ??= framer.push(chunk, (message) => {
      messages.push(text(message));
      return true;
    });
  }
  return { messages, error };
}

function patched(at: number, ...octets: readonly number[]): Uint8Array {
  const copy = encodeKeepalive();
  copy.set(octets, at);
  return copy;
}

describe('MessageFramer', () => {
  const anyMessage = fc.oneof(
    fc.constantFrom(encodeKeepalive(), update({})),
    fc.uint8Array({ minLength: 2, maxLength: 500 }).map((body) => framed(3, body)),
  );

  it('finds the same messages however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 8 }), fc.array(fc.nat(3000)), (messages, cuts) => {
        const stream = Uint8Array.from(messages.flatMap((message) => [...message]));
        const places = [0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort(
          (a, b) => a - b,
        );
        const chunks = places.slice(1).map((end, i) => stream.slice(places[i], end));
        expect(frames(chunks)).to.deep.equal({ messages: messages.map(text), error: undefined });
      }),
    );
  });

  it('takes one octet at a time', () => {
    const stream = Uint8Array.of(
      ...encodeKeepalive(),
      ...update({ withdrawn: '08 0a' }),
      ...encodeKeepalive(),
    );
    const chunks = [...stream].map((octet) => Uint8Array.of(octet));
    expect(frames(chunks).messages).to.have.length(3);
  });

  const errors = [
    { it: 'marker with a 0 at its end', bytes: patched(15, 0), want: notification(1, 1) },
    {
      it: 'marker of zeros',
      bytes: patched(0, ...Array.from({ length: 16 }, () => 0)),
      want: notification(1, 1),
    },
    { it: 'length 18', bytes: patched(16, 0, 18), want: notification(1, 2, Uint8Array.of(0, 18)) },
    { it: 'length 0', bytes: patched(16, 0, 0), want: notification(1, 2, Uint8Array.of(0, 0)) },
    { it: 'KEEPALIVE of 20', bytes: patched(16, 0, 20), want: notification(1, 2, Uint8Array.of(0, 20)) },
    { it: 'UPDATE of 19', bytes: patched(16, 0, 19, 2), want: notification(1, 2, Uint8Array.of(0, 19)) },
    { it: 'OPEN of 28', bytes: patched(16, 0, 28, 1), want: notification(1, 2, Uint8Array.of(0, 28)) },
    {
      it: 'OPEN of 4097, extended messages or not',
      bytes: patched(16, 0x10, 1, 1),
      want: notification(1, 2, Uint8Array.of(0x10, 1)),
    },
    { it: 'type 0', bytes: patched(18, 0), want: notification(1, 3, Uint8Array.of(0)) },
    { it: 'type 6', bytes: patched(18, 6), want: notification(1, 3, Uint8Array.of(6)) },
  ];
  for (const { it: title, bytes, want } of errors) {
    it(`answers ${title}, whole or in pieces, and ignores what follows`, () => {
      const tail = encodeKeepalive();
      expect(frames([encodeKeepalive(), bytes, tail])).to.deep.equal({ messages: [text(tail)], error: want });
      expect(frames([...bytes].map((octet) => Uint8Array.of(octet)))).to.deep.equal({
        messages: [],
        error: want,
      });
    });
  }

  it('takes long messages only as far as its limit', () => {
    const long = framed(2, new Uint8Array(65535 - 19));
    expect(frames([long]).messages).to.have.length(1);
    expect(frames([long], 4096).error).to.deep.equal(notification(1, 2, Uint8Array.of(255, 255)));
  });

  it('stops when told to, also in the middle of a chunk', () => {
    const framer = new MessageFramer();
    let seen = 0;
    const two = Uint8Array.of(...encodeKeepalive(), ...encodeKeepalive());
    framer.push(two, () => ++seen < 1);
    framer.push(two, () => ++seen < 1);
    expect(seen).to.equal(1);
  });
});
