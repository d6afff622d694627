/** Members of address sets as elements of nf_tables. Pure. */
import { Address, Prefix, type IpVersion } from '../../../net/addr/index.ts';
import type { NftElement, NftSet } from '../../../net/kernel/index.ts';
import type { Member } from '../../calc/model.ts';
import { protocolNumber } from '../iptables/meaning.ts';

/** What a set holds: (address, protocol, port), addresses alone, or addresses and prefixes. */
export type SetKind = 'ports' | 'hosts' | 'networks';

/**
 * Addresses alone are hashed: one more costs the kernel microseconds, whatever there is, and comes with its rule. Ranges
 * cost it the more the larger the set is (25 ms for one in 100,000 on Linux 6.18), so they are for sets that need them.
 */
export function setFor(name: string, version: IpVersion, kind: SetKind): NftSet {
  const address = version === 4 ? 'ipv4_addr' : 'ipv6_addr';
  switch (kind) {
    case 'ports':
      return { name, key: [address, 'inet_proto', 'inet_service'] };
    case 'hosts':
      return { name: `${name}-hosts`, key: [address] };
    case 'networks':
      return { name, key: [address], interval: true };
  }
}

export function elementOf(member: Member, kind: SetKind): NftElement {
  switch (kind) {
    case 'ports':
      return { key: portKey(member, member.indexOf(',')) };
    case 'hosts':
      return { key: addressKey(member) };
    case 'networks':
      return rangeOf(member);
  }
}

function addressKey(member: Member): string {
  const address = Address.parse(member);
  if (address === undefined) throw new RangeError(`no address: ${JSON.stringify(member)}`);
  return address.version === 4 ? hex32(address.w0 >>> 0) : Buffer.from(address.toBytes()).toString('hex');
}

function rangeOf(member: Member): NftElement {
  const slash = member.indexOf('/');
  const address = Address.parse(slash < 0 ? member : member.slice(0, slash));
  if (address === undefined) throw new RangeError(`no address or prefix: ${JSON.stringify(member)}`);
  const length = slash < 0 ? address.bits : Number(member.slice(slash + 1));
  if (address.version === 4) {
    // The common case, for a hundred thousand at once.
    const first = address.w0 >>> 0;
    const behind = first + 2 ** (32 - length);
    return behind > 0xffff_ffff ? { key: hex32(first) } : { key: hex32(first), end: hex32(behind) };
  }
  const prefix = Prefix.of(address, length);
  const key = Buffer.from(prefix.address.toBytes()).toString('hex');
  const behind = Buffer.from(prefix.last.toBytes());
  let at = behind.length - 1;
  while (at >= 0 && behind[at] === 0xff) behind[at--] = 0;
  if (at < 0) return { key };
  behind[at] = (behind[at] ?? 0) + 1;
  return { key, end: behind.toString('hex') };
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** Each part padded to four octets. */
function portKey(member: Member, comma: number): string {
  const address = Address.parse(member.slice(0, comma));
  const [protocol = '', port = ''] = member.slice(comma + 1).split(':');
  const number = Number(port);
  if (address === undefined || !(Number.isInteger(number) && number >= 0 && number <= 0xffff))
    throw new RangeError(`no address with a port: ${JSON.stringify(member)}`);
  const parts = Buffer.alloc(8);
  parts.writeUInt8(protocolNumber(protocol), 0);
  parts.writeUInt16BE(number, 4);
  return Buffer.from(address.toBytes()).toString('hex') + parts.toString('hex');
}

/** Equal for elements that are the same. */
export function elementText({ key, end }: NftElement): string {
  return end === undefined ? key : `${key}-${end}`;
}
