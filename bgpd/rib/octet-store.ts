/**
 * Many short runs of octets, kept in few large buffers: no object for each. Hot (bench/micro/bgp-inbound.ts).
 *
 * A run lies in a block of the next size that is given out (steps of an eighth of a power of two, so at most an eighth
 * is wasted); a freed block serves the next run of its size.
 */
const CHUNK_BITS = 18;
const CHUNK = 1 << CHUNK_BITS;
/** Blocks begin at multiples of this, which is what places count. */
const UNIT = 8;
const CHUNK_UNITS = CHUNK / UNIT;

/** Longest run there can be: the attributes of one extended message (RFC 8654). */
export const LONGEST_RUN = 65535;

export class OctetStore {
  readonly #chunks: Uint8Array[] = [];
  /** Block size -> places of freed blocks. */
  readonly #free = new Map<number, number[]>();
  /** Octets given out of the last chunk. */
  #used = CHUNK;

  /** Copies the run; answers its place. @throws RangeError over {@link LONGEST_RUN} octets */
  put(bytes: Uint8Array, length: number, from = 0): number {
    if (length > LONGEST_RUN) throw new RangeError(`a run of ${length} octets is over ${LONGEST_RUN}`);
    const size = blockSize(length);
    const place = this.#free.get(size)?.pop() ?? this.#carve(size);
    const chunk = this.chunk(place);
    const at = this.at(place);
    for (let i = 0; i < length; i++) chunk[at + i] = bytes[from + i] as number;
    return place;
  }

  free(place: number, length: number): void {
    const size = blockSize(length);
    const places = this.#free.get(size);
    if (places === undefined) this.#free.set(size, [place]);
    else places.push(place);
  }

  /** The buffer a run lies in; not to be kept over {@link free}. */
  chunk(place: number): Uint8Array {
    return this.#chunks[Math.floor(place / CHUNK_UNITS)] as Uint8Array;
  }

  /** Where in its buffer the run begins. */
  at(place: number): number {
    return (place % CHUNK_UNITS) * UNIT;
  }

  #carve(size: number): number {
    if (this.#used + size > CHUNK) {
      this.#chunks.push(new Uint8Array(CHUNK));
      this.#used = 0;
    }
    const place = (this.#chunks.length - 1) * CHUNK_UNITS + this.#used / UNIT;
    this.#used += size;
    return place;
  }
}

function blockSize(length: number): number {
  const exact = Math.max(length, UNIT);
  const step = Math.max(UNIT, 1 << (28 - Math.clz32(exact)));
  return Math.ceil(exact / step) * step;
}
