import { expect } from 'chai';
import { Prefix } from '../../net/addr/index.ts';
import { evaluate, type RouteView } from '../filter/policy.ts';
import type { SpeakerConfig } from '../speaker/config.ts';
import { configureNode, type ClusterResources } from './index.ts';
import { affinity, cluster, endpoint, node, pool, resource } from './testing.ts';

const p = (text: string): Prefix => Prefix.parse(text) ?? expect.fail(text);

const resources = cluster({
  nodes: [node('n1', 1)],
  affinities: [affinity('n1', '10.244.1.0/26'), affinity('n1', 'fd00:10:244::40/122')],
  workloadEndpoints: [endpoint('n1', 'borrowed', '10.244.9.7/32')],
  ipPools: [pool('10.244.0.0/16'), pool('fd00:10:244::/48')],
});

function speakerOf(extras: Partial<ClusterResources>): SpeakerConfig {
  const { configuration, problems } = configureNode('n1', { ...resources, ...extras });
  expect(problems).to.deep.equal([]);
  return configuration?.speaker ?? expect.fail('no configuration');
}

/** The configuration of a peer with one BGPFilter. */
function filteredBy(spec: object): SpeakerConfig['peers'][number] {
  const bgpPeers = [resource('BGPPeer', 'v4', { peerIP: '192.0.2.1', asNumber: 64512, filters: ['f'] })];
  const { peers } = speakerOf({ bgpPeers, bgpFilters: [resource('BGPFilter', 'f', spec)] });
  return peers[0] ?? expect.fail('no peer');
}

const NORMAL = 2_147_483_647 - 1024;
const ELEVATED = 2_147_483_647 - 512;

function route(localPref?: number): RouteView {
  const attributes = {
    origin: 'IGP',
    asPath: [],
    ...(localPref === undefined ? {} : { localPref }),
  } as const;
  return { prefix: p('10.9.0.0/24'), source: 'peers', peerKind: 'internal', attributes };
}

function importBy(rules: readonly object[], routes: readonly RouteView[]): (number | string)[] {
  const policy = filteredBy({ importV4: rules }).importPolicy ?? expect.fail('no policy');
  return routes.map((each) => {
    const verdict = evaluate(policy, each);
    return verdict.accepted ? (verdict.attributes.localPref ?? 'none') : 'rejected';
  });
}

const exactly = (value: number): { min: number; max: number } => ({ min: value, max: value });

describe('BGPFilter', () => {
  it('carries every field of a rule into the policy', () => {
    const rule = {
      action: 'Accept',
      cidr: '10.9.0.0/16',
      matchOperator: 'NotIn',
      prefixLength: { min: 20, max: 28 },
      source: 'RemotePeers',
      interface: 'eth*',
      peerType: 'iBGP',
      communities: { values: ['64512:1:2'] },
      asPathPrefix: [64513, 64514],
      priority: 1000,
      operations: [
        { addCommunity: { value: '64512:7' } },
        { prependASPath: { prefix: [65001, 65002] } },
        { setPriority: { value: 100 } },
      ],
    };
    expect(filteredBy({ exportV4: [rule] }).exportPolicy?.rules[0]).to.deep.equal({
      name: 'BGPFilter/f spec.exportV4[0]',
      action: 'accept',
      match: {
        prefix: { operator: 'NotIn', cidr: p('10.9.0.0/16'), minLength: 20, maxLength: 28 },
        source: 'peers',
        interface: 'eth*',
        peerKind: 'internal',
        communities: {
          any: [{ type: 'large', global: exactly(64512), local1: exactly(1), local2: exactly(2) }],
        },
        asPathPrefix: [64513, 64514],
        localPref: exactly(2_147_482_647),
      },
      operations: [
        { type: 'add-community', community: { type: 'standard', value: 64512 * 65536 + 7 } },
        { type: 'prepend', asns: [65001, 65002] },
        { type: 'set-local-pref', value: 2_147_483_547 },
      ],
    });
  });

  it('takes LOCAL_PREF for 2147483647 less the priority, and none for the normal one', () => {
    const routes = [route(), route(NORMAL), route(ELEVATED)];
    expect(importBy([{ action: 'Reject', priority: 512 }], routes)).to.deep.equal([
      NORMAL,
      NORMAL,
      'rejected',
    ]);
    expect(importBy([{ action: 'Reject', priority: 1024 }], routes)).to.deep.equal([
      'rejected',
      'rejected',
      ELEVATED,
    ]);
    const set = { action: 'Accept', operations: [{ setPriority: { value: 512 } }] };
    expect(importBy([set], routes)).to.deep.equal([ELEVATED, ELEVATED, ELEVATED]);
  });

  it('leaves LOCAL_PREF alone where no filter speaks of priorities', () => {
    expect(importBy([{ action: 'Accept' }], [route(), route(7)])).to.deep.equal(['none', 7]);
    expect(speakerOf({}).originated.map(({ attributes }) => attributes)).to.deep.equal([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('gives our own routes the normal priority of their version of IP where any filter speaks of one', () => {
    const exportV4 = [{ action: 'Accept', priority: 5 }];
    const spec = { nodeToNodeMeshEnabled: false, ipv6NormalRoutePriority: 2000 };
    const { originated } = speakerOf({
      bgpFilters: [resource('BGPFilter', 'of-others', { exportV4 })],
      bgpConfigurations: [resource('BGPConfiguration', 'default', spec)],
    });
    expect(
      originated.map(({ prefix, attributes }) => `${prefix.toString()} ${attributes?.localPref}`),
    ).to.deep.equal([
      `10.244.1.0/26 ${NORMAL}`,
      `fd00:10:244::40/122 ${2_147_483_647 - 2000}`,
      `10.244.9.7/32 ${NORMAL}`,
    ]);
  });
});
