/**
 * One direction of a TCP connection, put in order by sequence number (RFC 9293 §3.4): repeated octets are dropped,
 * early ones wait for those before them. What the capture lacks never comes; once too much waits behind a gap, or the
 * capture ends, the gap is told and the stream goes on behind it.
 */
import type { Segment } from './segment.ts';

/** A part of the stream, or a hole in it. */
export type Piece =
  | { readonly type: 'octets'; readonly bytes: Uint8Array }
  | { readonly type: 'gap'; readonly octets: number }
  /** A new connection between the same two ports. */
  | { readonly type: 'start' };

/** Octets that may wait behind a gap: more than any window in use on the way to a router. */
const PATIENCE = 8 * 1024 * 1024;

interface Early {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

export class TcpStream {
  /** The first sequence number behind the SYN, where that was seen. */
  #start: number | undefined;
  #next: number | undefined;
  #early: Early[] = [];
  #waiting = 0;

  *push(segment: Pick<Segment, 'sequence' | 'syn' | 'payload' | 'cut'>): Generator<Piece> {
    if (segment.syn) {
      const start = (segment.sequence + 1) | 0;
      // A repeated SYN changes nothing, however late; another one is another connection.
      if (start !== this.#start) {
        yield* this.end();
        this.#start = start;
        this.#next = start;
        yield { type: 'start' };
      }
    }
    const at = segment.syn ? (segment.sequence + 1) | 0 : segment.sequence;
    // Octets that were on the wire and not in the file leave a gap of their own, found by those that follow.
    if (segment.payload.length === 0) return;
    this.#next ??= at;
    if (distance(this.#next, at) > 0) this.#keep(at, segment.payload);
    else yield* this.#append(at, segment.payload);
    yield* this.#release(false);
  }

  /** The capture has ended: what waits behind gaps comes now. */
  *end(): Generator<Piece> {
    yield* this.#release(true);
    this.#next = undefined;
  }

  *#append(at: number, bytes: Uint8Array): Generator<Piece> {
    const known = -distance(this.#next ?? at, at);
    if (known >= bytes.length) return;
    this.#next = (at + bytes.length) | 0;
    yield { type: 'octets', bytes: bytes.subarray(known) };
  }

  #keep(sequence: number, bytes: Uint8Array): void {
    // The capture's buffer is used again before this is read.
    this.#early.push({ sequence, bytes: bytes.slice() });
    this.#waiting += bytes.length;
  }

  *#release(all: boolean): Generator<Piece> {
    while (this.#early.length > 0) {
      const from = this.#next ?? 0;
      let first = 0;
      for (let i = 1; i < this.#early.length; i++)
        if (distance(from, this.#sequenceAt(i)) < distance(from, this.#sequenceAt(first))) first = i;
      const missing = distance(from, this.#sequenceAt(first));
      if (missing > 0 && !all && this.#waiting <= PATIENCE) return;
      const [early] = this.#early.splice(first, 1) as [Early];
      this.#waiting -= early.bytes.length;
      if (missing > 0) {
        yield { type: 'gap', octets: missing };
        this.#next = early.sequence;
      }
      yield* this.#append(early.sequence, early.bytes);
    }
  }

  #sequenceAt(index: number): number {
    return this.#early[index]?.sequence ?? 0;
  }
}

/** Octets from `a` forward to `b`, negative backwards: sequence numbers wrap at 2^32. */
function distance(a: number, b: number): number {
  return (b - a) | 0;
}
