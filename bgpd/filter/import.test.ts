import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import { sourceOf } from '../rib/testing/sketch.ts';
import type { PathAttributes } from '../wire/types.ts';
import { type ImportContext, importPath } from './import.ts';
import { ACCEPT_ALL } from './policy.ts';
import { policyOfRules } from './policy-text.ts';

const at = (text: string): Address => Address.parse(text) ?? expect.fail(text);

const context: ImportContext = {
  peerKind: 'external',
  peerAsn: 65001,
  localAsn: 65101,
  routerId: 1,
  clusterIds: [2],
  allowedLocalAs: 0,
  enforceFirstAs: true,
  isOwnAddress: (address) => address.equals(at('192.0.2.1')),
  policy: ACCEPT_ALL,
};
const internal: ImportContext = { ...context, peerKind: 'internal', peerAsn: 65101 };
const sequence = (...asns: number[]): PathAttributes => ({
  origin: 'IGP',
  asPath: [{ type: 'sequence', asns }],
});

const cases: {
  it: string;
  context?: ImportContext;
  attributes: PathAttributes;
  nextHop?: string;
  want: string | undefined;
}[] = [
  { it: 'takes a plain route', attributes: sequence(65001), want: undefined },
  { it: 'refuses its own AS', attributes: sequence(65001, 65101), want: 'AS loop' },
  {
    it: 'takes its own AS as often as allowed',
    context: { ...context, allowedLocalAs: 1 },
    attributes: sequence(65001, 65101),
    want: undefined,
  },
  {
    it: 'and not more often',
    context: { ...context, allowedLocalAs: 1 },
    attributes: sequence(65001, 65101, 65101),
    want: 'AS loop',
  },
  {
    it: 'finds its own AS in a set',
    attributes: { origin: 'IGP', asPath: [...sequence(65001).asPath, { type: 'set', asns: [5, 65101] }] },
    want: 'AS loop',
  },
  {
    it: 'finds its own AS in a segment of a confederation',
    context: internal,
    attributes: { origin: 'IGP', asPath: [{ type: 'confed-sequence', asns: [5, 65101] }] },
    want: 'AS loop',
  },
  {
    it: 'takes a set where nobody minds',
    attributes: { origin: 'IGP', asPath: [...sequence(65001).asPath, { type: 'set', asns: [5, 6] }] },
    want: undefined,
  },
  {
    it: 'refuses a set where that is asked for',
    context: { ...context, rejectAsSets: true },
    attributes: { origin: 'IGP', asPath: [...sequence(65001).asPath, { type: 'set', asns: [5, 6] }] },
    want: 'RFC 9774',
  },
  {
    it: 'refuses a set of a confederation, too',
    context: { ...internal, rejectAsSets: true },
    attributes: { origin: 'IGP', asPath: [{ type: 'confed-set', asns: [5] }] },
    want: 'RFC 9774',
  },
  {
    it: 'takes sequences where sets are refused',
    context: { ...internal, rejectAsSets: true },
    attributes: { origin: 'IGP', asPath: [{ type: 'confed-sequence', asns: [5] }, ...sequence(7).asPath] },
    want: undefined,
  },
  { it: 'refuses its own AS on iBGP, too', context: internal, attributes: sequence(65101), want: 'AS loop' },
  {
    it: 'wants the peer first in the path',
    attributes: sequence(65002, 65001),
    want: 'begins with AS 65002',
  },
  { it: 'wants some path on eBGP', attributes: sequence(), want: 'begins with AS nothing' },
  {
    it: 'lets a route server stay out of the path',
    context: { ...context, enforceFirstAs: false },
    attributes: sequence(65002),
    want: undefined,
  },
  {
    it: 'takes an empty path on iBGP',
    context: internal,
    attributes: { origin: 'IGP', asPath: [] },
    want: undefined,
  },
  {
    it: 'refuses what it originated itself',
    context: internal,
    attributes: { ...sequence(), originatorId: 1 },
    want: 'ORIGINATOR_ID',
  },
  {
    it: 'refuses what its cluster has reflected',
    context: internal,
    attributes: { ...sequence(), clusterList: [9, 2] },
    want: 'CLUSTER_LIST',
  },
  {
    it: 'does not look at marks of reflection from eBGP',
    attributes: { ...sequence(65001), originatorId: 1, clusterList: [2] },
    want: undefined,
  },
  {
    it: 'refuses a way through itself',
    attributes: sequence(65001),
    nextHop: '192.0.2.1',
    want: 'ourselves',
  },
  { it: 'refuses 0.0.0.0', attributes: sequence(65001), nextHop: '0.0.0.0', want: 'no host' },
  { it: 'refuses a multicast next hop', attributes: sequence(65001), nextHop: 'ff02::1', want: 'no host' },
  { it: 'refuses loopback', attributes: sequence(65001), nextHop: '127.0.0.1', want: 'no host' },
];

/** A policy that sets a next hop. */
const setting = (nextHop: string): ImportContext => ({
  ...context,
  policy: policyOfRules([{ name: 'set', action: 'accept', set: { nextHop } }], 'reject'),
});

describe('import', () => {
  for (const c of cases)
    it(c.it, () => {
      const candidate = {
        prefix: Prefix.of(at('10.0.0.0'), 8),
        source: sourceOf({}),
        nextHop: { address: at(c.nextHop ?? '192.0.2.9') },
        attributes: c.attributes,
      };
      const imported = importPath(candidate, c.context ?? context);
      if (c.want === undefined) expect(imported).to.have.property('accepted', true);
      else expect(imported).to.have.property('reason').that.includes(c.want);
    });

  it('sets the next hop that policy says, of the version of the prefix', () => {
    const candidate = {
      prefix: Prefix.of(at('10.0.0.0'), 8),
      source: sourceOf({}),
      nextHop: { address: at('192.0.2.9') },
      attributes: sequence(65001),
    };
    expect(importPath(candidate, setting('192.0.2.7'))).to.have.deep.property('setNextHop', {
      address: at('192.0.2.7'),
    });
    for (const other of ['2001:db8::7', 'self', 'keep'])
      expect(importPath(candidate, setting(other))).to.not.have.property('setNextHop');
    expect(importPath(candidate, setting('192.0.2.1'))).to.deep.equal({
      accepted: false,
      reason: 'next hop 192.0.2.1 is ourselves (RFC 4271 §5.1.3); "set" has set it',
    });
  });

  it('shows policy the link to the next hop, asks for it only where policy does, and names what changed the route', () => {
    const asked: string[] = [];
    const interfaceOf = (address: Address): string => {
      asked.push(address.toString());
      return 'eth0';
    };
    const candidate = {
      prefix: Prefix.of(at('10.0.0.0'), 8),
      source: sourceOf({}),
      nextHop: { address: at('192.0.2.9') },
      attributes: sequence(65001),
    };
    expect(importPath(candidate, { ...context, interfaceOf })).to.have.property('accepted', true);
    expect(asked).to.deep.equal([]);
    const match = { interface: 'eth0', nextHop: ['192.0.2.0/24'] };
    const policy = policyOfRules([{ name: 'by link', match, action: 'accept', set: { med: 1 } }], 'reject');
    expect(importPath(candidate, { ...context, interfaceOf, policy })).to.deep.equal({
      accepted: true,
      rule: 'by link',
      changedBy: ['by link'],
      attributes: { ...sequence(65001), med: 1 },
    });
    expect(asked).to.deep.equal(['192.0.2.9']);
    expect(importPath(candidate, { ...context, policy })).to.have.property('accepted', false);
  });

  it('takes off what an external peer has no say in, and keeps the same object where there is none of it', () => {
    const said: PathAttributes = {
      ...sequence(65001),
      localPref: 500,
      originatorId: 9,
      clusterList: [9],
      med: 3,
    };
    const candidate = {
      prefix: Prefix.of(at('10.0.0.0'), 8),
      source: sourceOf({}),
      nextHop: { address: at('192.0.2.9') },
      attributes: said,
    };
    expect(importPath(candidate, context)).to.have.deep.property('attributes', {
      ...sequence(65001),
      med: 3,
    });
    const plain = { ...candidate, attributes: sequence(65001) };
    expect(importPath(plain, context)).to.have.property('attributes', plain.attributes);
  });
});
