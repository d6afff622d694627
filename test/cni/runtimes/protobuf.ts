/** As much of the protobuf wire format as the CRI needs: varints and length-delimited fields (types 0 and 2). */

/** A field's number, and its value: text, a number, or fields again. Repeated fields are repeated. */
export type Field = readonly [number, string | number | readonly Field[]];

export function encode(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([number, value]) => {
      if (typeof value === 'number') return [varint(number << 3), varint(value)];
      const content = typeof value === 'string' ? Buffer.from(value) : encode(value);
      return [varint((number << 3) | 2), varint(content.length), content];
    }),
  );
}

export type Decoded = ReadonlyMap<number, readonly (number | Buffer)[]>;

export function decode(octets: Buffer): Decoded {
  const fields = new Map<number, (number | Buffer)[]>();
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const octet = octets.readUInt8(at++);
      value += (octet & 0x7f) * scale;
      if (octet < 0x80) return value;
    }
  };
  while (at < octets.length) {
    const key = next();
    const length = next();
    if ((key & 7) !== 0 && (key & 7) !== 2) throw new RangeError(`protobuf: wire type ${key & 7}`);
    const isText = (key & 7) === 2;
    const list = fields.get(key >>> 3) ?? [];
    list.push(isText ? octets.subarray(at, at + length) : length);
    fields.set(key >>> 3, list);
    if (isText) at += length;
  }
  return fields;
}

/** The message in a field; empty when the field is not there. */
export function inner(fields: Decoded, number: number): Decoded {
  const [value] = fields.get(number) ?? [];
  return value instanceof Buffer ? decode(value) : new Map();
}

export function text(fields: Decoded, number: number): string {
  const [value] = fields.get(number) ?? [];
  return value instanceof Buffer ? value.toString() : '';
}

function varint(value: number): Buffer {
  const octets: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...octets, rest]);
    octets.push((rest % 128) | 0x80);
  }
}
