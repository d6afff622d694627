import { expect } from 'chai';
import { Prefix } from '../../net/addr/index.ts';
import { ACCEPT_ALL } from '../filter/policy.ts';
import type { PeerConfig, SpeakerConfig } from './config.ts';
import { plan } from './plan.ts';

const PEER: PeerConfig = {
  session: {
    name: 'tor',
    peerAddress: '192.0.2.1',
    peerPort: 179,
    peerAsn: 65000,
    localAsn: 65001,
    routerId: 1,
    holdSeconds: 90,
    connectRetrySeconds: 5,
    passive: false,
    families: ['ipv4-unicast'],
  },
};

const speaker = (...peers: readonly PeerConfig[]): SpeakerConfig => ({
  asn: 65001,
  routerId: 1,
  peers,
  originated: [],
  addresses: [],
});

const withSession = (change: Partial<PeerConfig['session']>): PeerConfig => ({
  ...PEER,
  session: { ...PEER.session, ...change },
});

const summary = (before: SpeakerConfig | undefined, after: SpeakerConfig): string[] =>
  plan(before, after).peers.map(({ peer, action }) => `${peer} ${action}`);

describe('the plan of a new configuration', () => {
  const cases: readonly [what: string, after: PeerConfig, action: string, fields: readonly string[]][] = [
    ['the same again', { ...PEER, session: { ...PEER.session } }, 'nothing', []],
    ['defaults written out', { ...PEER, reflectorClient: false, nextHop: 'auto' }, 'nothing', []],
    ['a description', withSession({ description: 'top of rack' }), 'nothing', ['description']],
    ['a pause between attempts', withSession({ connectRetrySeconds: 9 }), 'updated', ['connectRetrySeconds']],
    ['a port to connect to', withSession({ peerPort: 1179 }), 'updated', ['peerPort']],
    ['a hold time', withSession({ holdSeconds: 9 }), 'restarted', ['holdSeconds']],
    ['a TTL', withSession({ ttl: 1 }), 'restarted', ['ttl']],
    ['a family', withSession({ families: ['ipv6-unicast'] }), 'restarted', ['families']],
    ['an import policy', { ...PEER, importPolicy: ACCEPT_ALL }, 'policy', ['importPolicy']],
    ['a bound on stale routes', { ...PEER, maxStaleSeconds: 9 }, 'updated', ['maxStaleSeconds']],
    [
      'two things, the stronger one',
      { ...withSession({ ttl: 2 }), exportPolicy: ACCEPT_ALL },
      'restarted',
      ['ttl', 'exportPolicy'],
    ],
  ];
  for (const [what, after, action, fields] of cases) {
    it(`${what}: ${action}`, () => {
      const { peers } = plan(speaker(PEER), speaker(after));
      expect(peers.map((each) => each.action)).to.deep.equal([action]);
      expect(peers[0]?.changes.map(({ field }) => field)).to.deep.equal(fields);
    });
  }

  it('knows who comes, who goes and who is held', () => {
    const other = withSession({ name: 'other', peerAddress: '192.0.2.2' });
    expect(summary(undefined, speaker(PEER))).to.deep.equal(['tor added']);
    expect(summary(speaker(PEER), speaker(other))).to.deep.equal(['other added', 'tor removed']);
    expect(summary(speaker(PEER), { ...speaker(other), held: ['tor'] })).to.deep.equal(['other added']);
  });

  it('names what changed for the whole speaker', () => {
    const prefix = Prefix.parse('10.0.0.0/8') as Prefix;
    const after = { ...speaker(PEER), clusterId: 7, originated: [{ prefix, kernel: 'none' as const }] };
    expect(plan(speaker(PEER), after).router).to.deep.equal(['clusterId', 'originate']);
    expect(plan(undefined, after).router).to.deep.equal([]);
  });
});
