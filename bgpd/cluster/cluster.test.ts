import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { evaluate } from '../filter/policy.ts';
import type { PeerConfig } from '../speaker/config.ts';
import { configureNode, type ClusterResources, type NodeConfiguration } from './index.ts';
import { affinity, cluster, endpoint, node, pool, resource } from './testing.ts';

const p = (text: string): Prefix => Prefix.parse(text) ?? expect.fail(text);

function configured(name: string, resources: ClusterResources): NodeConfiguration {
  const { configuration, problems } = configureNode(name, resources);
  expect(problems).to.deep.equal([]);
  return configuration ?? expect.fail('no configuration');
}

function peersOf(name: string, resources: ClusterResources): readonly PeerConfig[] {
  return configured(name, resources).speaker.peers;
}

const line = ({ session }: PeerConfig): string =>
  `${session.name}: ${session.localAddress ?? '-'} -> ${session.peerAddress}:${session.peerPort} AS ${session.peerAsn} ${session.families.join()}${session.passive ? ' passive' : ''}`;

function lines(name: string, resources: ClusterResources): readonly string[] {
  return peersOf(name, resources).map(line);
}

const peer = (name: string, spec: object) => resource('BGPPeer', name, spec);

/** May this node tell a peer the route? */
function tells(config: PeerConfig, prefix: string, origin: 'local' | 'peers' = 'local'): boolean {
  const policy = config.exportPolicy ?? expect.fail('no export policy');
  const attributes = { origin: 'IGP', asPath: [] } as const;
  return evaluate(policy, { prefix: p(prefix), source: origin, peerKind: 'external', attributes }).accepted;
}

const only6 = (name: string) => resource('Node', name, { bgp: { ipv6Address: 'fd00::9/64' } });

function codes(resources: ClusterResources): unknown[] {
  const { configuration, problems } = configureNode('n1', resources);
  return [configuration, problems.map(({ code }) => code)];
}

const NODES = [node('n1', 1, { rack: 'a' }), node('n2', 2, { rack: 'a' }), node('n3', 3, { rack: 'b' })];

const felix = (name: string, floatingIPs: string) => resource('FelixConfiguration', name, { floatingIPs });

function ref(key: string) {
  return { secretKeyRef: { name: 'bgp-secrets', key } };
}

describe('cluster', () => {
  it('knows who the node is: AS number, router id, addresses, port', () => {
    const bgpConfigurations = [
      resource('BGPConfiguration', 'default', {
        asNumber: 64999,
        listenPort: 1179,
        nodeToNodeMeshEnabled: false,
      }),
      resource('BGPConfiguration', 'node.n2', { asNumber: 64998 }),
    ];
    const nodes = [node('n1', 1), node('n2', 2), node('n3', 3, {}, { asNumber: 64997 })];
    const of = (name: string): NodeConfiguration => configured(name, cluster({ nodes, bgpConfigurations }));
    expect(['n1', 'n2', 'n3'].map((name) => of(name).speaker.asn)).to.deep.equal([64999, 64998, 64997]);
    expect(of('n1').speaker.routerId).to.equal(0x0a000001);
    expect(of('n1').speaker.addresses.map(String)).to.deep.equal(['10.0.0.1', 'fd00::1']);
    expect(of('n1').listen).to.deep.equal({ port: 1179, addresses: undefined });
    expect(configured('n1', cluster({ nodes })).speaker.asn).to.equal(64512);
  });

  it('gives a node without IPv4 a router id of its name', () => {
    const ids = ['n1', 'n2'].map(
      (name) => configured(name, cluster({ nodes: [only6(name)] })).speaker.routerId,
    );
    expect(ids[0]).to.be.within(1, 0xffffffff).and.not.equal(ids[1]);
  });

  it('tells nothing about a node that is not there or has no address: whatever runs stays', () => {
    expect(codes(cluster({}))).to.deep.equal([undefined, ['NODE_MISSING']]);
    expect(codes(cluster({ nodes: [resource('Node', 'n1', {})] }))).to.deep.equal([
      undefined,
      ['NODE_WITHOUT_BGP'],
    ]);
  });

  describe('peers', () => {
    it('takes BGPPeers for all nodes, for one by name, and by selector', () => {
      const bgpPeers = [
        peer('all', { peerIP: '192.0.2.1', asNumber: 65001 }),
        peer('by-name', { node: 'n1', peerIP: '192.0.2.2:1179', asNumber: 65002 }),
        peer('by-selector', { nodeSelector: "rack == 'b'", peerIP: '[2001:db8::3]:179', asNumber: 65003 }),
      ];
      const resources = cluster({ nodes: NODES, bgpPeers });
      expect(lines('n1', resources)).to.deep.equal([
        'all: 10.0.0.1 -> 192.0.2.1:179 AS 65001 ipv4-unicast',
        'by-name: 10.0.0.1 -> 192.0.2.2:1179 AS 65002 ipv4-unicast',
      ]);
      expect(lines('n3', resources)).to.deep.equal([
        'all: 10.0.0.3 -> 192.0.2.1:179 AS 65001 ipv4-unicast',
        'by-selector: fd00::3 -> 2001:db8::3:179 AS 65003 ipv6-unicast',
      ]);
    });

    it('peers nodes by selector in both directions, each version, the lower address calling', () => {
      const bgpPeers = [peer('rr', { nodeSelector: "rack == 'a'", peerSelector: "rack == 'b'" })];
      const resources = cluster({ nodes: NODES, bgpPeers });
      expect(lines('n1', resources)).to.deep.equal([
        'rr-n3: 10.0.0.1 -> 10.0.0.3:179 AS 64512 ipv4-unicast passive',
        'rr-n3-v6: fd00::1 -> fd00::3:179 AS 64512 ipv6-unicast passive',
      ]);
      expect(lines('n3', resources)).to.deep.equal([
        'rr-n1: 10.0.0.3 -> 10.0.0.1:179 AS 64512 ipv4-unicast',
        'rr-n1-v6: fd00::3 -> fd00::1:179 AS 64512 ipv6-unicast',
        'rr-n2: 10.0.0.3 -> 10.0.0.2:179 AS 64512 ipv4-unicast',
        'rr-n2-v6: fd00::3 -> fd00::2:179 AS 64512 ipv6-unicast',
      ]);
      const manual = [
        peer('rr', { nodeSelector: "rack == 'a'", peerSelector: "rack == 'b'", reversePeering: 'Manual' }),
      ];
      expect(lines('n3', cluster({ nodes: NODES, bgpPeers: manual }))).to.deep.equal([]);
    });

    it('meshes all nodes but route reflectors, unless told not to', () => {
      const nodes = [...NODES, node('rr', 9, {}, { routeReflectorClusterID: '244.0.0.1' })];
      const resources = cluster({ nodes, bgpConfigurations: [] });
      expect(peersOf('n1', resources).map(({ session }) => session.name)).to.deep.equal([
        'mesh-n2',
        'mesh-n2-v6',
        'mesh-n3',
        'mesh-n3-v6',
      ]);
      expect(peersOf('rr', resources)).to.deep.equal([]);
      expect(peersOf('n1', cluster({ nodes }))).to.deep.equal([]);
    });

    it('has exactly one calling side for each pair of the mesh', () => {
      const resources = cluster({ nodes: NODES, bgpConfigurations: [] });
      const calls = NODES.flatMap(({ metadata }) =>
        peersOf(metadata.name, resources).map(({ session }) => ({
          pair: new Set([session.localAddress, session.peerAddress]),
          calling: !session.passive,
        })),
      );
      for (const { pair } of calls)
        expect(
          calls
            .filter((call) => call.pair.symmetricDifference(pair).size === 0)
            .map(({ calling }) => calling),
        ).to.have.members([true, false]);
    });

    it('makes clients of the internal peers of a route reflector, but not of its cluster mates', () => {
      const nodes = [
        node('rr1', 1, { rr: 'yes' }, { routeReflectorClusterID: '244.0.0.1' }),
        node('rr2', 2, { rr: 'yes' }, { routeReflectorClusterID: '244.0.0.1' }),
        node('n3', 3),
      ];
      const bgpPeers = [peer('to-rr', { nodeSelector: 'all()', peerSelector: "rr == 'yes'" })];
      const clients = (name: string): string[] =>
        peersOf(name, cluster({ nodes, bgpPeers })).map(
          ({ session, reflectorClient }) => `${session.name} ${reflectorClient}`,
        );
      expect(clients('rr1').filter((each) => !each.includes('v6'))).to.deep.equal([
        'to-rr-rr2 false',
        'to-rr-n3 true',
      ]);
      expect(clients('n3').every((each) => each.endsWith('false'))).to.equal(true);
      expect(configured('rr1', cluster({ nodes, bgpPeers })).speaker.clusterId).to.equal(0xf4000001);
    });

    it('carries the options of a BGPPeer', () => {
      const spec = {
        peerIP: '192.0.2.1',
        asNumber: 65001,
        sourceAddress: 'None',
        maxRestartTime: '2m30s',
        keepaliveTime: '5s',
        numAllowedLocalASNumbers: 2,
        localASNumber: 65009,
        nextHopMode: 'Self',
      };
      const [only] = peersOf('n1', cluster({ nodes: NODES, bgpPeers: [peer('tor', spec)] }));
      expect(only).to.deep.include({ allowedLocalAs: 2, nextHop: 'self' });
      expect(only?.session).to.deep.include({
        localAsn: 65009,
        holdSeconds: 15,
        gracefulRestart: { restartSeconds: 150 },
      });
      expect(only?.session.localAddress).to.equal(undefined);
    });

    it('holds a peer to the hops that ttlSecurity says (RFC 5082)', () => {
      const hops = [undefined, 0, 1, 3].map((ttlSecurity) => {
        const spec = {
          peerIP: '192.0.2.1',
          asNumber: 65001,
          ...(ttlSecurity === undefined ? {} : { ttlSecurity }),
        };
        const { configuration } = configureNode(
          'n1',
          cluster({ nodes: NODES, bgpPeers: [peer('tor', spec)] }),
        );
        const [tor] = configuration?.speaker.peers ?? [];
        return [tor?.session.ttl, tor?.session.minimalTtl];
      });
      expect(hops).to.deep.equal([
        [undefined, undefined],
        [undefined, undefined],
        [255, 255],
        [255, 253],
      ]);
    });

    it('starts no session without what the user asked for, and leaves one that runs as it is', () => {
      const to = { peerIP: '192.0.2.1', asNumber: 65001 };
      for (const [spec, field] of [
        [{ filters: ['gone'] }, 'spec.filters[0]'],
        [{ password: { secretKeyRef: { name: 's', key: 'k', optional: true } } }, 'spec.password'],
        [{ reachableBy: '10.0.0.254' }, 'spec.reachableBy'],
      ] as const) {
        const bgpPeers = [peer('tor', { ...to, ...spec })];
        const { configuration, problems } = configureNode('n1', cluster({ nodes: NODES, bgpPeers }));
        expect(problems.map((problem) => problem.field)).to.deep.equal([field]);
        expect(configuration?.speaker.peers).to.deep.equal([]);
        expect(configuration?.speaker.held).to.deep.equal(['tor']);
      }
    });

    it('signs with the password of the Secret that a peer names, and the mesh with its own', () => {
      const values = new Map([
        ['bgp-secrets/tor', 'k1'],
        ['bgp-secrets/mesh', 'k2'],
        ['bgp-secrets/long', 'x'.repeat(81)],
        ['bgp-secrets/empty', ''],
      ]);
      const outcome = (key: string) =>
        configureNode(
          'n1',
          cluster({
            nodes: NODES,
            bgpPeers: [peer('tor', { peerIP: '192.0.2.1', asNumber: 65001, password: ref(key) })],
            bgpConfigurations: [resource('BGPConfiguration', 'default', { nodeMeshPassword: ref('mesh') })],
            secret: (name, of) => values.get(`${name}/${of}`),
          }),
        );
      const { configuration, problems } = outcome('tor');
      expect(problems).to.deep.equal([]);
      const passwords = configuration?.speaker.peers.map(({ session }) => [session.name, session.password]);
      expect(passwords).to.deep.include(['tor', 'k1']);
      expect(passwords?.filter(([name]) => name !== 'tor').map(([, password]) => password)).to.satisfy(
        (all: string[]) => all.length > 0 && all.every((one) => one === 'k2'),
      );
      for (const key of ['long', 'empty', 'gone']) {
        const without = outcome(key);
        expect(without.problems.map(({ code, value }) => [code, value])).to.deep.equal([
          ['SECRET_UNUSABLE', `bgp-secrets/${key}`],
        ]);
        expect(without.configuration?.speaker.held).to.deep.equal(['tor']);
        expect(JSON.stringify(without.problems)).to.not.include('xxx');
      }
    });

    it('opens one session where two resources ask for the same address, and says so', () => {
      const to = { peerIP: '10.0.0.2', asNumber: 65001 };
      const bgpPeers = [peer('b', to), peer('a', to)];
      const outcome = configureNode('n1', cluster({ nodes: NODES, bgpPeers, bgpConfigurations: [] }));
      const names = outcome.configuration?.speaker.peers.map(({ session }) => session.name);
      expect(names).to.deep.equal(['a', 'mesh-n2-v6', 'mesh-n3', 'mesh-n3-v6']);
      expect(outcome.problems.map(({ code, resource }) => [code, resource])).to.deep.equal([
        ['PEER_DOUBLE', 'BGPPeer/b'],
      ]);
    });
  });

  describe('routes', () => {
    const affinities = [
      affinity('n1', '10.244.1.0/26'),
      affinity('n1', 'fd00:10:244::40/122'),
      affinity('n1', '10.244.2.0/26', 'pending'),
      affinity('n1', '10.244.3.0/26', 'pendingDeletion'),
      affinity('n1', '10.244.4.4/32'),
      affinity('n2', '10.244.9.0/26'),
    ];
    const workloadEndpoints = [
      endpoint('n1', 'inside', '10.244.1.7/32', 'fd00:10:244::47/128'),
      endpoint('n1', 'borrowed', '10.244.9.7/32'),
      endpoint('n2', 'elsewhere', '10.244.9.8/32'),
    ];
    const bgpPeers = [
      peer('v4', { peerIP: '192.0.2.1', asNumber: 65001 }),
      peer('v6', { peerIP: 'fd00::f', asNumber: 65001 }),
    ];
    const resources = cluster({
      nodes: NODES,
      affinities,
      workloadEndpoints,
      bgpPeers,
      ipPools: [
        pool('10.244.0.0/16'),
        pool('fd00:10:244::/48'),
        pool('10.250.0.0/16', { disableBGPExport: true }),
        pool('10.251.0.0/16', { disabled: true }),
      ],
    });

    it('originates confirmed blocks with a blackhole, and borrowed addresses without', () => {
      const { originated } = configured('n1', resources).speaker;
      expect(originated.map(({ prefix, kernel }) => `${prefix.toString()} ${kernel}`)).to.deep.equal([
        '10.244.1.0/26 blackhole',
        '10.244.4.4/32 none',
        'fd00:10:244::40/122 blackhole',
        '10.244.9.7/32 none',
      ]);
    });

    it('originates floating IPs where they are switched on, the node’s own word before the cluster’s', () => {
      const floats = endpoint('n1', 'floats', '10.244.1.9/32');
      const spec = { ...floats.spec, ipNATs: [{ internalIP: '10.244.1.9', externalIP: '10.250.7.7' }] };
      const told = (...felixConfigurations: ReturnType<typeof felix>[]): boolean =>
        configured('n1', {
          ...resources,
          workloadEndpoints: [{ ...floats, spec }],
          felixConfigurations,
        }).speaker.originated.some(({ prefix }) => prefix.toString() === '10.250.7.7/32');
      expect(told()).to.equal(false);
      expect(told(felix('default', 'Enabled'))).to.equal(true);
      expect(told(felix('default', 'Enabled'), felix('node.n1', 'Disabled'))).to.equal(false);
      expect(told(felix('node.n2', 'Enabled'))).to.equal(false);
    });

    const verdicts: [string, 'local' | 'peers', boolean, string][] = [
      ['10.244.1.0/26', 'local', true, 'its own block'],
      ['10.244.1.7/32', 'local', false, 'an address inside its own block'],
      ['10.244.1.7/32', 'peers', false, 'whoever says it'],
      ['10.244.9.7/32', 'local', true, 'a borrowed address'],
      ['10.244.9.0/26', 'peers', true, "another node's block that it learned, as Calico does"],
      ['10.250.1.0/26', 'local', false, 'a pool that is not to be exported'],
      ['10.251.1.0/26', 'local', true, 'a disabled pool, whose addresses in use must stay reachable'],
      ['10.9.0.0/24', 'local', false, 'what lies in no pool'],
      ['0.0.0.0/0', 'peers', false, 'the default route'],
    ];
    for (const [prefix, origin, told, why] of verdicts)
      it(`${told ? 'tells' : 'does not tell'} ${prefix} (${origin}): ${why}`, () => {
        const [v4] = peersOf('n1', resources);
        expect(tells(v4 as PeerConfig, prefix, origin)).to.equal(told);
      });

    it('asks the filters of the peer first, with the rules of the right version', () => {
      const bgpFilters = [
        resource('BGPFilter', 'f', {
          exportV4: [
            { action: 'Accept', cidr: '10.9.0.0/16', matchOperator: 'In', prefixLength: { min: 24 } },
            { action: 'Reject', source: 'RemotePeers' },
          ],
          exportV6: [{ action: 'Reject' }],
          importV4: [{ action: 'Reject', cidr: '0.0.0.0/0', matchOperator: 'Equal' }],
        }),
      ];
      const filtered = [
        peer('v4', { peerIP: '192.0.2.1', asNumber: 65001, filters: ['f'] }),
        peer('v6', { peerIP: 'fd00::f', asNumber: 65001, filters: ['f'] }),
      ];
      const [v4, v6] = peersOf('n1', { ...resources, bgpPeers: filtered, bgpFilters }) as [
        PeerConfig,
        PeerConfig,
      ];
      expect([tells(v4, '10.9.1.0/24'), tells(v4, '10.9.0.0/16')]).to.deep.equal([true, false]);
      expect([tells(v4, '10.244.9.0/26', 'peers'), tells(v4, '10.244.1.0/26')]).to.deep.equal([false, true]);
      expect(tells(v6, 'fd00:10:244::40/122')).to.equal(false);
      expect([v4.importPolicy?.rules.length, v6.importPolicy?.rules.length]).to.deep.equal([1, 0]);
      expect(v4.exportPolicy?.rules[0]?.name).to.equal('BGPFilter/f spec.exportV4[0]');
    });

    it('marks prefixes with the communities of prefixAdvertisements', () => {
      const bgpConfigurations = [
        resource('BGPConfiguration', 'default', {
          nodeToNodeMeshEnabled: false,
          communities: [{ name: 'edge', value: '64512:100' }],
          prefixAdvertisements: [{ cidr: '10.244.0.0/16', communities: ['edge', '64512:1:2'] }],
        }),
      ];
      const { originated } = configured('n1', { ...resources, bgpConfigurations }).speaker;
      expect(originated[0]?.attributes).to.deep.include({
        communities: [64512 * 65536 + 100],
        largeCommunities: [{ global: 64512, local1: 1, local2: 2 }],
      });
      expect(originated.find(({ prefix }) => prefix.version === 6)?.attributes).to.equal(undefined);
    });
  });

  it('does not depend on the order in which resources come', () => {
    const everything = cluster({
      nodes: [...NODES, node('rr', 9, { rr: 'yes' }, { routeReflectorClusterID: '244.0.0.1' })],
      bgpConfigurations: [],
      bgpPeers: [
        peer('a', { peerSelector: "rr == 'yes'" }),
        peer('b', { peerIP: '192.0.2.1', asNumber: 65001, filters: ['x', 'y'] }),
        peer('c', { peerIP: '192.0.2.1', asNumber: 65001 }),
      ],
      bgpFilters: [
        resource('BGPFilter', 'x', { exportV4: [{ action: 'Reject' }] }),
        resource('BGPFilter', 'y', {}),
      ],
      affinities: [
        affinity('n1', '10.244.1.0/26'),
        affinity('n1', '10.244.2.0/26'),
        affinity('n2', '10.244.3.0/26'),
      ],
      workloadEndpoints: [endpoint('n1', 'one', '10.244.3.1/32'), endpoint('n1', 'two', '10.244.3.2/32')],
    });
    const expected = summary(configureNode('n1', everything));
    const shuffled = fc.tuple(
      ...Object.values(everything).map((list) => fc.shuffledSubarray([...list], { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, (lists) => {
        const keys = Object.keys(everything);
        const again = Object.fromEntries(
          keys.map((key, i) => [key, lists[i]]),
        ) as unknown as ClusterResources;
        expect(summary(configureNode('n1', again))).to.deep.equal(expected);
      }),
    );
  });

  it('binds to the addresses of the node where bindMode says so', () => {
    const bgpConfigurations = [
      resource('BGPConfiguration', 'default', { bindMode: 'NodeIP', nodeToNodeMeshEnabled: false }),
    ];
    const { listen } = configured('n1', cluster({ nodes: NODES, bgpConfigurations }));
    expect(listen.addresses).to.deep.equal([Address.parse('10.0.0.1'), Address.parse('fd00::1')]);
  });
});

/** Sessions in any order are the same sessions. */
function summary({ configuration, problems }: ReturnType<typeof configureNode>): object {
  const speaker = configuration?.speaker;
  const peers = [...(speaker?.peers ?? [])].sort((a, b) => (a.session.name < b.session.name ? -1 : 1));
  return JSON.parse(JSON.stringify({ ...speaker, peers, problems })) as object;
}
