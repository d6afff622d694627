/**
 * Communities of all three kinds as policy speaks of them: standard (RFC 1997), extended (RFC 4360, 5668) and large
 * (RFC 8092), single ones and patterns, with the text that people write.
 *
 * `65001:100` `65001:*` `65001:100-199` · `65001:1:2` `65001:*:2` · `rt:65001:100` `soo:192.0.2.1:7` `rt:*:100` ·
 * `ext:0x0002fde900000064` · and the well-known ones by name.
 */
import { Address } from '../../net/addr/index.ts';
import { WELL_KNOWN_COMMUNITIES } from '../wire/format.ts';
import type { LargeCommunity, PathAttributes } from '../wire/types.ts';
import { inRange, parseRange, type Range } from './range.ts';

export type Community =
  | { readonly type: 'standard'; readonly value: number }
  /** The eight octets as two 32-bit words. */
  | { readonly type: 'extended'; readonly high: number; readonly low: number }
  | { readonly type: 'large'; readonly value: LargeCommunity };

export type CommunityPattern =
  | { readonly type: 'standard'; readonly asn: Range; readonly value: Range }
  | {
      readonly type: 'extended';
      /** Type octets that will do: 0 two-octet AS, 1 IPv4 address, 2 four-octet AS. */
      readonly types: readonly number[];
      readonly subtype: number;
      readonly global: Range;
      readonly local: Range;
    }
  | { readonly type: 'extended-octets'; readonly high: number; readonly low: number }
  | { readonly type: 'large'; readonly global: Range; readonly local1: Range; readonly local2: Range };

const U16 = 0xffff;
const U32 = 0xffff_ffff;

/** RFC 4360 §4 and §5. */
const SUBTYPES: ReadonlyMap<string, number> = new Map([
  ['rt', 2],
  ['soo', 3],
]);
const TWO_OCTET_AS = 0;
const IPV4 = 1;
const FOUR_OCTET_AS = 2;

/** @returns undefined where the text is no community pattern */
export function parseCommunityPattern(text: string): CommunityPattern | undefined {
  const known = WELL_KNOWN_COMMUNITIES.get(text);
  if (known !== undefined)
    return { type: 'standard', asn: exactly(known >>> 16), value: exactly(known & U16) };
  const octets = /^ext:0x([0-9a-f]{8})([0-9a-f]{8})$/i.exec(text);
  if (octets !== null)
    return {
      type: 'extended-octets',
      high: Number.parseInt(octets[1] ?? '', 16),
      low: Number.parseInt(octets[2] ?? '', 16),
    };
  const parts = text.split(':');
  const subtype = SUBTYPES.get(parts[0] ?? '');
  if (subtype !== undefined) return parts.length === 3 ? extendedPattern(subtype, parts) : undefined;
  return numericPattern(parts);
}

/** @returns undefined where the text is no single community */
export function parseCommunity(text: string): Community | undefined {
  const pattern = parseCommunityPattern(text);
  return pattern === undefined ? undefined : communityOf(pattern);
}

function numericPattern(parts: readonly string[]): CommunityPattern | undefined {
  const limit = parts.length === 2 ? U16 : U32;
  const ranges = parts.map((part) => parseRange(part, limit));
  const [first, second, third] = ranges;
  if (ranges.length > 3 || first === undefined || second === undefined) return undefined;
  if (parts.length === 2) return { type: 'standard', asn: first, value: second };
  return third === undefined ? undefined : { type: 'large', global: first, local1: second, local2: third };
}

function extendedPattern(subtype: number, parts: readonly string[]): CommunityPattern | undefined {
  const [, globalText = '', localText = ''] = parts;
  const address = Address.parse(globalText);
  if (address !== undefined) {
    const local = parseRange(localText, U16);
    if (address.version !== 4 || local === undefined) return undefined;
    return { type: 'extended', types: [IPV4], subtype, global: exactly(address.toNumber()), local };
  }
  const global = parseRange(globalText, U32);
  const local = parseRange(localText, U32);
  if (global === undefined || local === undefined) return undefined;
  const types = asTypes(global, local);
  return types.length === 0 ? undefined : { type: 'extended', types, subtype, global, local };
}

/** An AS number that fits two octets is written in two (RFC 5668 §2); a local part of more than two needs that. */
function asTypes(global: Range, local: Range): number[] {
  if (global.min === undefined) return [TWO_OCTET_AS, IPV4, FOUR_OCTET_AS];
  if ((global.max ?? 0) <= U16) return [TWO_OCTET_AS];
  if ((local.max ?? 0) > U16) return [];
  return global.min <= U16 ? [TWO_OCTET_AS, FOUR_OCTET_AS] : [FOUR_OCTET_AS];
}

function communityOf(pattern: CommunityPattern): Community | undefined {
  switch (pattern.type) {
    case 'standard': {
      const [asn, value] = [only(pattern.asn), only(pattern.value)];
      return asn === undefined || value === undefined
        ? undefined
        : { type: 'standard', value: asn * 0x1_0000 + value };
    }
    case 'large': {
      const [global, local1, local2] = [only(pattern.global), only(pattern.local1), only(pattern.local2)];
      if (global === undefined || local1 === undefined || local2 === undefined) return undefined;
      return { type: 'large', value: { global, local1, local2 } };
    }
    case 'extended-octets':
      return { type: 'extended', high: pattern.high, low: pattern.low };
    case 'extended': {
      const [global, local] = [only(pattern.global), only(pattern.local)];
      const [type] = pattern.types;
      if (type === undefined || global === undefined || local === undefined) return undefined;
      return { type: 'extended', ...extendedWords(type, pattern.subtype, global, local) };
    }
  }
}

function extendedWords(
  type: number,
  subtype: number,
  global: number,
  local: number,
): { high: number; low: number } {
  const head = type * 0x100_0000 + subtype * 0x1_0000;
  if (type === TWO_OCTET_AS) return { high: head + global, low: local };
  return { high: head + Math.floor(global / 0x1_0000), low: (global % 0x1_0000) * 0x1_0000 + local };
}

function exactly(value: number): Range {
  return { min: value, max: value };
}

function only(range: Range): number | undefined {
  return range.min !== undefined && range.min === range.max ? range.min : undefined;
}

export function fitsSome(attributes: PathAttributes, pattern: CommunityPattern): boolean {
  switch (pattern.type) {
    case 'standard':
      return attributes.communities?.some((value) => fitsStandard(pattern, value)) ?? false;
    case 'large':
      return attributes.largeCommunities?.some((value) => fitsLarge(pattern, value)) ?? false;
    default:
      return attributes.extendedCommunities?.some((value) => fitsExtended(pattern, value)) ?? false;
  }
}

type Of<T extends CommunityPattern['type']> = Extract<CommunityPattern, { type: T }>;

function fitsStandard(pattern: Of<'standard'>, value: number): boolean {
  return inRange(pattern.asn, value >>> 16) && inRange(pattern.value, value & U16);
}

function fitsLarge(pattern: Of<'large'>, { global, local1, local2 }: LargeCommunity): boolean {
  return (
    inRange(pattern.global, global) && inRange(pattern.local1, local1) && inRange(pattern.local2, local2)
  );
}

/** Bit 1 of the type octet says "non-transitive" (RFC 4360 §3): such a community is another one. */
function fitsExtended(pattern: Of<'extended' | 'extended-octets'>, value: bigint): boolean {
  const [high, low] = wordsOf(value);
  if (pattern.type === 'extended-octets') return high === pattern.high && low === pattern.low;
  const type = high >>> 24;
  if (!pattern.types.includes(type) || ((high >>> 16) & 0xff) !== pattern.subtype) return false;
  const short = type === TWO_OCTET_AS;
  const global = short ? high & U16 : (high & U16) * 0x1_0000 + (low >>> 16);
  return inRange(pattern.global, global) && inRange(pattern.local, short ? low : low & U16);
}

function wordsOf(value: bigint): readonly [high: number, low: number] {
  return [Number(value >> 32n), Number(value & 0xffff_ffffn)];
}

/** The same object where the route carries it already. */
export function addCommunity(attributes: PathAttributes, community: Community): PathAttributes {
  switch (community.type) {
    case 'standard': {
      const { communities = [] } = attributes;
      if (communities.includes(community.value)) return attributes;
      return { ...attributes, communities: [...communities, community.value] };
    }
    case 'extended': {
      const { extendedCommunities = [] } = attributes;
      const value = (BigInt(community.high) << 32n) | BigInt(community.low);
      if (extendedCommunities.includes(value)) return attributes;
      return { ...attributes, extendedCommunities: [...extendedCommunities, value] };
    }
    case 'large': {
      const { largeCommunities = [] } = attributes;
      const { global, local1, local2 } = community.value;
      const present = largeCommunities.some(
        (each) => each.global === global && each.local1 === local1 && each.local2 === local2,
      );
      if (present) return attributes;
      return { ...attributes, largeCommunities: [...largeCommunities, community.value] };
    }
  }
}

/** Takes off every community that fits one of the patterns; an attribute left empty goes with them. */
export function removeCommunities(
  attributes: PathAttributes,
  patterns: readonly CommunityPattern[],
): PathAttributes {
  const { communities, extendedCommunities, largeCommunities, ...rest } = attributes;
  const standard = communities?.filter(
    (value) => !patterns.some((pattern) => pattern.type === 'standard' && fitsStandard(pattern, value)),
  );
  const extended = extendedCommunities?.filter(
    (value) => !patterns.some((pattern) => isExtended(pattern) && fitsExtended(pattern, value)),
  );
  const large = largeCommunities?.filter(
    (value) => !patterns.some((pattern) => pattern.type === 'large' && fitsLarge(pattern, value)),
  );
  const same =
    standard?.length === communities?.length &&
    extended?.length === extendedCommunities?.length &&
    large?.length === largeCommunities?.length;
  if (same) return attributes;
  return {
    ...rest,
    ...(standard === undefined || standard.length === 0 ? {} : { communities: standard }),
    ...(extended === undefined || extended.length === 0 ? {} : { extendedCommunities: extended }),
    ...(large === undefined || large.length === 0 ? {} : { largeCommunities: large }),
  };
}

function isExtended(pattern: CommunityPattern): pattern is Of<'extended' | 'extended-octets'> {
  return pattern.type === 'extended' || pattern.type === 'extended-octets';
}

/** Exactly this community, as a pattern. */
export function patternOf(community: Community): CommunityPattern {
  switch (community.type) {
    case 'standard':
      return {
        type: 'standard',
        asn: exactly(community.value >>> 16),
        value: exactly(community.value & U16),
      };
    case 'extended':
      return { type: 'extended-octets', high: community.high, low: community.low };
    case 'large': {
      const { global, local1, local2 } = community.value;
      return { type: 'large', global: exactly(global), local1: exactly(local1), local2: exactly(local2) };
    }
  }
}
