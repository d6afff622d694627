/** Attributes as people and JSON know them: text where a number has a customary spelling, plain values elsewhere. */
import type { AsSegment, LargeCommunity, PathAttributes } from './types.ts';

/** The registry "BGP Well-known Communities" as far as operators use it. */
export const WELL_KNOWN_COMMUNITIES: ReadonlyMap<string, number> = new Map([
  ['graceful-shutdown', 0xffff0000],
  ['accept-own', 0xffff0001],
  ['llgr-stale', 0xffff0006],
  ['no-llgr', 0xffff0007],
  ['blackhole', 0xffff029a],
  ['no-export', 0xffffff01],
  ['no-advertise', 0xffffff02],
  ['no-export-subconfed', 0xffffff03],
  ['no-peer', 0xffffff04],
]);

const COMMUNITY_NAMES: ReadonlyMap<number, string> = new Map(
  [...WELL_KNOWN_COMMUNITIES].map(([name, value]) => [value, name]),
);

export interface PlainAttributes {
  readonly origin: string;
  /** `65001 65002 {65003,65004}`. */
  readonly asPath: string;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: true;
  readonly aggregator?: { readonly asn: number; readonly address: string };
  readonly communities?: readonly string[];
  readonly originatorId?: string;
  readonly clusterList?: readonly string[];
  readonly extendedCommunities?: readonly string[];
  /** In decimal: a JSON number does not hold 64 bits. */
  readonly aigp?: string;
  readonly largeCommunities?: readonly string[];
  readonly unknown?: readonly { readonly code: number; readonly flags: string; readonly value: string }[];
  /** Codes of those above that somebody on the way did not know. */
  readonly partial?: readonly number[];
}

/** Absent stays absent. */
export function plainAttributes(attributes: PathAttributes): PlainAttributes {
  const { origin, med, localPref, aggregator, communities, originatorId, clusterList } = attributes;
  const { extendedCommunities, largeCommunities, unknown } = attributes;
  return {
    origin,
    asPath: formatAsPath(attributes.asPath),
    ...(med === undefined ? {} : { med }),
    ...(localPref === undefined ? {} : { localPref }),
    ...(attributes.atomicAggregate === undefined ? {} : { atomicAggregate: true }),
    ...(aggregator === undefined
      ? {}
      : { aggregator: { asn: aggregator.asn, address: aggregator.address.toString() } }),
    ...(communities === undefined ? {} : { communities: communities.map(formatCommunity) }),
    ...(originatorId === undefined ? {} : { originatorId: dotted(originatorId) }),
    ...(clusterList === undefined ? {} : { clusterList: clusterList.map(dotted) }),
    ...(extendedCommunities === undefined
      ? {}
      : { extendedCommunities: extendedCommunities.map(formatExtendedCommunity) }),
    ...(attributes.aigp === undefined ? {} : { aigp: attributes.aigp.metric.toString() }),
    ...(largeCommunities === undefined
      ? {}
      : { largeCommunities: largeCommunities.map(formatLargeCommunity) }),
    ...(unknown === undefined
      ? {}
      : {
          unknown: unknown.map(({ code, flags, value }) => ({
            code,
            flags: `0x${flags.toString(16)}`,
            value: hex(value),
          })),
        }),
    ...(attributes.partial === undefined ? {} : { partial: attributes.partial }),
  };
}

/** As BIRD and FRR print it: sets in braces, confederation segments in parentheses. */
export function formatAsPath(path: readonly AsSegment[]): string {
  return path
    .map(({ type, asns }) => {
      if (type === 'sequence') return asns.join(' ');
      if (type === 'set') return `{${asns.join(',')}}`;
      return `(${asns.join(type === 'confed-set' ? ',' : ' ')})`;
    })
    .join(' ');
}

export function formatCommunity(value: number): string {
  return COMMUNITY_NAMES.get(value) ?? `${value >>> 16}:${value & 0xffff}`;
}

export function formatLargeCommunity({ global, local1, local2 }: LargeCommunity): string {
  return `${global}:${local1}:${local2}`;
}

/** RFC 4360 §4 and §5, RFC 5668: `rt:65000:1`, `soo:10.0.0.1:7`; whatever else as `0x` and 16 hexadecimal digits. */
export function formatExtendedCommunity(value: bigint): string {
  const type = Number((value >> 56n) & 0xffn);
  const name = { 2: 'rt', 3: 'soo' }[Number((value >> 48n) & 0xffn)];
  if (name !== undefined && type === 0x00)
    return `${name}:${(value >> 32n) & 0xffffn}:${value & 0xffffffffn}`;
  if (name !== undefined && type === 0x01)
    return `${name}:${dotted(Number((value >> 16n) & 0xffffffffn))}:${value & 0xffffn}`;
  if (name !== undefined && type === 0x02)
    return `${name}:${(value >> 16n) & 0xffffffffn}:${value & 0xffffn}`;
  return `0x${value.toString(16).padStart(16, '0')}`;
}

/** A BGP identifier or cluster id. */
export function dotted(id: number): string {
  return `${id >>> 24}.${(id >>> 16) & 255}.${(id >>> 8) & 255}.${id & 255}`;
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join('');
}
