/** What makes a VXLAN device one, and its bytes (IFLA_INFO_DATA). Pure. */
import { Address } from '../../addr/index.ts';
import { eachAttribute, type MessageWriter } from './message.ts';

export interface VxlanEnd {
  /** 24 bits. */
  readonly vni: number;
  /** UDP, of the far end. */
  readonly port: number;
  /** The outer source address; its version is that of the network below. */
  readonly local: Address;
  /** Index of the interface that outer packets leave by. */
  readonly parent: number;
}

/** What the kernel says of a VXLAN device: all that cannot be changed without making it anew. */
export interface VxlanInfo {
  readonly vni: number;
  readonly port: number;
  readonly local?: Address;
  readonly parent?: number;
  readonly learning: boolean;
}

const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_LINK = 3;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_LOCAL6 = 17;
const IFLA_VXLAN_UDP_ZERO_CSUM6_TX = 19;
const IFLA_VXLAN_UDP_ZERO_CSUM6_RX = 20;

export function encodeVxlan(w: MessageWriter, { vni, port, local, parent }: VxlanEnd): void {
  w.attributeU32(IFLA_VXLAN_ID, vni);
  w.attributeU32(IFLA_VXLAN_LINK, parent);
  w.attribute(local.version === 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, local.toBytes());
  w.attribute(IFLA_VXLAN_LEARNING, Uint8Array.of(0));
  w.attribute(IFLA_VXLAN_PORT, Uint8Array.of(port >> 8, port & 0xff));
  if (local.version === 4) return;
  // The inner checksum is enough (RFC 6935), and a peer may leave the outer one out.
  w.attribute(IFLA_VXLAN_UDP_ZERO_CSUM6_TX, Uint8Array.of(1));
  w.attribute(IFLA_VXLAN_UDP_ZERO_CSUM6_RX, Uint8Array.of(1));
}

/** Reads IFLA_INFO_DATA of a VXLAN device. */
export function decodeVxlan(bytes: Buffer, start: number, end: number): VxlanInfo {
  let vni = 0;
  let port = 0;
  let local: Address | undefined;
  let parent: number | undefined;
  let learning = false;
  eachAttribute(bytes, start, end, (type, from, to) => {
    if (type === IFLA_VXLAN_ID) vni = bytes.readUInt32LE(from);
    else if (type === IFLA_VXLAN_LINK) parent = bytes.readUInt32LE(from);
    else if (type === IFLA_VXLAN_LEARNING) learning = bytes.readUInt8(from) !== 0;
    else if (type === IFLA_VXLAN_PORT) port = bytes.readUInt16BE(from);
    else if (type === IFLA_VXLAN_LOCAL || type === IFLA_VXLAN_LOCAL6)
      local = Address.fromBytes(bytes.subarray(from, to));
  });
  return {
    vni,
    port,
    learning,
    ...(local === undefined ? {} : { local }),
    ...(parent === undefined ? {} : { parent }),
  };
}
