/** Generators of everything the codec can carry, for properties. */
import fc from 'fast-check';
import { Address, Prefix } from '../../../net/addr/index.ts';
import { FLAG } from '../decode-attributes.ts';
import type {
  AsSegment,
  Capability,
  Family,
  Negotiated,
  Nlri,
  NextHop,
  OpenMessage,
  PathAttributes,
  RawAttribute,
} from '../types.ts';
import { EXTERNAL } from './octets.ts';

const u8 = fc.integer({ min: 0, max: 255 });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

/** Anything but 0, which RFC 7607 forbids. Small ones, 2-octet ones and 4-octet ones are all common. */
export const asn = fc.oneof(
  fc.integer({ min: 1, max: 255 }),
  fc.integer({ min: 1, max: 0xffff }),
  fc.integer({ min: 1, max: 0xffff_ffff }),
);

export const v4 = u32.map((word) => Address.v4(word));
export const v6 = fc.tuple(u32, u32, u32, u32).map((words) => Address.v6(...words));

export function nlri(family: Family, pathIds: boolean): fc.Arbitrary<Nlri> {
  const prefix =
    family === 'ipv4-unicast'
      ? fc.tuple(v4, fc.integer({ min: 0, max: 32 })).map(([address, length]) => Prefix.of(address, length))
      : fc.tuple(v6, fc.integer({ min: 0, max: 128 })).map(([address, length]) => Prefix.of(address, length));
  if (!pathIds) return prefix.map((one) => ({ prefix: one }));
  return fc.record({ prefix, pathId: u32 });
}

/** A unicast address that a host can have. */
export function nextHop(family: Family): fc.Arbitrary<NextHop> {
  if (family === 'ipv4-unicast')
    return fc
      .tuple(fc.integer({ min: 1, max: 126 }), u32)
      .map(([first, rest]) => ({ address: Address.v4((first << 24) | (rest >>> 8)) }));
  const global = fc.tuple(u32, u32, u32).map(([a, b, c]) => Address.v6(0x2001_0db8, a, b, c));
  const linkLocal = fc.tuple(u32, u32).map(([a, b]) => Address.v6(0xfe80_0000, 0, a, b));
  return fc.record({ address: global, linkLocal }, { requiredKeys: ['address'] });
}

const segment: fc.Arbitrary<AsSegment> = fc.record({
  type: fc.constantFrom('sequence', 'set'),
  asns: fc.array(asn, { minLength: 1, maxLength: 20 }),
});

const KNOWN = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 26, 32]);

const raw: fc.Arbitrary<RawAttribute> = fc.record({
  flags: fc.constant(FLAG.optional | FLAG.transitive | FLAG.partial),
  code: u8.filter((code) => !KNOWN.has(code)),
  value: fc.uint8Array({ maxLength: 300 }),
});

const large = fc.record({ global: u32, local1: u32, local2: u32 });

const tlv = fc
  .tuple(
    u8.filter((type) => type !== 1),
    fc.uint8Array({ maxLength: 9 }),
  )
  .map(([type, value]) => Uint8Array.of(type, 0, value.length + 3, ...value));

const aigp = fc.record(
  { metric: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_fffen }), others: tlv },
  { requiredKeys: ['metric'] },
);

/** Attributes that may travel on such a session. */
export function attributes(session: Negotiated): fc.Arbitrary<PathAttributes> {
  const accumulated = session.aigp === true ? { aigp } : {};
  const inside = session.internal
    ? { localPref: u32, originatorId: u32, clusterList: fc.array(u32, { minLength: 1, maxLength: 5 }) }
    : {};
  const whole = fc.record(
    {
      origin: fc.constantFrom('IGP', 'EGP', 'incomplete'),
      asPath: fc.array(segment, { minLength: session.internal ? 0 : 1, maxLength: 5 }),
      med: u32,
      ...inside,
      ...accumulated,
      atomicAggregate: fc.constant(true),
      aggregator: fc.record({ asn, address: v4 }),
      communities: fc.array(u32, { minLength: 1, maxLength: 100 }),
      extendedCommunities: fc.array(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), {
        minLength: 1,
        maxLength: 50,
      }),
      largeCommunities: fc.uniqueArray(large, {
        minLength: 1,
        maxLength: 30,
        selector: ({ global, local1, local2 }) => `${global}:${local1}:${local2}`,
      }),
      unknown: fc
        .uniqueArray(raw, { minLength: 1, maxLength: 4, selector: ({ code }) => code })
        .map((list) => [...list].sort((a, b) => a.code - b.code)),
    },
    { requiredKeys: session.internal ? ['origin', 'asPath', 'localPref'] : ['origin', 'asPath'] },
  );
  const marks = fc.subarray([...MAY_BE_PARTIAL]);
  return fc.tuple(whole as fc.Arbitrary<PathAttributes>, marks).map(([attributes, marked]) => {
    const partial = marked.filter(([, field]) => attributes[field] !== undefined).map(([code]) => code);
    return partial.length === 0 ? attributes : { ...attributes, partial };
  });
}

const MAY_BE_PARTIAL = [
  [7, 'aggregator'],
  [8, 'communities'],
  [16, 'extendedCommunities'],
  [32, 'largeCommunities'],
] as const satisfies readonly (readonly [number, keyof PathAttributes])[];

export const session: fc.Arbitrary<Negotiated> = fc
  .record({
    internal: fc.boolean(),
    fourOctetAs: fc.boolean(),
    extendedMessages: fc.boolean(),
    pathIds: fc.boolean(),
    aigp: fc.boolean(),
  })
  .map(({ pathIds, aigp, ...rest }) => {
    const families = pathIds ? EXTERNAL.families : [];
    return {
      ...EXTERNAL,
      ...rest,
      ...(aigp ? { aigp } : {}),
      addPathReceive: families,
      addPathSend: families,
    };
  });

const family = fc.constantFrom<Family>('ipv4-unicast', 'ipv6-unicast');

export const capability: fc.Arbitrary<Capability> = fc.oneof(
  fc.record({ code: fc.constant(1 as const), afi: u16, safi: u8 }),
  fc.constantFrom<Capability>({ code: 2 }, { code: 6 }, { code: 70 }),
  fc.record({
    code: fc.constant(64 as const),
    restarting: fc.boolean(),
    notification: fc.boolean(),
    restartSeconds: fc.integer({ min: 0, max: 4095 }),
    families: fc.array(fc.record({ family, forwarding: fc.boolean() }), { maxLength: 3 }),
  }),
  fc.record({
    code: fc.constant(69 as const),
    families: fc.array(
      fc
        .record({ family, send: fc.boolean(), receive: fc.boolean() })
        .filter(({ send, receive }) => send || receive),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    code: fc.constant('unknown' as const),
    number: u8.filter((code) => ![1, 2, 6, 64, 65, 69, 70].includes(code)),
    value: fc.uint8Array({ maxLength: 255 }),
  }),
);

export const open: fc.Arbitrary<OpenMessage> = fc
  .record({
    asn: asn.filter((one) => one !== 23456),
    holdSeconds: u16.filter((one) => one !== 1 && one !== 2),
    routerId: fc.integer({ min: 1, max: 0xffff_ffff }),
    capabilities: fc.array(capability, { maxLength: 12 }),
  })
  .map(({ asn, capabilities, ...rest }) => {
    // A number of more than 2 octets needs the capability that carries it.
    const all: Capability[] = [...capabilities, ...(asn > 0xffff ? [{ code: 65 as const, asn }] : [])];
    return { type: 'open' as const, version: 4, asn, ...rest, capabilities: all };
  });
