/** What the guests of a rehearsal say: OPEN, a table, and one prefix that comes and goes. Addresses for documentation. */
import { Address, Prefix } from '../../net/addr/index.ts';
import { encodeKeepalive, encodeOpen, encodeUpdates } from '../wire/index.ts';
import type { Capability, Family, Negotiated, Nlri, PathAttributes } from '../wire/types.ts';

export const FAMILIES_TOLD: readonly Family[] = ['ipv4-unicast', 'ipv6-unicast'];

/** Prefixes that share attributes, as in tables of the Internet. */
const PER_UPDATE = 3;
export const HOLD_SECONDS = 90;
const FLAPPING = 0xffff;
const AS_TRANSIT = 65_536;

/** What {@link encodeUpdates} has to know; internal, so that LOCAL_PREF may be said. */
function session(internal: boolean): Negotiated {
  return {
    peerAsn: AS_TRANSIT,
    peerRouterId: 1,
    internal,
    holdSeconds: 0,
    keepaliveSeconds: 0,
    families: FAMILIES_TOLD,
    fourOctetAs: true,
    extendedMessages: false,
    routeRefresh: true,
    enhancedRefresh: false,
    addPathReceive: [],
    addPathSend: [],
  };
}

/** End-of-RIB of IPv4 unicast is an UPDATE without anything. */
export const END_TAIL: readonly number[] = [2, 0, 0, 0, 0];
/** NLRI come last in an UPDATE (RFC 4271 §4.3). */
export const UP_TAIL: readonly number[] = [24, ...flappingOctets()];
/** Behind withdrawn routes stands the length of no attributes. */
export const DOWN_TAIL: readonly number[] = [...UP_TAIL, 0, 0];

function flappingOctets(): readonly number[] {
  const [{ prefix } = { prefix: undefined }] = prefixes('ipv4-unicast', FLAPPING, 1);
  return [...(prefix?.address.toBytes() ?? [])].slice(0, 3);
}

/** OPEN as most peers say it, and the KEEPALIVE that confirms it. */
export function greeting(asn: number, routerId: number): Uint8Array {
  const capabilities: readonly Capability[] = [
    { code: 1, afi: 1, safi: 1 },
    { code: 1, afi: 2, safi: 1 },
    { code: 65, asn },
    { code: 64, restarting: false, notification: false, restartSeconds: 0, families: [] },
  ];
  return joined([
    encodeOpen({ version: 4, asn, holdSeconds: HOLD_SECONDS, routerId, capabilities }),
    encodeKeepalive(),
  ]);
}

/** As many UPDATEs of distinct attributes, IPv4 and IPv6 in turn. @param asn  of the external peer that tells them */
export function table(asn: number, updates: number): Uint8Array {
  return joined(
    Array.from({ length: Math.ceil(updates) }, (_, n) =>
      announcement(asn, n, n % 2 === 0 ? 'ipv4-unicast' : 'ipv6-unicast', PER_UPDATE),
    ),
  );
}

/** The one prefix comes. It ends with {@link UP_TAIL}, here and in what others are told. */
export function flapUp(asn: number): Uint8Array {
  return announcement(asn, FLAPPING, 'ipv4-unicast', 1);
}

/** And goes; {@link DOWN_TAIL}. */
export function flapDown(): Uint8Array {
  const unreach = [{ family: 'ipv4-unicast', nlri: prefixes('ipv4-unicast', FLAPPING, 1) }] as const;
  return joined(encodeUpdates({ type: 'update', unreach, reach: [], attributes: undefined }, session(false)));
}

function announcement(asn: number, n: number, family: Family, count: number): Uint8Array {
  // Some sets of attributes come with more than one UPDATE.
  const set = n % 8 < 2 ? n + 2 : n;
  const attributes: PathAttributes = {
    origin: 'IGP',
    // Small and large numbers, as on the Internet: they are kept in different ways.
    asPath: [
      { type: 'sequence', asns: [asn, AS_TRANSIT, ...range(set % 4, (set % 4000) + 1), 4_200_000_000 + set] },
    ],
    ...(set % 3 === 0 ? { med: set % 100 } : {}),
    communities: [65_001 * 65_536 + (set % 1000), ...range(set % 5, 7)],
    ...(set % 10 === 0 ? { largeCommunities: [{ global: 4_200_000_000, local1: 1, local2: set }] } : {}),
  };
  const reach = [{ family, nextHop: { address: nextHop(family, n) }, nlri: prefixes(family, n, count) }];
  return joined(encodeUpdates({ type: 'update', unreach: [], reach, attributes }, session(false)));
}

/** Here, too: words of addresses above 2^31 are kept in another way. */
function nextHop(family: Family, n: number): Address {
  if (family === 'ipv4-unicast') return Address.v4(0xc000_0202);
  return Address.v6(n % 4 < 2 ? 0x2001_0db8 : 0xfd00_0db8, 0xffff_0000, 0, 2);
}

function range(count: number, first: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function prefixes(family: Family, n: number, count: number): Nlri[] {
  return Array.from({ length: count }, (_, i) => {
    const number = n * PER_UPDATE + i;
    return family === 'ipv4-unicast'
      ? { prefix: Prefix.of(Address.v4(0x0b00_0000 + number * 256), 24) }
      : { prefix: Prefix.of(Address.v6(0x2001_0db8, number, 0, 0), 64) };
  });
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
