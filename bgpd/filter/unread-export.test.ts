import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { AttributePool } from '../rib/attributes.ts';
import { PathTable } from '../rib/path-table.ts';
import type { Path } from '../rib/path.ts';
import { sourceOf } from '../rib/testing/sketch.ts';
import { attributes, nextHop } from '../wire/testing/arbitraries.ts';
import { EXTERNAL, INTERNAL } from '../wire/testing/octets.ts';
import type { Family, NextHop, PathAttributes } from '../wire/types.ts';
import { encodeRoute } from '../wire/update-packer.ts';
import { Writer } from '../wire/writer.ts';
import { exportPath, type ExportContext } from './export.ts';
import { ACCEPT_ALL, NO_POLICY } from './policy.ts';
import { unreadExport } from './unread-export.ts';

const FAMILIES: readonly Family[] = ['ipv4-unicast', 'ipv6-unicast'];
const PREFIXES = {
  'ipv4-unicast': Prefix.of(Address.v4(0x0a000000), 8),
  'ipv6-unicast': Prefix.of(Address.v6(0x20010db8, 0, 0, 0), 32),
};

/** Any attributes, those that are passed on as they are more often, and the odd ones that have a rule of their own. */
const some = fc
  .record({
    values: fc.oneof(attributes(EXTERNAL), attributes(INTERNAL)),
    plain: fc.boolean(),
    community: fc.constantFrom(undefined, 7, 0xffffff01, 0xffffff02, 0xffffff03, 0xffff0000, 0xfffeffff),
    lead: fc.constantFrom('sequence', 'set', 'confed-sequence', 'none', 'nothing'),
    asns: fc.oneof(
      fc.array(fc.constantFrom(1, 65101, 4_200_000_000), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 50, max: 300 }).map((length) => Array.from({ length }, () => 7)),
    ),
    clusters: fc.integer({ min: 0, max: 70 }),
  })
  .map(({ values, plain, community, lead, asns, clusters }): PathAttributes => {
    const { unknown, aigp, extendedCommunities, ...rest } = values;
    return {
      ...rest,
      ...(plain ? {} : { unknown, aigp, extendedCommunities }),
      ...(community === undefined ? {} : { communities: [...(values.communities ?? []), community] }),
      ...(clusters > 66 ? { clusterList: Array.from({ length: clusters }, () => 3) } : {}),
      asPath:
        lead === 'nothing' ? [] : lead === 'none' ? values.asPath : [{ type: lead, asns }, ...values.asPath],
    };
  });

const context = fc.record({
  peerKind: fc.constantFrom('external' as const, 'internal' as const),
  reflectorClient: fc.boolean(),
  localAsn: fc.constantFrom(65101, 4_200_000_001),
  clusterId: fc.constant(77),
  nextHop: fc.constantFrom('auto' as const, 'self' as const, 'keep' as const),
  self: fc.constantFrom({}, { 4: Address.v4(0xc0000201), 6: Address.v6(0x20010db8, 0, 0, 1) }),
  policy: fc.constant(ACCEPT_ALL),
});

const source = fc
  .record({
    kind: fc.constantFrom('local' as const, 'external' as const, 'internal' as const),
    client: fc.boolean(),
    clusterId: fc.constantFrom(undefined, 77, 78),
  })
  .map(({ kind, client, clusterId }) => ({
    ...sourceOf({ kind }),
    reflectorClient: client,
    ...(clusterId === undefined ? {} : { clusterId }),
  }));

function pathOf(from: Path['source'], hop: NextHop, values: PathAttributes): Path {
  const pool = new AttributePool();
  const set = pool.intern(values);
  return new PathTable(pool).intern({
    source: from,
    pathId: 0,
    nextHop: from.kind === 'local' ? undefined : hop,
    received: set,
    attributes: set,
    rejected: undefined,
  });
}

function octets(length: number, w: Writer): string {
  return Buffer.from(w.view().subarray(1, 1 + length)).toString('hex');
}

describe('unreadExport', () => {
  for (const family of FAMILIES) {
    it(`writes what export and the encoder come to, or leaves it to them, ${family}`, () => {
      let written = 0;
      const cases = fc.record({ around: context, from: source, hop: nextHop(family), values: some });
      fc.assert(
        fc.property(cases, ({ around, from, hop, values }) => {
          const session = around.peerKind === 'internal' ? INTERNAL : EXTERNAL;
          const path = pathOf(from, hop, values);
          const w = new Writer(4).u8(9);
          const length = unreadExport(around, family, session)?.(path, w) ?? expect.fail();
          if (length < 0) return;
          written++;
          const exported = exportPath(PREFIXES[family], path, around);
          if (!exported.send) expect.fail(exported.reason);
          const slow = new Writer(4).u8(9);
          const wanted = encodeRoute(slow, family, exported.attributes, exported.nextHop, session);
          expect(octets(length, w)).to.equal(octets(wanted, slow));
        }),
        { numRuns: 3000 },
      );
      expect(written).to.be.greaterThan(100);
    });
  }

  it('is not asked where there is a policy, or a peer of 2-octet AS numbers', () => {
    const around: ExportContext = {
      peerKind: 'external',
      reflectorClient: false,
      localAsn: 65101,
      clusterId: 77,
      nextHop: 'auto',
      self: {},
      policy: ACCEPT_ALL,
    };
    const old = { ...EXTERNAL, fourOctetAs: false };
    expect(unreadExport({ ...around, policy: NO_POLICY }, 'ipv4-unicast', EXTERNAL)).to.equal(undefined);
    expect(unreadExport(around, 'ipv4-unicast', old)).to.equal(undefined);
  });
});
