/** bgp decode: octets from files or standard input, one JSON object per message. */
import { createReadStream } from 'node:fs';
import { PoplinError } from '../../api/problem.ts';
import {
  CaptureDecoder,
  HexDecoder,
  OctetDecoder,
  isCapture,
  type CaptureOptions,
  type Plain,
} from '../../bgpd/decode/index.ts';
import { familyOf, type Family } from '../../bgpd/wire/types.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import type { bgpDecodeTable } from '../tables/bgp.ts';
import type { Terminal } from '../terminal.ts';

/** Octets of output that are gathered before they are written. */
const GATHER = 64 * 1024;

export const bgpDecode: Action<Arguments<typeof bgpDecodeTable>> = async (args, terminal) => {
  const options = optionsOf(args);
  let failed = false;
  const inputs = args.files.length === 0 ? [terminal.octets()] : args.files.map(readFile);
  for (const input of inputs) {
    const more = await decodeAll(input, options, terminal, () => void (failed = true));
    if (!more) break;
  }
  return failed ? EXIT.failure : EXIT.ok;
};

/** @returns false when nobody reads what is written */
async function decodeAll(
  input: AsyncIterable<Uint8Array>,
  options: CaptureOptions,
  terminal: Terminal,
  unreadable: () => void,
): Promise<boolean> {
  let text = '';
  const write = async (found: Iterable<Plain>): Promise<boolean> => {
    for (const plain of found) {
      if (plain['type'] === 'unreadable') unreadable();
      text += `${JSON.stringify(plain, bigintsAsText)}\n`;
      if (text.length < GATHER) continue;
      terminal.out(text);
      text = '';
      if (!(await terminal.flushed())) return false;
    }
    return true;
  };
  const finish = (): boolean => {
    terminal.out(text);
    return true;
  };
  let decoder: Decoder | undefined;
  let head: Uint8Array = new Uint8Array(0);
  for await (const chunk of input) {
    if (decoder === undefined) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      if (head.length < 4) continue;
      decoder = decoderFor(head, options);
      if (!(await write(decoder.push(head)))) return false;
    } else if (!(await write(decoder.push(chunk)))) return false;
    // Whoever pipes a running capture in wants to see what there is.
    terminal.out(text);
    text = '';
  }
  if (decoder === undefined) {
    decoder = decoderFor(head, options);
    if (!(await write(decoder.push(head)))) return false;
  }
  return (await write(decoder.end())) && finish();
}

interface Decoder {
  push(chunk: Uint8Array): Iterable<Plain>;
  end(): Iterable<Plain>;
}

function decoderFor(head: Uint8Array, options: CaptureOptions): Decoder {
  if (isCapture(head)) return new CaptureDecoder(options);
  return head.length >= 4 && head.subarray(0, 4).every((octet) => octet === 0xff)
    ? new OctetDecoder(options)
    : new Lines(options);
}

/** Text that comes in pieces, as lines. */
class Lines implements Decoder {
  readonly #decoder: HexDecoder;
  readonly #text = new TextDecoder();
  #rest = '';

  constructor(options: CaptureOptions) {
    this.#decoder = new HexDecoder(options);
  }

  *push(chunk: Uint8Array): Generator<Plain> {
    const lines = (this.#rest + this.#text.decode(chunk, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) yield* this.#decoder.line(line);
  }

  *end(): Generator<Plain> {
    yield* this.#decoder.line(this.#rest);
  }
}

function optionsOf(args: Arguments<typeof bgpDecodeTable>): CaptureOptions {
  if (args.asn2 && args.asn4) throw new UsageError('--asn2 and --asn4 contradict each other');
  return {
    asn4: args.asn4 ? true : args.asn2 ? false : undefined,
    addPath: args['add-path'].map(family),
    peer: args.peer === 'internal' || args.peer === 'external' ? args.peer : undefined,
    ports: args.port.map(port),
  };
}

/** `1/1`, or the family's name. */
function family(text: string): Family {
  if (text === 'ipv4-unicast' || text === 'ipv6-unicast') return text;
  const [afi = '', safi = ''] = text.split('/');
  const found = familyOf(Number(afi), Number(safi));
  if (found === undefined)
    throw new UsageError(`--add-path ${text}: known are 1/1 (ipv4-unicast) and 2/1 (ipv6-unicast)`);
  return found;
}

function port(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new UsageError(`--port ${text} is no port; use 1 to 65535`);
  return number;
}

async function* readFile(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw new PoplinError([
      {
        code: 'FILE_UNREADABLE',
        value: path,
        what: `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
        remedy: 'name a file that exists, or none to read standard input',
      },
    ]);
  }
}

function bigintsAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
