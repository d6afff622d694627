/**
 * No encapsulation and more than one way: two nodes, each with an uplink to either of two routers, which are real BIRDs. Blocks
 * are told as they are, packets take both ways in full size, and connections outlive either of them.
 *
 *   a --- r1 --- b
 *     \-- r2 --/
 */
import type { Server } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { unwrap, validate } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import { Netlink, writeSysctl } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Bird } from '../interop/peers/bird.ts';
import { Lab } from '../interop/peers/lab.ts';
import { knockFrom } from './transfer.ts';
import { Watch } from './watch.ts';
import { pod, wireWorkload } from './wiring.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MTU = 1500;
const MEGABYTES = 2 * 1024 * 1024;
/** Connections, each with a port and so a way of its own: that all of so many take the same has odds of 1 in 524,288. */
const MANY = 20;

const NODES = ['a', 'b'] as const;
const ROUTERS = ['r1', 'r2'] as const;
type NodeName = (typeof NODES)[number];
type RouterName = (typeof ROUTERS)[number];

const otherOf = (node: NodeName): NodeName => (node === 'a' ? 'b' : 'a');
const number = (name: NodeName | RouterName): number => ({ a: 1, b: 2, r1: 1, r2: 2 })[name];
const asn = (node: NodeName): number => 64_512 + number(node);
const ROUTER_ASN = 65_000;

/** Of the link between the two; nodes end in 1, routers in 254. */
const onLink = (node: NodeName, router: RouterName, host: number, version: 4 | 6): string => {
  const subnet = `${number(node)}${number(router)}`;
  return version === 4 ? `10.20.${subnet}.${host}` : `fd00:20:${subnet}::${host}`;
};
const loopback = (node: NodeName, version: 4 | 6): string =>
  version === 4 ? `10.20.0.${number(node)}` : `fd00:20::${number(node)}`;
const block = (node: NodeName, version: 4 | 6): string =>
  version === 4 ? `10.244.${number(node)}.0/26` : `fd00:10:244:${number(node)}::/122`;
const workload = (node: NodeName, version: 4 | 6): string =>
  version === 4 ? `10.244.${number(node)}.2` : `fd00:10:244:${number(node)}::2`;
const uplink = (router: RouterName): string => `up${number(router)}`;

const resource = (kind: string, name: string, spec: object): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind,
  metadata: { name },
  spec,
});

function resourcesOf(node: NodeName): readonly object[] {
  const bgp = {
    ipv4Address: `${loopback(node, 4)}/32`,
    ipv6Address: `${loopback(node, 6)}/128`,
    asNumber: asn(node),
  };
  const peers = ROUTERS.flatMap((router) =>
    ([4, 6] as const).map((version) =>
      resource('BGPPeer', `${node}-${router}-${version}`, {
        node,
        peerIP: onLink(node, router, 254, version),
        asNumber: ROUTER_ASN,
        sourceAddress: 'None',
        // Three seconds of silence, and a router is gone.
        keepaliveTime: '1s',
      }),
    ),
  );
  const endpoint = {
    orchestrator: 'cni',
    node,
    containerID: node,
    endpoint: 'eth0',
    interfaceName: `cali${node}`,
    ipNetworks: [`${workload(node, 4)}/32`, `${workload(node, 6)}/128`],
    profiles: ['projectcalico-default-allow'],
  };
  return [resource('Node', node, { bgp }), endpointResource(node, endpoint), ...peers];
}

function endpointResource(node: NodeName, spec: object): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: `${node}-cni-${node}-eth0`, namespace: 'default', labels: { on: node } },
    spec,
  };
}

function birdConfig(router: RouterName): string {
  const sessions = NODES.flatMap((node) =>
    ([4, 6] as const).map(
      (version) => `protocol bgp ${node}${version} from node {
  neighbor ${onLink(node, router, 1, version)} as ${asn(node)};
  ipv${version} { import all; export all; next hop self; };
}`,
    ),
  );
  return `
router id 10.20.255.${number(router)};
protocol device { scan time 1; }
protocol kernel { ipv4 { import none; export all; }; }
protocol kernel { ipv6 { import none; export all; }; }
template bgp node {
  local as ${ROUTER_ASN};
  hold time 3;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
}
${sessions.join('\n')}
`;
}

describeOnKernel('no encapsulation, by two ways', function () {
  this.timeout(300_000);
  const lab = new Lab();
  const watch = new Watch(lab);
  const birds = new Map(ROUTERS.map((router) => [router, new Bird(lab, router)]));
  const echoes: Server[] = [];
  const database = join(lab.folder, 'datastore.db');
  let store: Store | undefined;

  const apply = async (...resources: readonly object[]): Promise<void> => {
    if (store === undefined) throw new Error('not opened yet');
    const client = new ResourceClient(store, new SystemClock());
    for (const each of resources) unwrap(await client.apply(unwrap(validate(each))));
  };
  const netns = (node: NodeName): string => lab.netns(pod(node));
  const routeTo = (from: NodeName, to: NodeName, version: 4 | 6): Promise<string> =>
    lab.run(from, 'ip', [`-${version}`, 'route', 'show', block(to, version)]);
  const ways = async (from: NodeName, to: NodeName, version: 4 | 6): Promise<readonly RouterName[]> => {
    const text = await routeTo(from, to, version);
    return ROUTERS.filter((router) => text.includes(`via ${onLink(from, router, 254, version)} `));
  };
  const eachLeadsBy = async (routers: readonly RouterName[]): Promise<void> => {
    for (const node of NODES)
      for (const version of [4, 6] as const)
        await watch.until(
          `IPv${version} of ${node} by ${routers.join(' and ')}`,
          async () => (await ways(node, otherOf(node), version)).join(),
          (now) => now === routers.join(),
        );
  };
  const transfer = (from: NodeName, version: 4 | 6, octets: number): Promise<void> =>
    watch.whileTransferring(netns(from), workload(otherOf(from), version), (one) => one.send(octets));
  /** Many connections at once, while something happens. */
  const many = async (version: 4 | 6, what: () => Promise<unknown>): Promise<void> => {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const all = Array.from({ length: MANY }, () =>
      watch.whileTransferring(netns('a'), workload('b', version), () => over),
    );
    try {
      await what();
    } finally {
      resolve();
    }
    await Promise.all(all);
  };

  const inBothDirections = async (version: 4 | 6): Promise<void> => {
    await transfer('a', version, MEGABYTES);
    await transfer('b', version, MEGABYTES);
    await many(version, () => transfer('a', version, MEGABYTES));
  };
  const answered = (): Promise<readonly boolean[]> =>
    Promise.all(([4, 6] as const).map((version) => knockFrom(netns('a'), workload('b', version))));

  before(async () => {
    for (const name of [...NODES, ...ROUTERS]) await lab.node(name);
    for (const node of NODES) {
      for (const router of ROUTERS) {
        const addresses = (host: number) => [
          `${onLink(node, router, host, 4)}/24`,
          `${onLink(node, router, host, 6)}/64`,
        ];
        await lab.link(
          { node, interface: uplink(router), addresses: addresses(1) },
          { node: router, interface: `to-${node}`, addresses: addresses(254) },
        );
      }
      // By ports too: with addresses alone, two workloads would have one way.
      for (const version of ['ipv4', 'ipv6'])
        writeSysctl(`net.${version}.fib_multipath_hash_policy`, 1, lab.netns(node));
      const addresses = { 4: workload(node, 4), 6: workload(node, 6) };
      const own = [`addr add ${loopback(node, 4)}/32 dev lo`, `addr add ${loopback(node, 6)}/128 dev lo`];
      echoes.push(await wireWorkload(lab, { node, mtu: MTU, addresses }, own));
      using inside = Netlink.open({ netns: netns(node) });
      // Then nothing on the way gets a packet larger than its MTU to cut up by itself.
      inside.setTransmitChecksums('eth0', false);
    }
    for (const [router, bird] of birds) await bird.start(birdConfig(router));
    store = await openStore(database);
    await apply(
      resource('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false }),
      resource('IPPool', 'v4', { cidr: '10.244.0.0/16', blockSize: 26 }),
      resource('IPPool', 'v6', { cidr: 'fd00:10:244::/48', blockSize: 122 }),
      ...NODES.flatMap(resourcesOf),
    );
    for (const node of NODES)
      for (const version of [4, 6] as const) {
        const key = { kind: 'BlockAffinity', scope: `host:${node}`, name: block(node, version) };
        const value = { state: 'confirmed', deleted: false };
        const { ok } = await store.commit([{ type: 'put', key, value, expect: 'any' }]);
        expect(ok).to.equal(true);
      }
    for (const node of NODES) {
      const options = ['--node', node, '--datastore', database, '--run-dir', join(lab.folder, `${node}.run`)];
      for (const daemon of ['bgpd', 'felix-lite']) {
        const main = join(ROOT, daemon, 'daemon', 'main.ts');
        lab.start(node, process.execPath, ['--disable-warning=ExperimentalWarning', main, ...options]);
      }
    }
    await eachLeadsBy(ROUTERS);
  });
  after(async () => {
    for (const echo of echoes) echo.close();
    await lab.close();
    await store?.close();
  });

  it('tells blocks as they are, and keeps a blackhole for its own, so that no packet goes round', async () => {
    for (const version of [4, 6] as const) {
      expect(await routeTo('a', 'a', version)).to.match(/^blackhole .*proto 80/);
      const text = await birds.get('r1')?.birdc(`show route protocol a${version} all`);
      expect(text)
        .to.contain(block('a', version))
        .and.contain(`BGP.as_path: ${asn('a')}`);
    }
  });

  for (const version of [4, 6] as const)
    it(`carries IPv${version} whole in both directions, in full packets, by both ways`, async () => {
      const seen = new Map<RouterName, readonly string[]>();
      const captured = async (router: RouterName, during: () => Promise<unknown>): Promise<void> => {
        seen.set(router, await watch.captured(router, 'to-b', 'tcp port 7007 or icmp or icmp6', during));
      };
      await captured('r1', () => captured('r2', () => inBothDirections(version)));
      for (const router of ROUTERS) {
        const text = (seen.get(router) ?? []).join('\n');
        for (const node of NODES)
          expect(text, `${router}, from ${node}`).to.contain(`${workload(node, version)}.`);
        expect(text, 'a fragment').not.to.match(/offset [1-9]|flags \[\+\]|frag \(/);
        expect(text, 'a complaint').not.to.match(/need to frag|too big|unreachable/);
        // The largest of what is counted, which is not the header of IPv6.
        const sizes = Array.from(text.matchAll(/ IP6? \(.*?length:? (\d+)\)/g), ([, size]) => Number(size));
        expect(sizes.length).to.be.greaterThan(100);
        expect(Math.max(...sizes)).to.equal(version === 4 ? 1500 : 1460);
      }
    });

  it('holds policy to what comes by either way', async () => {
    await watch.until('allowed', answered, (each) => !each.includes(false));
    const ingress = [{ action: 'Deny', source: { selector: "on == 'a'" } }, { action: 'Allow' }];
    await apply(resource('GlobalNetworkPolicy', 'not-from-a', { selector: "on == 'b'", ingress }));
    await watch.until('denied', answered, (each) => !each.includes(true));
    await apply(
      resource('GlobalNetworkPolicy', 'not-from-a', {
        selector: "on == 'b'",
        ingress: [{ action: 'Allow' }],
      }),
    );
    await watch.until('allowed again', answered, (each) => !each.includes(false));
  });

  it('keeps all connections when a link goes dead, and uses it again when it is back', async () => {
    await many(4, async () => {
      await many(6, async () => {
        await lab.run('r1', 'ip', ['link', 'set', 'to-a', 'down']);
        await eachLeadsBy(['r2']);
        await transfer('a', 4, MEGABYTES);
        await lab.run('r1', 'ip', ['link', 'set', 'to-a', 'up']);
        await lab.run('r1', 'ip', ['addr', 'replace', `${onLink('a', 'r1', 254, 6)}/64`, 'dev', 'to-a']);
        await eachLeadsBy(ROUTERS);
      });
    });
  });

  it('keeps all connections when a router falls silent with its links up', async () => {
    await many(4, async () => {
      await many(6, async () => {
        birds.get('r2')?.freeze();
        for (const version of ['ipv4.conf.all', 'ipv6.conf.all'])
          writeSysctl(`net.${version}.forwarding`, 0, lab.netns('r2'));
        await eachLeadsBy(['r1']);
        await transfer('b', 6, MEGABYTES);
        for (const version of ['ipv4.conf.all', 'ipv6.conf.all'])
          writeSysctl(`net.${version}.forwarding`, 1, lab.netns('r2'));
        birds.get('r2')?.thaw();
        await eachLeadsBy(ROUTERS);
      });
    });
  });
});
