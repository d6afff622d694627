/**
 * Members of sets between their text, as the ipset tool has it, and the attributes that the kernel takes. Pure.
 *
 * Known are the dimensions `ip`, `net` and `port` in any order that a type's name gives them: `hash:ip`, `hash:net`,
 * `hash:ip,port`, `hash:net,net`, `hash:net,port`, `bitmap:port` and so on. An entry's own options are not.
 */
import { Address, Prefix } from '../../../addr/index.ts';
import { eachAttribute, type MessageWriter, NLA_F_NET_BYTEORDER } from '../message.ts';

/** IPSET_ATTR_* inside IPSET_ATTR_DATA, from linux/netfilter/ipset/ip_set.h. */
export const DATA = {
  ip: 1,
  ipTo: 2,
  cidr: 3,
  port: 4,
  portTo: 5,
  timeout: 6,
  protocol: 7,
  flags: 8,
  line: 9,
  maxElements: 19,
  ip2: 20,
  cidr2: 21,
} as const;

const IPADDR_V4 = 1;
const IPADDR_V6 = 2;

export type Dimension = 'ip' | 'net' | 'port';

/** `['net', 'port']` for `hash:net,port`; undefined for a type with dimensions that are not known here. */
export function dimensionsOf(type: string): readonly Dimension[] | undefined {
  const words = type.slice(type.indexOf(':') + 1).split(',');
  const known = words.filter((word) => word === 'ip' || word === 'net' || word === 'port');
  return known.length === words.length ? known : undefined;
}

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['tcp', 6],
  ['udp', 17],
  ['sctp', 132],
  ['udplite', 136],
]);
const PROTOCOL_NAMES = new Map([...PROTOCOLS].map(([name, number]) => [number, name]));

/**
 * Writes the attributes of one member.
 *
 * @throws RangeError on text that is no member of a set with these dimensions
 */
export function writeMember(w: MessageWriter, dimensions: readonly Dimension[], member: string): void {
  const words = dimensions.length === 1 ? [member] : member.split(',');
  if (words.length !== dimensions.length)
    throw new RangeError(`not a member of ${dimensions.length} parts: ${JSON.stringify(member)}`);
  let addresses = 0;
  for (const [index, dimension] of dimensions.entries()) {
    const word = words[index] ?? '';
    if (dimension === 'port') writePort(w, word);
    else writeAddress(w, word, addresses++ === 0 ? [DATA.ip, DATA.cidr] : [DATA.ip2, DATA.cidr2]);
  }
}

function writeAddress(w: MessageWriter, text: string, [ip, cidr]: readonly [number, number]): void {
  const slash = text.indexOf('/');
  const address = Address.parse(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) throw new RangeError(`no address or prefix: ${JSON.stringify(text)}`);
  const nested = w.openNested(ip);
  // Network order is said in the type.
  w.attributeAddress((address.version === 4 ? IPADDR_V4 : IPADDR_V6) | NLA_F_NET_BYTEORDER, address);
  w.closeAttribute(nested);
  if (slash < 0) return;
  const length = Number(text.slice(slash + 1));
  if (!Number.isInteger(length) || length < 0 || length > address.bits)
    throw new RangeError(`no prefix: ${JSON.stringify(text)}`);
  w.attributeU8(cidr, length);
}

/** `tcp:80`; in a `bitmap:port` the number alone. */
function writePort(w: MessageWriter, text: string): void {
  const colon = text.indexOf(':');
  const port = Number(text.slice(colon + 1));
  if (!(Number.isInteger(port) && port >= 0 && port <= 0xffff) || text === '')
    throw new RangeError(`no port: ${JSON.stringify(text)}`);
  w.attributeBE16(DATA.port, port, true);
  if (colon < 0) return;
  const name = text.slice(0, colon);
  const protocol = PROTOCOLS.get(name) ?? Number(name);
  if (!(Number.isInteger(protocol) && protocol > 0 && protocol < 256))
    throw new RangeError(`no protocol: ${JSON.stringify(text)}`);
  w.attributeU8(DATA.protocol, protocol);
}

interface Parts {
  readonly addresses: (Address | undefined)[];
  readonly lengths: (number | undefined)[];
  port: number | undefined;
  protocol: number | undefined;
  plain: boolean;
}

/**
 * Reads the attributes of one member into the text that the tool would print.
 *
 * @returns undefined for an entry with more than its dimensions say (nomatch, a timeout, a range)
 */
export function readMember(
  bytes: Buffer,
  start: number,
  end: number,
  dimensions: readonly Dimension[],
): string | undefined {
  const parts: Parts = { addresses: [], lengths: [], port: undefined, protocol: undefined, plain: true };
  eachAttribute(bytes, start, end, (type, from, to) => readPart(parts, bytes, type, from, to));
  if (!parts.plain) return undefined;
  const words: string[] = [];
  let next = 0;
  for (const dimension of dimensions) {
    if (dimension === 'port') {
      if (parts.port === undefined) return undefined;
      const protocol =
        parts.protocol === undefined ? '' : `${PROTOCOL_NAMES.get(parts.protocol) ?? parts.protocol}:`;
      words.push(`${protocol}${parts.port}`);
      continue;
    }
    const [address, length] = [parts.addresses[next], parts.lengths[next]];
    next++;
    if (address === undefined) return undefined;
    const whole = length === undefined || length === address.bits;
    words.push(whole ? address.toString() : Prefix.of(address, length).toString());
  }
  return words.join(',');
}

function readPart(parts: Parts, bytes: Buffer, type: number, start: number, end: number): void {
  switch (type) {
    case DATA.ip:
    case DATA.ip2:
      eachAttribute(bytes, start, end, (_, from, to) => {
        parts.addresses[type === DATA.ip ? 0 : 1] = Address.fromBytes(bytes.subarray(from, to));
      });
      return;
    case DATA.cidr:
    case DATA.cidr2:
      parts.lengths[type === DATA.cidr ? 0 : 1] = bytes.readUInt8(start);
      return;
    case DATA.port:
      parts.port = bytes.readUInt16BE(start);
      return;
    case DATA.protocol:
      parts.protocol = bytes.readUInt8(start);
      return;
    case DATA.flags:
      // The kernel sends flags that say nothing as 0.
      if (bytes.readUInt32BE(start) !== 0) parts.plain = false;
      return;
    case DATA.line:
      return;
    default:
      parts.plain = false;
  }
}
