/** Messages while they can still be changed part by part: valid to begin with, and written out as they then are. */

export interface AttributeDraft {
  flags: number;
  code: number;
  value: Uint8Array;
  /** Added to the length that is written. */
  lengthOff?: number;
}

export interface UpdateDraft {
  type: 'update';
  withdrawn: Uint8Array;
  attributes: AttributeDraft[];
  nlri: Uint8Array;
  withdrawnOff?: number;
  attributesOff?: number;
}

export interface OpenDraft {
  type: 'open';
  asn: number;
  hold: number;
  id: number;
  capabilities: { code: number; value: Uint8Array; lengthOff?: number }[];
  parameter: number;
  extended: boolean;
  lengthOff?: number;
}

export interface RawDraft {
  type: 'raw';
  code: number;
  body: Uint8Array;
}

export type Draft = UpdateDraft | OpenDraft | RawDraft;

export function written(draft: Draft): Uint8Array {
  switch (draft.type) {
    case 'raw':
      return framed(draft.code, draft.body);
    case 'update': {
      const attributes = joined(draft.attributes.map(attributeOctets));
      return framed(
        2,
        joined([
          u16(draft.withdrawn.length + (draft.withdrawnOff ?? 0)),
          draft.withdrawn,
          u16(attributes.length + (draft.attributesOff ?? 0)),
          attributes,
          draft.nlri,
        ]),
      );
    }
    case 'open':
      return framed(1, openOctets(draft));
  }
}

function attributeOctets({ flags, code, value, lengthOff = 0 }: AttributeDraft): Uint8Array {
  const length = value.length + lengthOff;
  const long = (flags & 0x10) !== 0 || length > 255;
  const head = long ? [flags | 0x10, code, (length >> 8) & 255, length & 255] : [flags, code, length & 255];
  return joined([Uint8Array.from(head), value]);
}

function openOctets({
  asn,
  hold,
  id,
  capabilities,
  parameter,
  extended,
  lengthOff = 0,
}: OpenDraft): Uint8Array {
  const values = joined(
    capabilities.map(({ code, value, lengthOff: off = 0 }) =>
      joined([Uint8Array.of(code, (value.length + off) & 255), value]),
    ),
  );
  const fixed = joined([
    Uint8Array.of(4),
    u16(asn > 0xffff ? 23_456 : asn),
    u16(hold),
    u16(id >>> 16),
    u16(id),
  ]);
  if (values.length === 0) return joined([fixed, Uint8Array.of(lengthOff & 255)]);
  if (extended || values.length > 250)
    return joined([
      fixed,
      Uint8Array.of(255, 255),
      u16(values.length + 3 + lengthOff),
      Uint8Array.of(parameter),
      u16(values.length),
      values,
    ]);
  return joined([
    fixed,
    Uint8Array.of((values.length + 2 + lengthOff) & 255, parameter, values.length),
    values,
  ]);
}

export function framed(code: number, body: Uint8Array): Uint8Array {
  return joined([new Uint8Array(16).fill(255), u16(19 + body.length), Uint8Array.of(code), body]);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of((value >> 8) & 255, value & 255);
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255);
}
