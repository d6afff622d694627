/** Routes with attributes of every kind, and what has to become of them on their way. */
import type { Aggregator, PathAttributes } from '../../../bgpd/wire/index.ts';
import { formatAsPath } from '../../../bgpd/index.ts';
import { Address } from '../../../net/addr/index.ts';
import type { Place } from './fabric.ts';
import { ipv6, type Announced } from './router.ts';
import { ofOurs, type Shown } from './shown.ts';

const aggregator = (asn: number): Aggregator => ({ asn, address: Address.parse('192.0.2.77') as Address });

/** Types whose octets every router's command lets us see: RT and SoO of each form, encapsulation. */
const EXTENDED = [
  0x0002_fde8_0000_0001n,
  0x0003_fde8_0000_0002n,
  0x0202_fa56_ea01_0003n,
  0x0102_c000_0201_0004n,
  0x0103_c000_0201_0005n,
  0x030c_0000_0000_0008n,
];

/** More than 255 octets of them, in as few digits as possible: birdc cuts an attribute after 500 characters. */
const MANY_COMMUNITIES = Array.from({ length: 65 }, (_, i) => (i + 1) * 65_536 + 1);

/** One line for each kind of attribute, then all of them at once. Transit ASes are none of those that speak here. */
const VARIANTS: readonly PathAttributes[] = [
  { origin: 'IGP', asPath: [] },
  { origin: 'EGP', asPath: [{ type: 'sequence', asns: [64999, 4_200_009_999] }], med: 50 },
  {
    origin: 'incomplete',
    asPath: [
      { type: 'sequence', asns: [3, 3, 3, 65_536] },
      { type: 'set', asns: [7, 70_000] },
    ],
    atomicAggregate: true,
    aggregator: aggregator(4_200_000_777),
  },
  {
    origin: 'IGP',
    asPath: [],
    communities: [0xfde8_0001, 0x0001_ffff, 0xffff_ff04],
    aggregator: aggregator(64_777),
  },
  { origin: 'IGP', asPath: [], extendedCommunities: EXTENDED },
  {
    origin: 'IGP',
    asPath: [],
    largeCommunities: [
      { global: 4_200_000_001, local1: 1, local2: 2 },
      { global: 64_500, local1: 4_294_967_295, local2: 0 },
    ],
  },
  { origin: 'IGP', asPath: [], communities: MANY_COMMUNITIES },
  { origin: 'IGP', asPath: [], unknown: [{ flags: 0xc0, code: 200, value: Uint8Array.of(1, 2, 3) }] },
  {
    origin: 'EGP',
    asPath: [{ type: 'sequence', asns: [64_999, 4_200_009_999] }],
    med: 4_294_967_295,
    aggregator: aggregator(64_777),
    communities: [0xfde8_0001],
    extendedCommunities: EXTENDED,
    largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
    unknown: [{ flags: 0xc0, code: 201, value: new Uint8Array(300).fill(7) }],
  },
];

/** One of them after the other, for large tables; without the one of many communities, which would only be longer. */
export function variant(number: number): PathAttributes {
  const short = VARIANTS.filter(({ communities }) => communities !== MANY_COMMUNITIES);
  return short[number % short.length] as PathAttributes;
}

/** Both families; `number` keeps one speaker's prefixes apart from another's. */
export function routesOf(number: number): readonly Announced[] {
  return VARIANTS.flatMap((attributes, i) => [
    { prefix: `10.${100 + number}.${i}.0/24`, attributes },
    { prefix: `2001:db8:${(100 + number).toString(16)}:${i + 1}::/64`, attributes },
  ]);
}

export interface Speaks {
  readonly asn: number;
  readonly at: Place;
}

/** What the router has to show of a route that we originated, on a session that it sees from `from`. */
export function toldBy(
  ours: Speaks,
  router: { readonly asn: number },
  from: string,
  route: Announced,
): Shown {
  const internal = ours.asn === router.asn;
  const attributes = through(internal ? [] : [ours.asn], route.attributes);
  return {
    ...shownVia(route, from, ours.at, attributes),
    localPref: internal ? 100 : undefined,
    unknown: partial(route.attributes),
  };
}

/** What we have to hear of a route that `feeder` told the router, and that the router passes on. */
export function passedOn(
  router: Speaks,
  feeder: Speaks,
  ours: Speaks,
  from: string,
  route: Announced,
): Shown {
  const internal = ours.asn === router.asn;
  const attributes = through(internal ? [feeder.asn] : [router.asn, feeder.asn], route.attributes);
  const { med } = route.attributes;
  return {
    ...shownVia(route, from, internal ? feeder.at : router.at, attributes),
    // RFC 4271 §5.1.4: a neighbour's MED stays inside the AS.
    med: internal ? (med ?? 0) : 0,
    localPref: internal ? 100 : undefined,
    unknown: partial(route.attributes),
  };
}

function through(asns: readonly number[], attributes: PathAttributes): PathAttributes {
  const text = formatAsPath(attributes.asPath);
  const [first, ...rest] = attributes.asPath;
  if (asns.length === 0) return attributes;
  if (text === '' || first === undefined) return { ...attributes, asPath: [{ type: 'sequence', asns }] };
  return { ...attributes, asPath: [{ type: 'sequence', asns: [...asns, ...first.asns] }, ...rest] };
}

function shownVia({ prefix }: Announced, from: string, at: Place, attributes: PathAttributes): Shown {
  const nextHop = { address: Address.parse(ipv6(prefix) ? at.v6 : at.v4) as Address };
  return ofOurs(prefix, from, attributes, nextHop);
}

/** RFC 4271 §5: whoever passes on what he does not know marks it. */
function partial({ unknown = [] }: PathAttributes): readonly string[] {
  return unknown.map(
    ({ code, flags, value }) => `${code}.${flags | 0x20}.${Buffer.from(value).toString('hex')}`,
  );
}
