/** What the guests of a rehearsal say: OPEN, a table, and one prefix that comes and goes. Addresses for documentation. */
import { Address, Prefix } from '../../net/addr/index.ts';
import { encodeKeepalive, encodeOpen, encodeUpdates } from '../wire/index.ts';
import type { Capability, Family, Negotiated, Nlri } from '../wire/types.ts';

export const FAMILIES_TOLD: readonly Family[] = ['ipv4-unicast', 'ipv6-unicast'];

/** Prefixes that share attributes, as in tables of the Internet. */
const PER_UPDATE = 5;
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

/** NLRI come last in an UPDATE (RFC 4271 §4.3). */
export const UP_TAIL: readonly number[] = [24, ...flappingOctets()];
/** Behind withdrawn routes stands the length of no attributes. */
export const DOWN_TAIL: readonly number[] = [...UP_TAIL, 0, 0];

function flappingOctets(): readonly number[] {
  const [{ prefix } = { prefix: undefined }] = prefixes('ipv4-unicast', FLAPPING, 1);
  return [...(prefix?.address.toBytes() ?? [])].slice(0, 3);
}

/** OPEN without a hold time, so that a rehearsal has no timers, and the KEEPALIVE that confirms it. */
export function greeting(asn: number, routerId: number): Uint8Array {
  const capabilities: readonly Capability[] = [
    { code: 1, afi: 1, safi: 1 },
    { code: 1, afi: 2, safi: 1 },
    { code: 65, asn },
  ];
  return joined([encodeOpen({ version: 4, asn, holdSeconds: 0, routerId, capabilities }), encodeKeepalive()]);
}

/** As many UPDATEs of distinct attributes, IPv4 and IPv6 in turn. @param asn  of the external peer that tells them */
export function table(asn: number, updates: number): Uint8Array {
  return joined(
    Array.from({ length: updates }, (_, n) =>
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
  const address =
    family === 'ipv4-unicast' ? Address.v4(0xc000_0202) : Address.v6(0x2001_0db8, 0xffff_0000, 0, 2);
  const attributes = {
    origin: 'IGP',
    // Small and large numbers, as on the Internet: they are kept in different ways.
    asPath: [{ type: 'sequence', asns: [asn, AS_TRANSIT, (n % 4000) + 1, 4_200_000_000 + n] }],
    med: n % 100,
    communities: [65_001 * 65_536 + (n % 1000), 7],
  } as const;
  const reach = [{ family, nextHop: { address }, nlri: prefixes(family, n, count) }];
  return joined(encodeUpdates({ type: 'update', unreach: [], reach, attributes }, session(false)));
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
