/**
 * Fields that hold addresses, prefixes, ports and AS numbers. The text is judged twice: by ip-cidr, the
 * package users know, and by our own strict {@link Prefix}; what either refuses is refused. The value kept
 * is the canonical spelling, because datastore keys are made of it.
 */
import IPCIDR from 'ip-cidr';
import { z } from 'zod';
import { Address, type IpVersion, parseInterfaceAddress, Prefix } from '../../net/addr/index.ts';
import { type Complaint, quote, read, type Reading, text } from './field.ts';

export interface CidrRules {
  readonly version?: IpVersion;
  /** An address without a length stands for its /32 or /128. */
  readonly bare?: boolean;
  readonly hostBits: 'refuse' | 'mask';
}

/** Text of a prefix; the value is its canonical form with the length written out. */
export function cidr(options: CidrRules) {
  const example = options.version === 6 ? 'fd00:10:244::/48' : '10.244.0.0/16';
  return read(text(`a prefix such as ${example}`), (text): Reading<string> => {
    const prefix = readPrefix(text, options);
    return prefix instanceof Prefix ? { value: prefix.toString() } : prefix;
  }).meta({
    examples: [
      ...(options.version === 6 ? [] : ['10.244.0.0/16', '192.0.2.7/32']),
      ...(options.version === 4 ? [] : ['fd00:10:244::/48']),
    ],
  });
}

/** An address without a length. */
export function address(version?: IpVersion) {
  return read(
    text(version === 6 ? 'an address such as 2001:db8::1' : 'an address such as 192.0.2.1'),
    (text): Reading<string> => {
      const parsed = Address.parse(text);
      if (parsed === undefined || !IPCIDR.isValidAddress(text)) return notAnAddress(text);
      if (version !== undefined && parsed.version !== version) return wrongVersion(text, version);
      return { value: parsed.toString() };
    },
  ).meta({
    examples: [...(version === 6 ? [] : ['192.0.2.1']), ...(version === 4 ? [] : ['2001:db8::1'])],
  });
}

/** `10.1.0.3/24`: an address and the subnet it sits in. The length may be missing and is not invented. */
export function interfaceAddress(version: IpVersion) {
  const example = version === 4 ? '192.0.2.11/24' : '2001:db8::11/64';
  return read(
    text(`the address of the node with its subnet, such as ${example}`),
    (text): Reading<string> => {
      const parsed = parseInterfaceAddress(text);
      if (parsed === undefined) {
        const prefix = readPrefix(text, { bare: true, hostBits: 'mask' });
        return prefix instanceof Prefix ? notAnAddress(text) : prefix;
      }
      if (parsed.address.version !== version) return wrongVersion(text, version);
      const length = text.includes('/') ? `/${parsed.prefix.length}` : '';
      return { value: `${parsed.address.toString()}${length}` };
    },
  ).meta({ examples: [example] });
}

export interface PeerAddress {
  readonly address: Address;
  readonly port: number | undefined;
}

/** `192.0.2.1`, `192.0.2.1:1179`, `2001:db8::1` or `[2001:db8::1]:1179`. */
export function parsePeerAddress(text: string): PeerAddress | undefined {
  const bracketed = /^\[(.+)\]:([0-9]{1,5})$/.exec(text);
  const plain = /^([0-9.]+):([0-9]{1,5})$/.exec(text);
  const [, host, digits] = bracketed ?? plain ?? [undefined, text, undefined];
  const parsed = host === undefined ? undefined : Address.parse(host);
  const port = digits === undefined ? undefined : Number(digits);
  if (parsed === undefined || (port !== undefined && (port < 1 || port > 65_535))) return undefined;
  return bracketed !== null && parsed.version === 4 ? undefined : { address: parsed, port };
}

export function peerAddress() {
  return read(
    text('the address of the peer, such as 192.0.2.1 or [2001:db8::1]:179'),
    (text): Reading<string> => {
      const peer = parsePeerAddress(text);
      if (peer === undefined) {
        return {
          what: `${quote(text)} is not an address with an optional port`,
          remedy: 'write 192.0.2.1, 192.0.2.1:179, 2001:db8::1 or [2001:db8::1]:179',
        };
      }
      const host = peer.address.toString();
      if (peer.port === undefined) return { value: host };
      return { value: peer.address.version === 4 ? `${host}:${peer.port}` : `[${host}]:${peer.port}` };
    },
  ).meta({ examples: ['192.0.2.1', '192.0.2.1:1179', '[2001:db8::1]:179'] });
}

/** RFC 6793 4-octet AS number, as a number or in `high.low` notation; 0 may never be used (RFC 7607). */
export function asNumber() {
  const want = 'an AS number from 1 to 4294967295, or "high.low" such as "65000.1"';
  return read(z.union([z.number(), z.string()], { error: want }), (input): Reading<number> => {
    const value = typeof input === 'number' ? input : asNumberOf(input);
    if (value !== undefined && Number.isInteger(value) && value > 0 && value <= 0xffff_ffff) return { value };
    return { what: `${quote(input)} is not an AS number`, remedy: `use ${want}` };
  }).meta({ examples: [64_512, 4_200_000_000] });
}

/** `64512:100` (16 bits each) or `64512:1:2` (a large community, 32 bits each). */
export function isCommunity(text: string): boolean {
  const parts = text.split(':');
  if (parts.length < 2 || parts.length > 3) return false;
  const limit = parts.length === 2 ? 0xffff : 0xffff_ffff;
  return parts.every((part) => /^[0-9]{1,10}$/.test(part) && Number(part) <= limit);
}

export function community() {
  return read(text('a community such as 64512:100'), (text): Reading<string> => {
    if (isCommunity(text)) return { value: text };
    return {
      what: `${quote(text)} is not a BGP community`,
      remedy: 'write aa:nn with two 16-bit numbers, or aa:nn:mm with three 32-bit numbers (large community)',
    };
  }).meta({ examples: ['64512:100', '64512:1:2'] });
}

export function macAddress() {
  return read(text('a MAC address such as ee:ee:ee:ee:ee:01'), (text): Reading<string> => {
    if (/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(text)) return { value: text.toLowerCase() };
    return {
      what: `${quote(text)} is not a MAC address`,
      remedy: 'write six octets in hexadecimal, as in ee:ee:ee:ee:ee:01',
    };
  }).meta({ examples: ['ee:ee:ee:ee:ee:01'] });
}

/** The prefix that a text names under these rules, or what is wrong with it. */
export function readPrefix(text: string, options: CidrRules): Prefix | Complaint {
  const slash = text.indexOf('/');
  const host = Address.parse(slash < 0 ? text : text.slice(0, slash));
  if (host === undefined) return notAnAddress(text);
  if (options.version !== undefined && host.version !== options.version)
    return wrongVersion(text, options.version);
  const written = slash < 0 && options.bare === true ? `${text}/${host.bits}` : text;
  if (slash < 0 && options.bare !== true) {
    return {
      what: `${quote(text)} has no prefix length`,
      remedy: `write ${host.toString()}/${host.bits} for one address`,
    };
  }
  const prefix = Prefix.parse(written, { hostBits: 'mask' });
  if (prefix === undefined || !IPCIDR.isValidCIDR(written)) {
    return {
      what: `${quote(text)} has a prefix length that IPv${host.version} does not have`,
      remedy: `use a length from 0 to ${host.bits}, as in ${host.toString()}/${host.bits}`,
    };
  }
  if (options.hostBits === 'refuse' && !prefix.address.equals(host)) {
    return {
      what: `${quote(text)} has bits set beyond its prefix length`,
      remedy: `write ${prefix.toString()}`,
    };
  }
  return prefix;
}

function asNumberOf(text: string): number | undefined {
  if (/^[0-9]{1,10}$/.test(text)) return Number(text);
  const parts = /^([0-9]{1,5})\.([0-9]{1,5})$/.exec(text);
  if (parts === null) return undefined;
  const [high, low] = [Number(parts[1]), Number(parts[2])];
  return high > 0xffff || low > 0xffff ? undefined : high * 0x1_0000 + low;
}

function notAnAddress(text: string): Complaint {
  return {
    what: `${quote(text)} does not hold an IP address`,
    remedy: text.includes(':')
      ? 'write IPv6 as in 2001:db8::1, without a zone or brackets'
      : 'write IPv4 as four numbers from 0 to 255 without leading zeros, as in 192.0.2.1',
  };
}

function wrongVersion(text: string, version: IpVersion): Complaint {
  return {
    what: `${quote(text)} is IPv${version === 4 ? 6 : 4}`,
    remedy: `use an IPv${version} address here`,
  };
}
