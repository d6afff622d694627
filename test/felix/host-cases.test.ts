/**
 * The cases of `host-cases.ts`, all at once on one node, on every backend: what comes to the node, leaves it and is
 * forwarded by it arrives as the evaluator says, ports that are always open included.
 */
import { expect } from 'chai';
import { type FelixConfiguration, type Resource } from '../../api/index.ts';
import { type NodeView, type Way, judgeWay } from '../../felix-lite/explain/way.ts';
import { World } from '../../felix-lite/explain/world.ts';
import { readSettings } from '../../felix-lite/daemon/config.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, type BackendName, configurationOf } from './backends.ts';
import { nameOf, packetOf } from './case-flows.ts';
import { ALL_INTERFACES, HOST_CASES, HOST_SURROUNDINGS, hostResources } from './host-cases.ts';
import { HOST, OUTSIDE, UPLINK, addressesOf, interfaceOf, subnetOf, uplinkOf } from './network.ts';
import { NODE, TestNode, WEB, endpointOf, openProfile, valid } from './node.ts';
import { ICMP, ICMP6, type Probe, SCTP, TCP, UDP } from './probe-packet.ts';
import { type Asked, expectPackets } from './volley.ts';

const PEERS = 'peers';
const FIRST = 10;

/** Ports of these cases that no policy closes. */
const FAILSAFES = {
  failsafeInboundHostPorts: [
    { protocol: 'TCP', port: 2222 },
    { protocol: 'TCP', port: 3333, net: '172.20.0.0/16' },
    { protocol: 'TCP', port: 3334, net: '192.0.2.0/24' },
  ],
  failsafeOutboundHostPorts: [
    { protocol: 'UDP', port: 5353 },
    { protocol: 'TCP', port: 4444, net: 'fd20::/32' },
  ],
} as const;

type What = Omit<Probe, 'source' | 'destination'>;

const COMMON: readonly What[] = [
  { protocol: TCP, destinationPort: 8080 },
  { protocol: TCP, destinationPort: 9090 },
  { protocol: UDP, destinationPort: 8080 },
  { protocol: SCTP, destinationPort: 8080 },
  { protocol: TCP, destinationPort: 2222 },
  { protocol: TCP, destinationPort: 3333 },
  { protocol: TCP, destinationPort: 3334 },
  { protocol: UDP, destinationPort: 5353 },
  { protocol: TCP, destinationPort: 4444 },
  // As if they answered what a failsafe port lets pass.
  { protocol: UDP, destinationPort: 9999, sourcePort: 5353 },
  { protocol: TCP, destinationPort: 9999, sourcePort: 2222 },
];
const PROBES: { readonly 4: readonly What[]; readonly 6: readonly What[] } = {
  4: [...COMMON, { protocol: ICMP, icmpType: 8, icmpCode: 0 }, { protocol: ICMP, icmpType: 13, icmpCode: 0 }],
  6: [
    ...COMMON,
    { protocol: ICMP6, icmpType: 128, icmpCode: 0 },
    { protocol: ICMP6, icmpType: 139, icmpCode: 0 },
  ],
};

describeOnKernel(`policy of hosts with packets: ${HOST_CASES.length} cases`, function () {
  this.timeout(300_000);
  let node: TestNode;
  const subjects = HOST_CASES.map((each, at) => ({ ...each, index: FIRST + at }));
  const shared = [...HOST_SURROUNDINGS, openProfile('prod'), endpointOf(WEB)].map(valid);
  const settings = readSettings(valid(configured('nftables')) as FelixConfiguration, undefined);
  const view: NodeView = {
    name: NODE,
    interfacePrefix: 'cali',
    interfaces: new Map([
      ['up0', [UPLINK[4], UPLINK[6]]],
      ...subjects.map(({ index }) => {
        const { node: own } = subnetOf(index);
        return [uplinkOf(index), [own[4], own[6]]] as const;
      }),
    ]),
    failsafes: settings.rules.failsafes,
    endpointToHost: 'Drop',
  };

  before(async () => {
    node = await TestNode.create([WEB]);
    await node.network.wirePeers(
      PEERS,
      subjects.map(({ index }) => index),
    );
    await node.put(...shared, ...subjects.flatMap((each) => hostResources(each, each.index)));
  });
  after(() => node.remove());

  for (const [at, backend] of (Object.keys(BACKENDS) as BackendName[]).entries()) {
    it(`go as the evaluator says, ${backend}`, async () => {
      await node.put(configured(backend));
      if (at === 0) await node.startFelix();
      else await node.settled();
      await expectAll([]);
      // Of two cases that let the same pass, the one of policy without tracking left no trace of it.
      expect(await isTracked('policy on forward allows all, ingress')).to.equal(true);
      expect(await isTracked('policy without tracking allows all, ingress')).to.equal(false);
    });

    it(`go as it says with an endpoint of all other interfaces, ${backend}`, async () => {
      await node.put(...ALL_INTERFACES);
      try {
        await node.settled();
        await expectAll(ALL_INTERFACES.map(valid));
      } finally {
        await node.delete(...ALL_INTERFACES);
        await node.settled();
      }
    });
  }

  /** Whether the node knows of connections to port 8080 that a case's peer has begun; ports that are always open are tracked. */
  async function isTracked(title: string): Promise<boolean> {
    const subject = subjects.find((each) => each.it === title);
    if (subject === undefined) throw new Error(`no case ${title}`);
    const { peer } = subnetOf(subject.index);
    const known = await Promise.all(
      ([4, 6] as const).map((version) =>
        node.run(
          'conntrack',
          '-L',
          '-f',
          version === 4 ? 'ipv4' : 'ipv6',
          '--orig-src',
          peer[version],
          '-p',
          'tcp',
          '--orig-port-dst',
          '8080',
        ),
      ),
    );
    return known.some((text) => text.trim() !== '');
  }

  async function expectAll(more: readonly Resource[]): Promise<void> {
    const asked = subjects.flatMap((subject) => {
      // No policy of one case selects the endpoint of another: the world of a case is small.
      const own = hostResources(subject, subject.index).map(valid);
      const world = new World([...shared, ...own, ...more]);
      const isUntracked = own.some(
        (each) => each.kind === 'GlobalNetworkPolicy' && each.spec.doNotTrack === true,
      );
      return ([4, 6] as const).flatMap((version) => asksOf(subject, version, world, view, isUntracked));
    });
    const tally = await expectPackets(node, asked);
    expect(Math.min(tally.passed, tally.stopped)).to.be.greaterThan(1000);
    // One names an address that no interface has, and is told so.
    expect(node.felix.status().problems.map(({ code }) => code)).to.deep.equal(['HOST_ENDPOINT_NOWHERE']);
  }
});

function configured(backend: BackendName): object {
  return configurationOf({ ...BACKENDS[backend], ...FAILSAFES });
}

/** To the node, from it, to a workload, from one, and from one interface to another, both ways. */
function asksOf(
  { it: title, index }: { readonly it: string; readonly index: number },
  version: 4 | 6,
  world: World,
  view: NodeView,
  isUntracked: boolean,
): readonly Asked[] {
  const here = uplinkOf(index);
  const peer = { station: PEERS, address: subnetOf(index).peer[version] };
  const host = { station: HOST, address: subnetOf(index).node[version] };
  const web = { station: WEB.name, address: addressesOf(WEB.index)[version] };
  const outside = { station: 'outside', address: OUTSIDE[version] };
  const workload = interfaceOf(WEB.index);
  const ways: readonly (readonly [from: typeof peer, to: typeof peer, way: Way])[] = [
    [peer, host, { journey: 'toHost', from: here }],
    [host, peer, { journey: 'fromHost', to: here }],
    [peer, web, { journey: 'forwarded', from: here, to: workload }],
    [web, peer, { journey: 'forwarded', from: workload, to: here }],
    [peer, outside, { journey: 'forwarded', from: here, to: 'up0' }],
    [outside, peer, { journey: 'forwarded', from: 'up0', to: here }],
  ];
  return ways.flatMap(([from, to, way]) =>
    PROBES[version].map((what): Asked => {
      const probe = { ...what, source: from.address, destination: to.address };
      return {
        name: `${title}: ${from.station} to ${to.station}, ${nameOf(what)} IPv${version}`,
        flow: {
          ...probe,
          from: from.station,
          to: to.station,
          expected: judgeWay(world, view, way, packetOf(probe)).allowed,
          // Nobody knows an answer for one where no connections are tracked.
          ...(isUntracked ? { answered: false } : {}),
        },
      };
    }),
  );
}
