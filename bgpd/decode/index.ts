/**
 * BGP messages out of hexadecimal text, captures or plain octets, each as one plain object for JSON. Needs no speaker:
 * `poplin bgp decode` is a thin shell around it.
 */
import { hex } from '../wire/format.ts';
import { CaptureReader, type Frame } from './capture.ts';
import { MessageStream, type Cut } from './messages.ts';
import { plainMessage, type Plain } from './plain.ts';
import { TcpStream } from './reassembly.ts';
import { knowsLink, segmentOf, type Segment } from './segment.ts';
import { SessionKnowledge, type DecodeOptions, type Direction } from './session.ts';

export { isCapture } from './capture.ts';
export type { Plain } from './plain.ts';
export type { DecodeOptions } from './session.ts';

const BGP_PORT = 179;

/** What one found piece of a stream is told as; `place` says where it comes from. */
function tell(cut: Cut, knowledge: SessionKnowledge, direction: Direction, place: Plain): Plain {
  switch (cut.type) {
    case 'message': {
      const { session, assumed } = knowledge.assume(direction, cut.bytes);
      const { plain, open } = plainMessage(cut.bytes, session, (version) =>
        knowledge.multipleLabels(version),
      );
      if (open !== undefined) knowledge.learn(direction, open);
      const guesses = plain['type'] === 'update' && Object.keys(assumed).length > 0 ? { assumed } : {};
      return { ...place, at: cut.offset, length: cut.bytes.length, ...plain, ...guesses };
    }
    case 'bad-header':
      return {
        ...place,
        at: cut.offset,
        ...plainMessage(cut.bytes, knowledge.assume(direction, cut.bytes).session).plain,
        octets: hex(cut.bytes),
      };
    case 'skipped':
    case 'gap':
    case 'incomplete': {
      const { type, offset, ...rest } = cut;
      return { ...place, at: offset, type, ...rest };
    }
  }
}

/**
 * Lines of hexadecimal octets; white space, colons, `0x` and what stands behind `#` do not count. A line holds whole
 * messages; what its OPENs settle holds for the lines below.
 */
export class HexDecoder {
  readonly #knowledge: SessionKnowledge;
  #line = 0;

  constructor(options: DecodeOptions = {}) {
    this.#knowledge = new SessionKnowledge(options);
  }

  *line(text: string): Generator<Plain> {
    const line = ++this.#line;
    const digits = text.replace(/#.*/s, '').replaceAll(/0x|[\s:,]/gi, '');
    if (digits === '') return;
    if (digits.length % 2 !== 0 || !/^[0-9a-f]+$/i.test(digits)) {
      const bad = digits.search(/[^0-9a-f]/i);
      const what =
        bad < 0 ? 'an odd number of digits' : `${JSON.stringify(digits[bad])} is no hexadecimal digit`;
      yield { line, type: 'unreadable', error: { what } };
      return;
    }
    const bytes = Uint8Array.from(digits.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
    const stream = new MessageStream(true);
    for (const cut of [...stream.push({ type: 'octets', bytes }), ...stream.end()])
      yield tell(cut, this.#knowledge, 'either', { line });
  }
}

/** One side's octets, as they were on the TCP connection. */
export class OctetDecoder {
  readonly #knowledge: SessionKnowledge;
  readonly #stream = new MessageStream(true);

  constructor(options: DecodeOptions = {}) {
    this.#knowledge = new SessionKnowledge(options);
  }

  *push(bytes: Uint8Array): Generator<Plain> {
    for (const cut of this.#stream.push({ type: 'octets', bytes }))
      yield tell(cut, this.#knowledge, 'either', {});
  }

  *end(): Generator<Plain> {
    for (const cut of this.#stream.end()) yield tell(cut, this.#knowledge, 'either', {});
  }
}

interface Half {
  readonly direction: 0 | 1;
  readonly from: string;
  readonly to: string;
  readonly stream: TcpStream;
  readonly messages: MessageStream;
}

interface Conversation {
  readonly knowledge: SessionKnowledge;
  readonly halves: readonly [Half, Half];
}

/** Connections followed at once; a capture of a port scan has more, and none of those carries BGP. */
const CONVERSATIONS = 10_000;

export interface CaptureOptions extends DecodeOptions {
  /** Ports of BGP beside 179. Without them a connection counts, too, when its first octets are a marker. */
  readonly ports?: readonly number[];
}

/** A pcap or pcapng file, octets as they come. */
export class CaptureDecoder {
  readonly #options: CaptureOptions;
  readonly #ports: ReadonlySet<number>;
  readonly #reader = new CaptureReader();
  readonly #conversations = new Map<string, Conversation>();
  readonly #links = new Set<number>();

  constructor(options: CaptureOptions = {}) {
    this.#options = options;
    this.#ports = new Set([BGP_PORT, ...(options.ports ?? [])]);
  }

  *push(chunk: Uint8Array): Generator<Plain> {
    for (const frame of this.#reader.push(chunk)) yield* this.#frame(frame);
  }

  *end(): Generator<Plain> {
    this.#reader.end();
    for (const { knowledge, halves } of this.#conversations.values()) {
      for (const half of halves) yield* this.#finish(half, knowledge);
    }
    const { problem } = this.#reader;
    if (problem !== undefined) yield { type: 'unreadable', error: { what: problem } };
  }

  *#frame(frame: Frame): Generator<Plain> {
    if (!knowsLink(frame.link)) {
      if (this.#links.has(frame.link)) return;
      this.#links.add(frame.link);
      yield { type: 'unreadable', error: { what: `frames of link type ${frame.link} cannot be read` } };
      return;
    }
    const segment = segmentOf(frame);
    if (segment === undefined) return;
    const conversation = this.#conversationOf(segment);
    if (conversation === undefined) return;
    const { knowledge, halves } = conversation;
    const half = halves[halves[0].from === endOf(segment.source, segment.sourcePort) ? 0 : 1];
    const place = placeOf(half, frame.time);
    for (const piece of half.stream.push(segment)) {
      if (piece.type === 'start') knowledge.forget(half.direction);
      for (const cut of half.messages.push(piece)) yield tell(cut, knowledge, half.direction, place);
    }
  }

  *#finish(half: Half, knowledge: SessionKnowledge): Generator<Plain> {
    const place = placeOf(half, undefined);
    for (const piece of half.stream.end())
      for (const cut of half.messages.push(piece)) yield tell(cut, knowledge, half.direction, place);
    for (const cut of half.messages.end()) yield tell(cut, knowledge, half.direction, place);
  }

  #conversationOf(segment: Segment): Conversation | undefined {
    const from = endOf(segment.source, segment.sourcePort);
    const to = endOf(segment.destination, segment.destinationPort);
    const key = from < to ? `${from} ${to}` : `${to} ${from}`;
    const known = this.#conversations.get(key);
    if (known !== undefined) return known;
    if (!this.#isBgp(segment) || this.#conversations.size >= CONVERSATIONS) return undefined;
    const created: Conversation = {
      knowledge: new SessionKnowledge(this.#options),
      halves: [halfOf(0, from, to), halfOf(1, to, from)],
    };
    this.#conversations.set(key, created);
    return created;
  }

  #isBgp({ sourcePort, destinationPort, payload }: Segment): boolean {
    if (this.#ports.has(sourcePort) || this.#ports.has(destinationPort)) return true;
    return payload.length >= 19 && payload.subarray(0, 16).every((octet) => octet === 0xff);
  }
}

function halfOf(direction: 0 | 1, from: string, to: string): Half {
  return { direction, from, to, stream: new TcpStream(), messages: new MessageStream(false) };
}

function endOf(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function placeOf({ from, to }: Half, time: number | undefined): Plain {
  const stamp = time === undefined ? undefined : new Date(time * 1000);
  return {
    ...(stamp === undefined || Number.isNaN(stamp.getTime()) ? {} : { time: stamp.toISOString() }),
    from,
    to,
  };
}
