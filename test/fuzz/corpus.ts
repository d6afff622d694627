/**
 * The corpus: messages that have hurt BGP speakers, in `corpus/*.yaml`, each with what the RFCs make of it. How a row is
 * written is told at the top of `corpus/README.md`.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { HOSTILE, type Kind } from './arena.ts';
import { framed, joined, u16, u32 } from './draft.ts';
import { hex } from './oracle/update.ts';

const kind = z.enum(['external', 'internal', 'old']);

const message = z.union([
  z.strictObject({ raw: z.string() }),
  z.strictObject({ open: z.string() }),
  z.strictObject({ notification: z.string() }),
  z.strictObject({ refresh: z.string() }),
  z.strictObject({
    withdrawn: z.string().optional(),
    attributes: z.string().optional(),
    nlri: z.string().optional(),
    withdrawnLength: z.number().int().optional(),
    attributesLength: z.number().int().optional(),
  }),
]);

const row = z.strictObject({
  it: z.string(),
  /** Where in the life of the session it is sent. Default: Established, with {@link STANDING} announced. */
  at: z.enum(['OpenSent', 'OpenConfirm', 'Established']).default('Established'),
  /** Default: external and internal. */
  peers: z.array(kind).default(['external', 'internal']),
  sends: z.union([message, z.array(message)]),
  /** `accept`, `discard`, `withdraw`, `reset 3/1`, or `close` for what ends the session without an answer. */
  wants: z.string().regex(/^(?:accept|discard|withdraw|close|OpenConfirm|reset \d+\/\d+(?: or \d+\/\d+)*)$/),
  /** Routes held afterwards, where that is not {@link STANDING} (accept, discard) or nothing. */
  holds: z.array(z.string()).optional(),
  source: z.string(),
  /** Whom it has hurt. */
  seen: z.string().optional(),
});

export type Row = z.infer<typeof row>;
type MessageText = z.infer<typeof message>;

/** Announced before the row's own messages, which mostly say it again. */
export const STANDING = '198.18.0.0/24';

const FOLDER = join(import.meta.dirname, 'corpus');

export function readCorpus(): ReadonlyMap<string, readonly Row[]> {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
  return new Map(
    files.map((name) => [name, z.array(row).parse(parse(readFileSync(join(FOLDER, name), 'utf8')))]),
  );
}

/** The row's messages as such a peer sends them. */
export function messagesOf({ sends }: Row, peer: Kind): Uint8Array[] {
  return (Array.isArray(sends) ? sends : [sends]).map((text) => octetsOf(text, peer));
}

export function standing(peer: Kind): Uint8Array {
  return octetsOf({ attributes: '$SOUND', nlri: '$NLRI' }, peer);
}

function octetsOf(text: MessageText, peer: Kind): Uint8Array {
  const read = (part: string): Uint8Array => octets(part, peer);
  if ('raw' in text) return read(text.raw);
  if ('open' in text) return framed(1, read(text.open));
  if ('notification' in text) return framed(3, read(text.notification));
  if ('refresh' in text) return framed(5, read(text.refresh));
  const withdrawn = read(text.withdrawn ?? '');
  const attributes = read(text.attributes ?? '');
  return framed(
    2,
    joined([
      u16(text.withdrawnLength ?? withdrawn.length),
      withdrawn,
      u16(text.attributesLength ?? attributes.length),
      attributes,
      read(text.nlri ?? ''),
    ]),
  );
}

/** Hexadecimal digits with any spacing, `$NAME` for a part that depends on the peer, `(..)*n` for repetition. */
export function octets(text: string, peer: Kind): Uint8Array {
  let plain = text;
  for (const [name, value] of Object.entries(names(peer))) plain = plain.replaceAll(name, value);
  for (let at = /\(([^()]*)\)\*(\d+)/.exec(plain); at !== null; at = /\(([^()]*)\)\*(\d+)/.exec(plain))
    plain = plain.replace(at[0], (at[1] ?? '').repeat(Number(at[2])));
  const digits = plain.replaceAll(/\s/g, '');
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hexadecimal: ${text}`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

/** Longer names first where one begins with another. */
function names(peer: Kind): Readonly<Record<string, string>> {
  const { asn } = HOSTILE[peer];
  const number = hex(peer === 'old' ? u16(asn) : u32(asn));
  const path = peer === 'old' ? `40 02 04 02 01 ${number}` : `40 02 06 02 01 ${number}`;
  const preference = peer === 'internal' ? '40 05 04 00000064' : '';
  const first = `40 01 01 00 ${path} ${preference}`;
  return {
    $MARKER: 'ff'.repeat(16),
    // Version, AS, hold time, identifier: what an OPEN has before its parameters.
    $FIXED: `04 ${hex(u16(asn))} 005a 0a000901`,
    $ASN4: hex(u32(asn)),
    $SHORT: hex(u16(asn)),
    $ASN: number,
    $ORIGIN: '40 01 01 00',
    $AS_PATH: path,
    $NEXT_HOP: '40 03 04 0a000901',
    // LOCAL_PREF on iBGP, nothing elsewhere.
    $LOCAL_PREF: preference,
    // All that must be beside the NLRI field; beside MP_REACH_NLRI.
    $SOUND: `${first} 40 03 04 0a000901`,
    $MP_SOUND: first,
    $MP_REACH: '80 0e 1b 0002 01 10 20010db8000900000000000000000001 00 28 20010db8ff',
    $NLRI: '18 c61200',
  };
}
