/** For tests: frames and capture files made octet by octet, as tcpdump writes them. */
import { Address, Prefix } from '../../net/addr/index.ts';
import {
  encodeOpen,
  encodeUpdates,
  type Capability,
  type Negotiated,
  type UpdateMessage,
} from '../wire/index.ts';
import { Writer } from '../wire/writer.ts';

export interface Packet {
  /** `10.0.0.1`, or an IPv6 address. */
  readonly from: string;
  readonly fromPort: number;
  readonly to: string;
  readonly toPort: number;
  readonly sequence: number;
  readonly syn?: boolean;
  readonly payload?: Uint8Array;
}

/** An IP packet with a TCP segment in it. Checksums are 0: nobody who reads a capture may mind. */
export function ipPacket(packet: Packet): Uint8Array {
  const { from, to, fromPort, toPort, sequence, syn = false, payload = new Uint8Array(0) } = packet;
  const source = Address.parse(from) as Address;
  const destination = Address.parse(to) as Address;
  const w = new Writer(64);
  if (source.version === 4) {
    w.u8(0x45)
      .u8(0)
      .u16(40 + payload.length)
      .u32(0)
      .u8(64)
      .u8(6)
      .u16(0);
  } else {
    // A destination options header, so that the walk over extension headers is walked.
    w.u32(0x6000_0000)
      .u16(28 + payload.length)
      .u8(60)
      .u8(64);
  }
  w.put(source.toBytes()).put(destination.toBytes());
  if (source.version === 6) w.u8(6).u8(0).u8(1).u8(4).u32(0);
  w.u16(fromPort)
    .u16(toPort)
    .u32(sequence >>> 0)
    .u32(0)
    .u8(0x50)
    .u8(syn ? 2 : 0x10)
    .u16(65535)
    .u32(0);
  return w.put(payload).finish();
}

export type Link = 'ethernet' | 'vlan' | 'sll' | 'sll2' | 'raw' | 'null';

export const LINKTYPE: Readonly<Record<Link, number>> = {
  ethernet: 1,
  vlan: 1,
  sll: 113,
  sll2: 276,
  raw: 101,
  null: 0,
};

export function frame(link: Link, packet: Uint8Array): Uint8Array {
  const type = (packet[0] ?? 0) >>> 4 === 4 ? 0x0800 : 0x86dd;
  const w = new Writer(packet.length + 24);
  switch (link) {
    case 'ethernet':
      w.put(new Uint8Array(12)).u16(type);
      break;
    case 'vlan':
      w.put(new Uint8Array(12)).u16(0x88a8).u16(7).u16(0x8100).u16(9).u16(type);
      break;
    case 'sll':
      w.put(new Uint8Array(14)).u16(type);
      break;
    case 'sll2':
      w.u16(type).put(new Uint8Array(18));
      break;
    case 'null':
      w.u32(2);
      break;
    case 'raw':
  }
  w.put(packet);
  // Ethernet pads short frames; that is no payload.
  if (w.length < 60 && (link === 'ethernet' || link === 'vlan')) w.put(new Uint8Array(60 - w.length));
  return w.finish();
}

class Octets {
  readonly #parts: Uint8Array[] = [];
  readonly #little: boolean;

  constructor(little: boolean) {
    this.#little = little;
  }

  u32(value: number): this {
    const part = new Uint8Array(4);
    new DataView(part.buffer).setUint32(0, value >>> 0, this.#little);
    return this.put(part);
  }

  u16(value: number): this {
    const part = new Uint8Array(2);
    new DataView(part.buffer).setUint16(0, value, this.#little);
    return this.put(part);
  }

  put(part: Uint8Array): this {
    this.#parts.push(part);
    return this;
  }

  finish(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }
}

export interface FileOptions {
  readonly little?: boolean;
  readonly nanoseconds?: boolean;
}

/** Frames a second apart, from 2026-01-01 on. */
const START = 1_767_225_600;

export function pcap(link: Link, frames: readonly Uint8Array[], options: FileOptions = {}): Uint8Array {
  const { little = true, nanoseconds = false } = options;
  const file = new Octets(little);
  file
    .u32(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4)
    .u16(2)
    .u16(4)
    .u32(0)
    .u32(0)
    .u32(262_144)
    .u32(LINKTYPE[link]);
  frames.forEach((bytes, i) =>
    file
      .u32(START + i)
      .u32(0)
      .u32(bytes.length)
      .u32(bytes.length)
      .put(bytes),
  );
  return file.finish();
}

export function pcapng(
  link: Link,
  frames: readonly Uint8Array[],
  { little = true }: FileOptions = {},
): Uint8Array {
  const file = new Octets(little);
  const block = (type: number, body: Uint8Array): void => {
    const padding = new Uint8Array((4 - (body.length % 4)) % 4);
    const length = 12 + body.length + padding.length;
    file.u32(type).u32(length).put(body).put(padding).u32(length);
  };
  const body = (): Octets => new Octets(little);
  block(0x0a0d0d0a, body().u32(0x1a2b3c4d).u16(1).u16(0).u32(0xffffffff).u32(0xffffffff).finish());
  // A name (option 2) before the resolution (option 9): nanoseconds.
  const options = body()
    .u16(2)
    .u16(3)
    .put(Uint8Array.of(108, 111, 0, 0))
    .u16(9)
    .u16(1)
    .put(Uint8Array.of(9, 0, 0, 0))
    .u32(0);
  block(1, body().u16(LINKTYPE[link]).u16(0).u32(0).put(options.finish()).finish());
  block(0x0bad, new Uint8Array(5));
  frames.forEach((bytes, i) => {
    const ticks = BigInt(START + i) * 1_000_000_000n;
    block(
      6,
      body()
        .u32(0)
        .u32(Number(ticks >> 32n))
        .u32(Number(ticks & 0xffffffffn))
        .u32(bytes.length)
        .u32(bytes.length)
        .put(bytes)
        .finish(),
    );
  });
  return file.finish();
}

export function update(
  prefix: string,
  asns: readonly number[],
  session: Partial<Negotiated> = {},
): Uint8Array {
  const message: UpdateMessage = {
    type: 'update',
    unreach: [],
    reach: [
      {
        family: 'ipv4-unicast',
        nextHop: { address: Address.parse('10.0.0.1') as Address },
        nlri: [
          {
            prefix: Prefix.parse(prefix) as Prefix,
            ...(session.addPathSend === undefined ? {} : { pathId: 7 }),
          },
        ],
      },
    ],
    attributes: { origin: 'IGP', asPath: [{ type: 'sequence', asns }], communities: [0xffffff01] },
  };
  return encodeUpdates(message, { ...SESSION, ...session })[0] as Uint8Array;
}

const SESSION: Negotiated = {
  peerAsn: 65001,
  peerRouterId: 1,
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

export function open(asn: number, more: readonly Capability[] = []): Uint8Array {
  return encodeOpen({
    version: 4,
    asn,
    holdSeconds: 90,
    routerId: 0x0a000001,
    capabilities: [{ code: 1, afi: 1, safi: 1 }, ...more],
  });
}
