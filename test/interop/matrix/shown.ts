/** A route in one form, whoever printed it: BIRD, FRR, GoBGP, OpenBGPD, ExaBGP or we ourselves. Compared as text. */
import { formatAsPath } from '../../../bgpd/index.ts';
import type { NextHop, PathAttributes } from '../../../bgpd/wire/index.ts';

export interface Shown {
  readonly prefix: string;
  /** Address of the neighbour that told it. */
  readonly from: string;
  readonly nextHop: string;
  /** `65001 65002 {65003,65004}` */
  readonly asPath: string;
  readonly origin: string;
  /** One router prints 0 where there is none; so does this. */
  readonly med: number;
  /** Undefined where it says nothing about the peer: external routes get a local one. */
  readonly localPref?: number | undefined;
  readonly aggregator?: string | undefined;
  readonly atomicAggregate?: boolean;
  readonly communities: readonly string[];
  /** 16 hexadecimal digits each. */
  readonly extended: readonly string[];
  readonly large: readonly string[];
  readonly originatorId?: string | undefined;
  readonly clusterList?: string | undefined;
  /** Attributes that no one here knows, as `code.flags.value`; undefined where the command does not print them. */
  readonly unknown?: readonly string[] | undefined;
}

/** What both sides of a comparison are able to tell. */
export interface Parts {
  readonly localPref: boolean;
  readonly unknown: boolean;
}

/** One line, the same for equal routes. Communities are sets: BIRD, FRR and OpenBGPD sort them. */
export function line(route: Shown, parts: Parts): string {
  const words = [
    `via ${route.nextHop}`,
    `path [${route.asPath}]`,
    `origin ${route.origin}`,
    `med ${route.med}`,
    ...(parts.localPref ? [`pref ${route.localPref}`] : []),
    `aggregator ${route.aggregator ?? 'none'}${route.atomicAggregate === true ? ' atomic' : ''}`,
    `communities ${sorted(route.communities)}`,
    `extended ${sorted(route.extended)}`,
    `large ${sorted(route.large)}`,
    ...(route.originatorId === undefined ? [] : [`originator ${route.originatorId}`]),
    ...(route.clusterList === undefined ? [] : [`clusters ${route.clusterList}`]),
    ...(parts.unknown ? [`unknown ${sorted(route.unknown ?? [])}`] : []),
  ];
  return words.join(' ');
}

function sorted(values: readonly string[]): string {
  return values.toSorted().join(' ') || 'none';
}

/** What two tables do not agree on, prefix by prefix; empty when they are the same. */
export function differences(want: readonly Shown[], got: readonly Shown[], parts: Parts): readonly string[] {
  const wanted = new Map(want.map((route) => [route.prefix, line(route, parts)]));
  const differing: string[] = [];
  const seen = new Set<string>();
  for (const route of got) {
    const text = line(route, parts);
    const expected = wanted.get(route.prefix) ?? 'nothing';
    if (seen.has(route.prefix)) differing.push(`${route.prefix} twice`);
    else if (text !== expected) differing.push(`${route.prefix}\n  want ${expected}\n  got  ${text}`);
    seen.add(route.prefix);
  }
  for (const [prefix, text] of wanted)
    if (!seen.has(prefix)) differing.push(`${prefix}\n  want ${text}\n  got  nothing`);
  return differing;
}

export function ofOurs(
  prefix: string,
  from: string,
  attributes: PathAttributes,
  nextHop: NextHop | undefined,
): Shown {
  const { aggregator } = attributes;
  return {
    prefix,
    from,
    nextHop: nextHop?.address.toString() ?? 'none',
    asPath: formatAsPath(attributes.asPath),
    origin: attributes.origin,
    med: attributes.med ?? 0,
    localPref: attributes.localPref,
    aggregator: aggregator === undefined ? undefined : `${aggregator.asn} ${aggregator.address.toString()}`,
    atomicAggregate: attributes.atomicAggregate ?? false,
    communities: (attributes.communities ?? []).map(community),
    extended: (attributes.extendedCommunities ?? []).map(hex),
    large: (attributes.largeCommunities ?? []).map((c) => `${c.global}:${c.local1}:${c.local2}`),
    originatorId: attributes.originatorId === undefined ? undefined : dotted(attributes.originatorId),
    clusterList: attributes.clusterList?.map(dotted).join(' '),
    unknown: (attributes.unknown ?? []).map(
      ({ code, flags, value }) => `${code}.${flags}.${Buffer.from(value).toString('hex')}`,
    ),
  };
}

export function community(value: number): string {
  return `${value >>> 16}:${value & 0xffff}`;
}

export function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

/** Without the bit that tells how the length was written. */
export function plainFlags(flags: number | undefined): number {
  return (flags ?? 0) & ~0x10;
}

export function dotted(id: number): string {
  return [24, 16, 8, 0].map((shift) => (id >>> shift) & 255).join('.');
}

/** Kinds of extended communities in words, as the commands of the routers name them (RFC 4360, RFC 5668, RFC 7153). */
const SUBTYPES: Readonly<Record<string, number>> = { rt: 2, target: 2, soo: 3, ro: 3, origin: 3 };

/** `rt`, `65000`, `1` -> octets; the first number decides whether it is an AS of 2 or 4 octets, or an address. */
export function extendedFromWords(kind: string, global: string, local: string): string {
  const subtype = SUBTYPES[kind.toLowerCase()];
  if (subtype === undefined)
    throw new Error(`an extended community of a kind this test does not know: ${kind}`);
  const number = Number(local);
  if (global.includes('.') && global.split('.').length === 4) {
    const address = global.split('.').map((part) => octets(Number(part), 1));
    return `01${octets(subtype, 1)}${address.join('')}${octets(number, 2)}`;
  }
  const asn = global.includes('.')
    ? global.split('.').reduce((sum, part) => sum * 65536 + Number(part), 0)
    : Number(global);
  return asn > 65535
    ? `02${octets(subtype, 1)}${octets(asn, 4)}${octets(number, 2)}`
    : `00${octets(subtype, 1)}${octets(asn, 2)}${octets(number, 4)}`;
}

function octets(value: number, count: number): string {
  return value.toString(16).padStart(count * 2, '0');
}
