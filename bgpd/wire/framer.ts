/**
 * Cuts a byte stream into messages. Chunks may end anywhere. Hot: a message that lies whole in its chunk is
 * handed over as a view of it; only one that spans chunks is copied, once, into a buffer of its own length.
 */
import { HEADER_LENGTH, MAX_EXTENDED_LENGTH, headerError, lengthOf } from './header.ts';
import type { NotificationMessage } from './types.ts';

export class MessageFramer {
  readonly #limit: number;
  #pending = new Uint8Array(HEADER_LENGTH);
  #filled = 0;
  /** Octets that the pending message has in all; 0 until its header is complete. */
  #length = 0;
  #broken = false;

  /** @param limit longest message accepted: 65535 where we sent the extended-message capability (RFC 8654 §4) */
  constructor(limit: number = MAX_EXTENDED_LENGTH) {
    this.#limit = limit;
  }

  /**
   * Takes the next octets of the stream.
   *
   * @param onMessage called for each whole message, header included. The view is valid during the call only.
   *   Answers false to stop: the rest of the stream is then ignored.
   * @returns the NOTIFICATION that a bad header calls for. The stream has lost its place: later chunks are ignored.
   */
  push(octets: Uint8Array, onMessage: (message: Uint8Array) => boolean): NotificationMessage | undefined {
    // All messages of one class, whether the stream comes in Buffers or not, spans chunks or not: two classes would make
    // everything that reads octets twice as slow.
    const chunk =
      octets.constructor === Uint8Array
        ? octets
        : new Uint8Array(octets.buffer, octets.byteOffset, octets.byteLength);
    let at = 0;
    while (!this.#broken && at < chunk.length) {
      if (this.#length > 0 || this.#filled > 0 || chunk.length - at < HEADER_LENGTH) {
        const taken = this.#collect(chunk, at);
        if (typeof taken !== 'number') return taken;
        at += taken;
        if (this.#length === 0 || this.#filled < this.#length) continue;
        const message = this.#pending;
        this.#reset();
        if (!onMessage(message)) this.#broken = true;
        continue;
      }
      const error = headerError(chunk, at, this.#limit);
      if (error !== undefined) return this.#fail(error);
      const length = lengthOf(chunk, at);
      if (chunk.length - at < length) {
        this.#expect(length);
        continue;
      }
      at += length;
      if (!onMessage(chunk.subarray(at - length, at))) this.#broken = true;
    }
    return undefined;
  }

  /** Copies what the pending message still lacks, at most to the end of its header or of itself. */
  #collect(chunk: Uint8Array, at: number): number | NotificationMessage {
    const want = (this.#length === 0 ? HEADER_LENGTH : this.#length) - this.#filled;
    const taken = Math.min(want, chunk.length - at);
    this.#pending.set(chunk.subarray(at, at + taken), this.#filled);
    this.#filled += taken;
    if (this.#length === 0 && this.#filled === HEADER_LENGTH) {
      const error = headerError(this.#pending, 0, this.#limit);
      if (error !== undefined) return this.#fail(error);
      this.#expect(lengthOf(this.#pending));
    }
    return taken;
  }

  #expect(length: number): void {
    this.#length = length;
    const buffer = new Uint8Array(length);
    buffer.set(this.#pending.subarray(0, this.#filled));
    this.#pending = buffer;
  }

  #reset(): void {
    this.#pending = new Uint8Array(HEADER_LENGTH);
    this.#filled = 0;
    this.#length = 0;
  }

  #fail(error: NotificationMessage): NotificationMessage {
    this.#broken = true;
    return error;
  }
}
