/**
 * A byte stream cut into BGP messages by one who only listens: where the stream has a hole, begins in the middle or
 * holds a bad header, it looks for the next marker and goes on. (A speaker must not: `bgpd/wire/framer.ts`.)
 */
import { HEADER_LENGTH, MAX_EXTENDED_LENGTH, headerError, lengthOf } from '../wire/header.ts';
import type { Piece } from './reassembly.ts';

/** Offsets count from the first octet of the stream that was seen. */
export type Cut =
  | { readonly type: 'message'; readonly offset: number; readonly bytes: Uint8Array }
  /** The header alone. */
  | { readonly type: 'bad-header'; readonly offset: number; readonly bytes: Uint8Array }
  /** Octets in which no message could be found. */
  | { readonly type: 'skipped'; readonly offset: number; readonly octets: number }
  /** Octets that the capture lacks. */
  | { readonly type: 'gap'; readonly offset: number; readonly octets: number }
  /** The stream ends inside a message. */
  | {
      readonly type: 'incomplete';
      readonly offset: number;
      readonly octets: number;
      readonly expected: number | undefined;
    };

const MARKER_LENGTH = 16;

export class MessageStream {
  #pending = new Uint8Array(0);
  /** Stream offset of the first pending octet. */
  #offset = 0;
  #synchronised: boolean;
  #skipped = 0;

  /** @param synchronised the first octet is the first of a message */
  constructor(synchronised: boolean) {
    this.#synchronised = synchronised;
  }

  *push(piece: Piece): Generator<Cut> {
    switch (piece.type) {
      case 'start':
        yield* this.end();
        this.#offset = 0;
        this.#synchronised = true;
        return;
      case 'gap':
        yield* this.#giveUp();
        yield { type: 'gap', offset: this.#offset, octets: piece.octets };
        this.#offset += piece.octets;
        return;
      case 'octets':
        this.#pending = this.#pending.length === 0 ? piece.bytes.slice() : join(this.#pending, piece.bytes);
        yield* this.#cut();
    }
  }

  /** Nothing follows. */
  *end(): Generator<Cut> {
    yield* this.#giveUp();
  }

  *#cut(): Generator<Cut> {
    for (;;) {
      if (!this.#synchronised && !this.#findMarker()) return;
      yield* this.#tellSkipped();
      const bytes = this.#pending;
      if (bytes.length < HEADER_LENGTH) return;
      if (headerError(bytes, 0, MAX_EXTENDED_LENGTH) !== undefined) {
        yield { type: 'bad-header', offset: this.#offset, bytes: bytes.slice(0, HEADER_LENGTH) };
        this.#synchronised = false;
        this.#skip(1);
        continue;
      }
      const length = lengthOf(bytes);
      if (bytes.length < length) return;
      const offset = this.#offset;
      this.#advance(length);
      yield { type: 'message', offset, bytes: bytes.subarray(0, length) };
    }
  }

  /** Moves to the next sound header; what cannot be one is skipped. */
  #findMarker(): boolean {
    const bytes = this.#pending;
    let at = 0;
    while (at + HEADER_LENGTH <= bytes.length) {
      if (headerError(bytes, at, MAX_EXTENDED_LENGTH) === undefined) {
        this.#skip(at);
        this.#synchronised = true;
        return true;
      }
      at++;
    }
    this.#skip(at);
    return false;
  }

  #skip(octets: number): void {
    this.#skipped += octets;
    this.#advance(octets);
  }

  #advance(octets: number): void {
    this.#pending = this.#pending.subarray(octets);
    this.#offset += octets;
  }

  *#tellSkipped(): Generator<Cut> {
    if (this.#skipped > 0)
      yield { type: 'skipped', offset: this.#offset - this.#skipped, octets: this.#skipped };
    this.#skipped = 0;
  }

  *#giveUp(): Generator<Cut> {
    const { length } = this.#pending;
    const whole = this.#synchronised && length >= MARKER_LENGTH + 2;
    if (this.#synchronised && length > 0) {
      const expected = whole ? lengthOf(this.#pending) : undefined;
      yield { type: 'incomplete', offset: this.#offset, octets: length, expected };
      this.#advance(length);
    } else this.#skip(length);
    yield* this.#tellSkipped();
    this.#synchronised = false;
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
