/** Messages of tests, written as hexadecimal text with any spacing. */
import type { Negotiated } from '../types.ts';

export function octets(text: string): Uint8Array {
  const digits = text.replaceAll(/[^0-9a-f]/gi, '');
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

export function text(bytes: Uint8Array): string {
  return [...bytes].map((octet) => octet.toString(16).padStart(2, '0')).join(' ');
}

/** A whole message around a body. */
export function framed(type: number, body: Uint8Array | string): Uint8Array {
  const content = typeof body === 'string' ? octets(body) : body;
  const length = 19 + content.length;
  return Uint8Array.of(...Array.from({ length: 16 }, () => 255), length >> 8, length & 255, type, ...content);
}

/** An UPDATE from its three fields, with the right lengths. */
export function update(fields: { withdrawn?: string; attributes?: string; nlri?: string }): Uint8Array {
  const { withdrawn = '', attributes = '', nlri = '' } = fields;
  return framed(2, Uint8Array.of(...sized(octets(withdrawn)), ...sized(octets(attributes)), ...octets(nlri)));
}

/** After its length in 2 octets. */
function sized(field: Uint8Array): number[] {
  return [field.length >> 8, field.length & 255, ...field];
}

export const EXTERNAL: Negotiated = {
  peerAsn: 65001,
  peerRouterId: 0x0a00_0002,
  internal: false,
  holdSeconds: 90,
  keepaliveSeconds: 30,
  families: ['ipv4-unicast', 'ipv6-unicast'],
  fourOctetAs: true,
  extendedMessages: false,
  routeRefresh: true,
  enhancedRefresh: false,
  addPathReceive: [],
  addPathSend: [],
};

export const INTERNAL: Negotiated = { ...EXTERNAL, internal: true, peerAsn: 65101 };
