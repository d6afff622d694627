/**
 * Many changes of routes in one send, for who writes a hundred thousand. Bytes only.
 *
 * Hot (bench routes). Routes that differ in nothing but their prefix share a message that was encoded once: what each of them
 * costs is a copy of its words and the prefix put in. No object is made for a route.
 */
import { AF_INET } from '../abi.ts';
import { Address, type IpVersion, Prefix } from '../../addr/index.ts';
import { type IndexOf, MessageWriter, NLM_F_ACK } from './message.ts';
import type { Route, RouteOperation } from './route.ts';
import { encodeRoute } from './route-codec.ts';

/** Words of a message; see message.ts for the header, route-codec.ts for the rest. */
const LENGTH = 0;
const TYPE_AND_FLAGS = 1;
const SEQUENCE = 2;
/** Of struct rtmsg: family, length of the prefix in bits, and what needs no change. */
const RTMSG = 4;
/** The first attribute is RTA_DST: its header, then the address. */
const DESTINATION = 8;

/** A prefix as 32-bit words in network order, host bits zero. */
export interface RouteDestination {
  readonly version: IpVersion;
  readonly length: number;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

/** A change of a route whose prefix is yet to be said. */
export class RouteTemplate {
  readonly words: Int32Array;
  readonly version: IpVersion;

  /** @throws RangeError on what no kernel could hold; whatever `indexOf` throws */
  constructor(op: RouteOperation, version: IpVersion, route: Omit<Route, 'destination'>, indexOf: IndexOf) {
    const writer = new MessageWriter(128);
    const anywhere = Prefix.of(version === 4 ? Address.v4(0) : Address.v6(0, 0, 0, 0), 0);
    encodeRoute(writer, op, { ...route, destination: anywhere }, indexOf);
    const octets = writer.finish(0, false);
    // A copy, for words must begin at a multiple of four.
    this.words = new Int32Array(Uint8Array.from(octets).buffer);
    this.version = version;
  }
}

const INITIAL_WORDS = 4096;

export class RouteBatch {
  #words = new Int32Array(INITIAL_WORDS);
  #used = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The template's IP version must be the destination's, which is not kept. */
  add({ words }: RouteTemplate, destination: RouteDestination): void {
    const start = this.#used;
    const end = start + words.length;
    if (end > this.#words.length) this.#grow(end);
    const to = this.#words;
    for (let i = 0; i < words.length; i++) to[start + i] = words[i] as number;
    to[start + RTMSG] = ((words[RTMSG] as number) & ~0xff00) | (destination.length << 8);
    to[start + DESTINATION] = reversed(destination.w0);
    if (destination.version === 6) {
      to[start + DESTINATION + 1] = reversed(destination.w1);
      to[start + DESTINATION + 2] = reversed(destination.w2);
      to[start + DESTINATION + 3] = reversed(destination.w3);
    }
    this.#used = end;
    this.#count++;
  }

  /** Of the change at a place, for messages: all those before it are walked over. */
  destination(index: number): Prefix {
    let at = 0;
    for (let i = 0; i < index; i++) at += (this.#words[at + LENGTH] as number) >>> 2;
    const length = ((this.#words[at + RTMSG] as number) >>> 8) & 0xff;
    const word = (n: number): number => reversed(this.#words[at + DESTINATION + n] as number);
    const four = ((this.#words[at + RTMSG] as number) & 0xff) === AF_INET;
    return Prefix.of(four ? Address.v4(word(0)) : Address.v6(word(0), word(1), word(2), word(3)), length);
  }

  /** Empty again, for others to come. */
  clear(): void {
    this.#used = 0;
    this.#count = 0;
  }

  /** As `MessageWriter.finish`. */
  finish(firstSequence: number, acknowledge: boolean): Buffer {
    const words = this.#words;
    let last = 0;
    for (let at = 0, sequence = firstSequence; at < this.#used; sequence++) {
      last = at;
      words[at + SEQUENCE] = sequence;
      at += (words[at + LENGTH] as number) >>> 2;
    }
    if (acknowledge && this.#count > 0)
      words[last + TYPE_AND_FLAGS] = (words[last + TYPE_AND_FLAGS] as number) | (NLM_F_ACK << 16);
    return Buffer.from(words.buffer, 0, this.#used * 4);
  }

  #grow(needed: number): void {
    const bigger = new Int32Array(Math.max(needed, this.#words.length * 2));
    bigger.set(this.#words.subarray(0, this.#used));
    this.#words = bigger;
  }
}

/** Network order, on the little-endian machines that all of this runs on. */
function reversed(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
