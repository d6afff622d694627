/**
 * Capture files, cut into frames as their octets come: classic pcap in both byte orders and both resolutions of time
 * (draft-ietf-opsawg-pcap), pcapng (draft-ietf-opsawg-pcapng). Whoever wrote the file may have been interrupted: what
 * is whole is read, and {@link CaptureReader.problem} says what was not.
 */

export interface Frame {
  /** LINKTYPE_ number of the registry of tcpdump.org. */
  readonly link: number;
  /** Seconds since 1970, as far as the file knows. */
  readonly time: number | undefined;
  /** A view: valid until the next `push`. */
  readonly bytes: Uint8Array;
  /** Octets that the snapshot length cut off. */
  readonly cut: number;
}

const MAGIC = { microseconds: 0xa1b2c3d4, nanoseconds: 0xa1b23c4d, section: 0x0a0d0d0a } as const;
const BYTE_ORDER = 0x1a2b3c4d;
const BLOCK = { interface: 1, packet: 2, simple: 3, enhanced: 6 } as const;

/** A block or record larger than this is damage, not data: jumbo frames and offloaded segments stay far below. */
const SANE = 16 * 1024 * 1024;

/** Whether a file that begins so is a capture; 4 octets suffice. */
export function isCapture(head: Uint8Array): boolean {
  if (head.length < 4) return false;
  const view = new DataView(head.buffer, head.byteOffset, 4);
  const magics: readonly number[] = Object.values(MAGIC);
  return magics.includes(view.getUint32(0)) || magics.includes(view.getUint32(0, true));
}

interface Interface {
  readonly link: number;
  readonly ticksPerSecond: number;
}

type Format =
  | { readonly name: 'unknown' }
  | { readonly name: 'pcap'; readonly little: boolean; readonly link: number; readonly ticks: number }
  | { readonly name: 'pcapng'; little: boolean; interfaces: Interface[] };

export class CaptureReader {
  /** Why the rest of the file cannot be read. */
  problem: string | undefined;
  #format: Format = { name: 'unknown' };
  #pending = new Uint8Array(0);

  /** Takes the next octets of the file. */
  *push(chunk: Uint8Array): Generator<Frame> {
    if (this.problem !== undefined) return;
    const bytes = this.#pending.length === 0 ? chunk : join(this.#pending, chunk);
    let at = 0;
    for (;;) {
      const taken = this.#take(bytes, at);
      if (taken === undefined) break;
      at += taken.octets;
      if (taken.frame !== undefined) yield taken.frame;
    }
    this.#pending = bytes.slice(at);
  }

  /** The file has ended. */
  end(): void {
    if (this.#pending.length > 0) this.problem ??= 'the file ends in the middle of a record';
  }

  /** The next record that is whole; undefined where more octets are needed, or nothing can be read any more. */
  #take(
    bytes: Uint8Array,
    at: number,
  ): { readonly octets: number; readonly frame?: Frame | undefined } | undefined {
    if (this.problem !== undefined) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
    switch (this.#format.name) {
      case 'unknown':
        return this.#takeStart(view);
      case 'pcap':
        return this.#takeRecord(view, bytes, at, this.#format);
      case 'pcapng':
        return this.#takeBlock(view, bytes, at, this.#format);
    }
  }

  #takeStart(view: DataView): { octets: number } | undefined {
    if (view.byteLength < 4) return undefined;
    if (view.getUint32(0) === MAGIC.section) {
      this.#format = { name: 'pcapng', little: false, interfaces: [] };
      return { octets: 0 };
    }
    if (view.byteLength < 24) return undefined;
    const little = view.getUint8(0) === 0xd4 || view.getUint8(0) === 0x4d;
    const ticks = view.getUint32(0, little) === MAGIC.nanoseconds ? 1e9 : 1e6;
    // The upper bits of the link type tell of frame check sequences, which BGP has no use for.
    this.#format = { name: 'pcap', little, ticks, link: view.getUint32(20, little) & 0xffff };
    return { octets: 24 };
  }

  #takeRecord(
    view: DataView,
    bytes: Uint8Array,
    at: number,
    { little, link, ticks }: Format & { name: 'pcap' },
  ): { octets: number; frame: Frame } | undefined {
    if (view.byteLength < 16) return undefined;
    const length = view.getUint32(8, little);
    if (length > SANE) return this.#stop(`a record claims ${length} octets`);
    if (view.byteLength < 16 + length) return undefined;
    const frame = {
      link,
      time: view.getUint32(0, little) + view.getUint32(4, little) / ticks,
      bytes: bytes.subarray(at + 16, at + 16 + length),
      cut: Math.max(0, view.getUint32(12, little) - length),
    };
    return { octets: 16 + length, frame };
  }

  #takeBlock(
    view: DataView,
    bytes: Uint8Array,
    at: number,
    format: Format & { name: 'pcapng' },
  ): { octets: number; frame?: Frame | undefined } | undefined {
    if (view.byteLength < 12) return undefined;
    const section = view.getUint32(0) === MAGIC.section;
    if (section) format.little = view.getUint32(8) !== BYTE_ORDER;
    const { little } = format;
    const length = view.getUint32(4, little);
    if (length < 12 || length % 4 !== 0 || length > SANE)
      return this.#stop(`a block claims ${length} octets`);
    if (view.byteLength < length) return undefined;
    if (section) {
      format.interfaces = [];
      return { octets: length };
    }
    const body = new DataView(view.buffer, view.byteOffset + 8, length - 12);
    const data = bytes.subarray(at + 8, at + length - 4);
    switch (view.getUint32(0, little)) {
      case BLOCK.interface:
        if (body.byteLength >= 8) format.interfaces.push(interfaceOf(body, little));
        return { octets: length };
      case BLOCK.enhanced:
        return { octets: length, frame: enhanced(body, data, format) };
      case BLOCK.simple:
        return { octets: length, frame: simple(body, data, format) };
      case BLOCK.packet:
        return { octets: length, frame: obsolete(body, data, format) };
      default:
        return { octets: length };
    }
  }

  #stop(problem: string): undefined {
    this.problem = problem;
    return undefined;
  }
}

/** Option 9, if_tsresol: a power of ten, or of two with the top bit set. */
function interfaceOf(body: DataView, little: boolean): Interface {
  const link = body.getUint16(0, little);
  let ticksPerSecond = 1e6;
  for (let at = 8; at + 4 <= body.byteLength; ) {
    const code = body.getUint16(at, little);
    const length = body.getUint16(at + 2, little);
    if (code === 0) break;
    if (code === 9 && length === 1 && at + 4 < body.byteLength) {
      const resolution = body.getUint8(at + 4);
      ticksPerSecond = (resolution & 0x80) === 0 ? 10 ** resolution : 2 ** (resolution & 0x7f);
    }
    at += 4 + ((length + 3) & ~3);
  }
  return { link, ticksPerSecond };
}

type Pcapng = Extract<Format, { name: 'pcapng' }>;

function enhanced(body: DataView, data: Uint8Array, { little, interfaces }: Pcapng): Frame | undefined {
  if (body.byteLength < 20) return undefined;
  return packet(
    interfaces[body.getUint32(0, little)],
    body.getUint32(4, little) * 2 ** 32 + body.getUint32(8, little),
    data.subarray(20),
    body.getUint32(12, little),
    body.getUint32(16, little),
  );
}

/** As {@link enhanced}, with a 2-octet interface and a count of drops. */
function obsolete(body: DataView, data: Uint8Array, { little, interfaces }: Pcapng): Frame | undefined {
  if (body.byteLength < 20) return undefined;
  return packet(
    interfaces[body.getUint16(0, little)],
    body.getUint32(4, little) * 2 ** 32 + body.getUint32(8, little),
    data.subarray(20),
    body.getUint32(12, little),
    body.getUint32(16, little),
  );
}

function simple(body: DataView, data: Uint8Array, { little, interfaces }: Pcapng): Frame | undefined {
  if (body.byteLength < 4) return undefined;
  const original = body.getUint32(0, little);
  return packet(interfaces[0], undefined, data.subarray(4), Math.min(original, data.length - 4), original);
}

function packet(
  from: Interface | undefined,
  ticks: number | undefined,
  data: Uint8Array,
  captured: number,
  original: number,
): Frame | undefined {
  if (from === undefined || captured > data.length) return undefined;
  const time = ticks === undefined ? undefined : ticks / from.ticksPerSecond;
  return { link: from.link, time, bytes: data.subarray(0, captured), cut: Math.max(0, original - captured) };
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
