import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import { AttributePool } from '../rib/attributes.ts';
import { PathTable } from '../rib/path-table.ts';
import type { Path } from '../rib/path.ts';
import { sourceOf, type PathSketch } from '../rib/testing/sketch.ts';
import type { PathAttributes } from '../wire/types.ts';
import { type ExportContext, exportPath } from './export.ts';
import { ACCEPT_ALL, defaultPolicy } from './policy.ts';
import { policyOfRules, type RuleText } from './policy-text.ts';

const at = (text: string): Address => Address.parse(text) ?? expect.fail(text);
const PREFIX = Prefix.of(at('10.0.0.0'), 8);

const external: ExportContext = {
  peerKind: 'external',
  reflectorClient: false,
  localAsn: 65101,
  clusterId: 77,
  nextHop: 'auto',
  self: { 4: at('192.0.2.1'), 6: at('2001:db8::1') },
  policy: ACCEPT_ALL,
};
const internal: ExportContext = { ...external, peerKind: 'internal' };

const FULL: PathAttributes = {
  origin: 'EGP',
  asPath: [{ type: 'sequence', asns: [65001] }],
  med: 10,
  localPref: 200,
  originatorId: 5,
  clusterList: [6],
  communities: [7],
  unknown: [
    { flags: 0xc0, code: 99, value: Uint8Array.of(1) },
    { flags: 0x80, code: 98, value: Uint8Array.of(1) },
  ],
};

function pathWith(attributes: PathAttributes, sketch: PathSketch = {}, client = false): Path {
  const pool = new AttributePool();
  const set = pool.intern(attributes);
  const source = { ...sourceOf(sketch), reflectorClient: client };
  return new PathTable(pool).intern({
    source,
    pathId: 0,
    nextHop: source.kind === 'local' ? undefined : { address: at('192.0.2.9') },
    received: set,
    attributes: set,
    rejected: undefined,
  });
}

const own: PathAttributes = { origin: 'IGP', asPath: [] };

const by = (...rules: RuleText[]): ExportContext['policy'] => policyOfRules(rules, 'accept');

/** The next hop of a route under a policy that sets one. */
function through(nextHop: string, context: ExportContext): string {
  const policy = by({ action: 'accept', set: { nextHop } });
  const exported = exportPath(PREFIX, pathWith(FULL), { ...context, policy });
  return exported.send ? exported.nextHop.address.toString() : exported.reason;
}

describe('export', () => {
  it('to eBGP: our AS in front, ourselves as next hop, nothing that belongs inside, unknown transitive marked partial', () => {
    expect(exportPath(PREFIX, pathWith(FULL), external)).to.deep.equal({
      send: true,
      rule: 'no rule matched',
      nextHop: { address: at('192.0.2.1') },
      attributes: {
        origin: 'EGP',
        asPath: [{ type: 'sequence', asns: [65101, 65001] }],
        communities: [7],
        unknown: [{ flags: 0xe0, code: 99, value: Uint8Array.of(1) }],
      },
    });
  });

  it('to eBGP: extended communities that are not transitive come off (RFC 4360 §6), and stay on to iBGP', () => {
    const extendedCommunities = [0x0002_fde8_0000_0001n, 0x4004_fde8_0000_0002n];
    const path = pathWith({ ...own, extendedCommunities });
    const to = (context: ExportContext): unknown => {
      const exported = exportPath(PREFIX, path, context);
      return exported.send && exported.attributes.extendedCommunities;
    };
    expect(to(external)).to.deep.equal([0x0002_fde8_0000_0001n]);
    expect(to(internal)).to.deep.equal(extendedCommunities);
    const only = exportPath(PREFIX, pathWith({ ...own, extendedCommunities: [1n << 62n] }), external);
    expect(only.send && 'extendedCommunities' in only.attributes).to.equal(false);
  });

  it('to eBGP: a MED of our own goes out', () => {
    const exported = exportPath(PREFIX, pathWith({ ...own, med: 4 }, { kind: 'local' }), external);
    expect(exported).to.have.nested.property('attributes.med', 4);
  });

  it('to eBGP: confederation segments stay inside', () => {
    const path = pathWith({
      ...own,
      asPath: [
        { type: 'confed-sequence', asns: [1] },
        { type: 'sequence', asns: [2] },
      ],
    });
    expect(exportPath(PREFIX, path, external)).to.have.deep.nested.property('attributes.asPath', [
      { type: 'sequence', asns: [65101, 2] },
    ]);
  });

  it('to eBGP: the next hop stays where that is asked for, but never for our own route', () => {
    const keep: ExportContext = { ...external, nextHop: 'keep' };
    expect(exportPath(PREFIX, pathWith(FULL), keep)).to.have.deep.property('nextHop', {
      address: at('192.0.2.9'),
    });
    const mine = pathWith(own, { kind: 'local' });
    expect(exportPath(PREFIX, mine, keep)).to.have.deep.property('nextHop', { address: at('192.0.2.1') });
  });

  it('to iBGP: LOCAL_PREF always, path and next hop as they came', () => {
    const learned = pathWith({ ...own, asPath: [{ type: 'sequence', asns: [65001] }], med: 3 });
    expect(exportPath(PREFIX, learned, internal)).to.deep.include({
      nextHop: { address: at('192.0.2.9') },
      attributes: { origin: 'IGP', asPath: [{ type: 'sequence', asns: [65001] }], med: 3, localPref: 100 },
    });
    expect(exportPath(PREFIX, learned, { ...internal, nextHop: 'self' })).to.have.deep.property('nextHop', {
      address: at('192.0.2.1'),
    });
  });

  const reflection: [string, boolean, boolean, boolean][] = [
    ['nobody is a client', false, false, false],
    ['it came from a client', true, false, true],
    ['it goes to a client', false, true, true],
    ['both are clients', true, true, true],
  ];
  for (const [what, from, to, sent] of reflection)
    it(`from iBGP to iBGP where ${what}: ${sent ? 'reflected' : 'held back'} (RFC 4456 §6)`, () => {
      const path = pathWith(own, { kind: 'internal', routerId: 9 }, from);
      const exported = exportPath(PREFIX, path, { ...internal, reflectorClient: to });
      expect(exported.send).to.equal(sent);
      if (exported.send) expect(exported.attributes).to.deep.include({ originatorId: 9, clusterList: [77] });
    });

  it('reflects with the first originator, and its own cluster in front', () => {
    const path = pathWith(FULL, { kind: 'internal' }, true);
    expect(exportPath(PREFIX, path, internal))
      .to.have.deep.property('attributes')
      .that.deep.includes({
        originatorId: 5,
        clusterList: [77, 6],
        localPref: 200,
      });
  });

  const wellKnown: [string, number, boolean, boolean][] = [
    ['NO_EXPORT', 0xffffff01, false, true],
    ['NO_ADVERTISE', 0xffffff02, false, false],
    ['NO_EXPORT_SUBCONFED', 0xffffff03, false, true],
  ];
  for (const [name, value, toExternal, toInternal] of wellKnown)
    it(`honours ${name}`, () => {
      const path = pathWith({ ...own, communities: [value] });
      expect(exportPath(PREFIX, path, external).send).to.equal(toExternal);
      expect(exportPath(PREFIX, path, internal).send).to.equal(toInternal);
    });

  it('holds back what has no next hop of its version, and says so', () => {
    const v6 = Prefix.of(at('fd00::'), 64);
    const exported = exportPath(v6, pathWith(own, { kind: 'local' }), {
      ...external,
      self: { 4: at('192.0.2.1') },
    });
    expect(exported).to.deep.equal({ send: false, reason: 'we have no IPv6 address to give as next hop' });
  });

  it('shows policy LOCAL_PREF towards eBGP, and takes it off after', () => {
    const policy = by({ match: { localPref: 200 }, action: 'accept', set: { med: 7 } });
    const sent = exportPath(PREFIX, pathWith(FULL), { ...external, policy });
    expect(sent).to.have.nested.property('attributes.med', 7);
    expect(sent).to.have.property('attributes').that.does.not.have.property('localPref');
  });

  it('lets policy choose the next hop, of the version of the prefix', () => {
    expect(through('198.51.100.1', external)).to.equal('198.51.100.1');
    expect(through('2001:db8::9', external)).to.equal('192.0.2.1');
    expect(through('keep', external)).to.equal('192.0.2.9');
    expect(through('self', internal)).to.equal('192.0.2.1');
    expect(through('self', { ...internal, self: {} })).to.equal(
      'we have no IPv4 address to give as next hop',
    );
  });

  it('knows the link of a next hop and of a single address of our own', () => {
    const policy = by({ match: { interface: 'cali*' }, action: 'accept' }, { action: 'reject' });
    const context = { ...external, policy, interfaceOf: () => 'cali1' };
    const host = Prefix.host(at('10.0.0.1'));
    const local = pathWith(own, { kind: 'local' });
    expect([
      exportPath(PREFIX, pathWith(FULL), context).send,
      exportPath(host, local, context).send,
      exportPath(PREFIX, local, context).send,
      exportPath(host, local, { ...external, policy }).send,
    ]).to.deep.equal([true, true, false, false]);
  });

  it('names the rule of the policy that holds back', () => {
    const exported = exportPath(PREFIX, pathWith(own), { ...external, policy: defaultPolicy('external') });
    expect(exported).to.deep.equal({ send: false, reason: 'no policy for this eBGP peer (RFC 8212)' });
  });
});
