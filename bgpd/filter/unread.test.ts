import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { AttributePool } from '../rib/attributes.ts';
import { sourceOf } from '../rib/testing/sketch.ts';
import { attributes } from '../wire/testing/arbitraries.ts';
import { EXTERNAL, INTERNAL } from '../wire/testing/octets.ts';
import type { PathAttributes } from '../wire/types.ts';
import { importPath, type ImportContext } from './import.ts';
import { ACCEPT_ALL } from './policy.ts';
import { acceptsEverything, passesUnread } from './unread.ts';

/** Attributes in which the numbers that the rules look for are common. */
const some = fc
  .tuple(
    fc.oneof(attributes(EXTERNAL), attributes(INTERNAL)),
    fc.array(fc.constantFrom(65000, 65001, 65002), { minLength: 1, maxLength: 4 }),
    fc.boolean(),
  )
  .map(
    ([values, asns, set]): PathAttributes => ({
      ...values,
      asPath: [{ type: set ? 'set' : 'sequence', asns }, ...values.asPath],
      ...(values.originatorId === undefined ? {} : { originatorId: (values.originatorId % 3) + 1 }),
    }),
  );

const context = fc
  .record({
    peerKind: fc.constantFrom('external' as const, 'internal' as const),
    allowedLocalAs: fc.nat(2),
    enforceFirstAs: fc.boolean(),
    own: fc.boolean(),
  })
  .map(
    ({ own, ...rest }): ImportContext => ({
      ...rest,
      peerAsn: 65001,
      localAsn: 65000,
      routerId: 1,
      clusterIds: [1],
      isOwnAddress: () => own,
      policy: ACCEPT_ALL,
    }),
  );

describe('passesUnread', () => {
  it('says yes only to what import accepts and leaves as it is', () => {
    let passed = 0;
    const nextHop = { address: Address.v4(0xc0000201) };
    const prefix = Prefix.of(Address.v4(0x0a000000), 8);
    fc.assert(
      fc.property(some, context, (values, around) => {
        const set = new AttributePool().intern(values);
        expect(acceptsEverything(around)).to.equal(true);
        if (!passesUnread(set, nextHop, around)) return;
        passed++;
        const candidate = { prefix, source: sourceOf({}), nextHop, attributes: set.attributes };
        const verdict = importPath(candidate, around);
        expect(verdict.accepted && verdict.attributes).to.equal(candidate.attributes);
      }),
      { numRuns: 2000 },
    );
    expect(passed).to.be.greaterThan(100);
  });

  it('is not asked where there is a policy', () => {
    const around = { policy: { rules: [], otherwise: 'reject' } } as unknown as ImportContext;
    expect(acceptsEverything(around)).to.equal(false);
    expect(acceptsEverything({ policy: ACCEPT_ALL, rejectAsSets: false })).to.equal(true);
    expect(acceptsEverything({ policy: ACCEPT_ALL, rejectAsSets: true })).to.equal(false);
  });
});
