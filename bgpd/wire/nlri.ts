/** The NLRI encoding of RFC 4271 §4.3, with path identifiers where negotiated (RFC 7911 §3). Hot. */
import { Address, Prefix } from '../../net/addr/index.ts';
import type { Reader } from './reader.ts';
import { FAMILIES, type Family, type Nlri } from './types.ts';
import type { Writer } from './writer.ts';

/** What makes a field of NLRI unreadable: nothing behind it can be located (RFC 7606 §5.3). */
export interface NlriError {
  readonly what: string;
  readonly offset: number;
}

/** Reads to the reader's end, appending. Bits beyond a prefix's length are cleared (RFC 4271 §4.3). */
export function decodeNlri(r: Reader, family: Family, addPath: boolean, into: Nlri[]): NlriError | undefined {
  const { version } = FAMILIES[family];
  const bits = version === 4 ? 32 : 128;
  while (r.remaining > 0) {
    const offset = r.at;
    const pathId = addPath ? r.u32() : 0;
    const length = r.u8();
    if (length > bits) return { what: `prefix length ${length} is over ${bits}`, offset };
    const address = version === 4 ? v4(r, (length + 7) >>> 3) : v6(r, (length + 7) >>> 3);
    if (r.overrun) return { what: `prefix of length ${length} runs past its field`, offset };
    const prefix = Prefix.of(address, length);
    into.push(addPath ? { prefix, pathId } : { prefix });
  }
  return undefined;
}

function v4(r: Reader, octets: number): Address {
  return Address.v4(word(r, octets));
}

function v6(r: Reader, octets: number): Address {
  return Address.v6(word(r, octets), word(r, octets - 4), word(r, octets - 8), word(r, octets - 12));
}

/** The next four octets, of which only the first `octets` are on the wire and the rest are 0. */
function word(r: Reader, octets: number): number {
  if (octets >= 4) return r.u32();
  let value = 0;
  for (let i = 0; i < octets; i++) value |= r.u8() << (24 - 8 * i);
  return value;
}

export function nlriLength(nlri: Nlri, addPath: boolean): number {
  return (addPath ? 5 : 1) + ((nlri.prefix.length + 7) >>> 3);
}

export function encodeNlri(w: Writer, nlri: Nlri, addPath: boolean): void {
  const { prefix } = nlri;
  if (addPath) w.u32(nlri.pathId ?? 0);
  w.u8(prefix.length);
  const octets = (prefix.length + 7) >>> 3;
  putWord(w, prefix.w0, octets);
  putWord(w, prefix.w1, octets - 4);
  putWord(w, prefix.w2, octets - 8);
  putWord(w, prefix.w3, octets - 12);
}

function putWord(w: Writer, value: number, octets: number): void {
  if (octets >= 4) w.u32(value);
  else for (let i = 0; i < octets; i++) w.u8(value >>> (24 - 8 * i));
}
