/** Policies and routes for property tests, from small domains, so that things meet. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../../net/addr/index.ts';
import type { AsSegment, Origin, PathAttributes } from '../../wire/types.ts';
import { type CommunityPattern, parseCommunityPattern } from '../community.ts';
import type { Match, Operation, Policy, PrefixRange, RouteView } from '../policy.ts';

const v4 = fc
  .tuple(fc.integer({ min: 0, max: 15 }), fc.constantFrom(0, 4, 8, 9, 16, 24, 32))
  .map(([n, length]) => Prefix.of(Address.v4(0x0a00_0000 + n * 0x0011_1111), length));
const v6 = fc
  .tuple(fc.integer({ min: 0, max: 15 }), fc.constantFrom(0, 8, 32, 48, 64, 127, 128))
  .map(([n, length]) => Prefix.of(Address.v6(0x0a00_0000 + n * 0x0011_1111, n << 28, 0, n), length));
export const prefix = fc.oneof(v4, v6);
const small = fc.integer({ min: 0, max: 4 });
const range = fc
  .tuple(fc.option(small, { nil: undefined }), fc.option(small, { nil: undefined }))
  .map(([min, max]) => ({ ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) }));
const lengths = fc.record(
  { minLength: fc.constantFrom(0, 8, 9, 24, 32, 48, 64), maxLength: fc.constantFrom(8, 16, 32, 64, 128) },
  { requiredKeys: [] },
);
const prefixRange = fc.tuple(prefix, lengths).map(([cidr, rest]): PrefixRange => ({ cidr, ...rest }));
const origin = fc.constantFrom<Origin>('IGP', 'EGP', 'incomplete');
const text = fc.tuple(fc.constantFrom('1', '2', '3', '*', '1-2'), fc.constantFrom('1', '2', '*', '2-3'));
const pattern = fc
  .tuple(text, fc.constantFrom('', 'rt:', '3:', 'rt:192.0.2.', 'ext:'))
  .map(([[a, b], kind]): CommunityPattern => {
    if (kind === 'ext:') return { type: 'extended-octets', high: 0x0002_0001, low: 1 };
    const full = kind === 'rt:192.0.2.' ? `rt:192.0.2.1:${b}` : `${kind}${a}:${b}`;
    return parseCommunityPattern(full) ?? expect.fail(full);
  });
const patterns = fc.array(pattern, { maxLength: 3 });

const attributes: fc.Arbitrary<PathAttributes> = fc.record(
  {
    origin,
    asPath: fc.array(
      fc.record({
        type: fc.constantFrom<AsSegment['type']>('sequence', 'sequence', 'set', 'confed-sequence'),
        asns: fc.array(small, { minLength: 1, maxLength: 3 }),
      }),
      { maxLength: 3 },
    ),
    med: small,
    localPref: small,
    communities: fc.uniqueArray(
      fc.tuple(small, small).map(([a, b]) => a * 65536 + b),
      { minLength: 1, maxLength: 3 },
    ),
    largeCommunities: fc.array(fc.record({ global: small, local1: small, local2: small }), {
      minLength: 1,
      maxLength: 3,
    }),
    extendedCommunities: fc.array(
      fc.constantFrom(
        0x0002_0001_0000_0001n,
        0x0002_0002_0000_0003n,
        0x4002_0001_0000_0001n,
        0x0003_0001_0000_0001n,
        0x0102_c000_0201_0002n,
        0x0202_0001_0000_0002n,
      ),
      { minLength: 1, maxLength: 3 },
    ),
  },
  { requiredKeys: ['origin', 'asPath'] },
);

export const LINKS = ['eth0', 'eth1', 'cali1', 'x'];

export const route: fc.Arbitrary<RouteView> = fc.record(
  {
    prefix,
    source: fc.constantFrom('local', 'peers'),
    peerKind: fc.constantFrom('external', 'internal'),
    attributes,
    nextHop: prefix.map(({ address }) => ({ address })),
    interface: fc.constantFrom(...LINKS),
  },
  { requiredKeys: ['prefix', 'source', 'peerKind', 'attributes'] },
);

const { match } = fc.letrec<{ match: Match }>((tie) => ({
  match: fc.record(
    {
      prefix: fc
        .tuple(prefixRange, fc.constantFrom('In', 'NotIn', 'Equal', 'NotEqual'))
        .map(([rest, operator]) => ({ ...rest, operator }) as const),
      prefixes: fc.oneof(
        fc.array(prefixRange, { maxLength: 3 }),
        fc.array(prefixRange, { minLength: 8, maxLength: 30 }),
      ),
      prefixLength: fc.record({ min: fc.constantFrom(0, 9, 24), max: fc.constantFrom(16, 32, 128) }),
      source: fc.constantFrom('local', 'peers'),
      peerKind: fc.constantFrom('external', 'internal'),
      interface: fc.constantFrom('eth*', '*1', 'eth0', '*', 'e*h*', '*a*i*', 'x*x'),
      communities: fc.record({ any: patterns, all: patterns, none: patterns }, { requiredKeys: [] }),
      asPathPrefix: fc.array(small, { maxLength: 3 }),
      asPathLength: range,
      med: fc.oneof(range, fc.constant('absent' as const)),
      localPref: fc.oneof(range, fc.constant('absent' as const)),
      origin: fc.array(origin),
      nextHop: fc.array(prefix, { maxLength: 3 }),
      not: fc.oneof({ maxDepth: 2, depthIdentifier: 'not' }, fc.constant({}), tie('match')),
    },
    { requiredKeys: [] },
  ),
}));

/** Few fields at a time, or nothing would ever match. */
const narrowed = fc
  .tuple(match, fc.infiniteStream(fc.integer({ min: 0, max: 5 })))
  .map(([full, dice]): Match => {
    const kept = Object.entries(full).filter(() => dice.next().value === 0);
    return Object.fromEntries(kept);
  });

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ type: fc.constantFrom('set-med', 'set-local-pref', 'default-local-pref'), value: small }),
  fc.record({ type: fc.constant('add-med'), value: fc.constantFrom(-3, 1, 4294967295) }),
  fc.record({ type: fc.constant('remove-med') }),
  fc.record({ type: fc.constant('set-origin'), origin }),
  fc.record({ type: fc.constant('prepend'), asns: fc.array(small, { maxLength: 3 }) }),
  fc.record({
    type: fc.constant('remove-communities'),
    patterns: fc.constant([]).chain(() => patterns.map(standardOnly)),
  }),
  fc.tuple(small, small).map(
    ([a, b]): Operation => ({
      type: 'add-community',
      community: { type: 'standard', value: a * 65536 + b },
    }),
  ),
  fc.record({ type: fc.constant('set-next-hop'), to: fc.constantFrom<'self' | 'keep'>('self', 'keep') }),
) as fc.Arbitrary<Operation>;

function standardOnly(list: readonly CommunityPattern[]): CommunityPattern[] {
  return list.filter(({ type }) => type === 'standard');
}

export const policy: fc.Arbitrary<Policy> = fc.record({
  rules: fc
    .array(
      fc.record(
        {
          match: narrowed,
          action: fc.constantFrom('accept', 'reject', 'continue', 'continue'),
          operations: fc.array(operation, { maxLength: 3 }),
        },
        { requiredKeys: ['match', 'action'] },
      ),
      { maxLength: 6 },
    )
    .map((rules) => rules.map((rule, index) => ({ ...rule, name: `rule ${index}` }))),
  otherwise: fc.constantFrom('accept', 'reject'),
});
