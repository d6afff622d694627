/** Previews against the evaluator, packet by packet, over random clusters; and what a person is told. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Resource, WorkloadEndpoint } from '../../../api/index.ts';
import { Address } from '../../../net/addr/index.ts';
import { judge } from '../evaluate.ts';
import type { Packet } from '../packet.ts';
import { NODE, NODE_VIEW, valid } from '../testing/agreement.ts';
import { cluster, hostCluster } from '../testing/cluster.ts';
import { packet as anyPacket } from '../testing/packets.ts';
import { speaksOf } from '../testing/words.ts';
import { judgeWay, type Way } from '../way.ts';
import { owns, World } from '../world.ts';
import { type FlowChange, type Preview, previewChange } from './preview.ts';

const nameOf = ({ metadata }: WorkloadEndpoint): string => `${metadata.namespace ?? ''}/${metadata.name}`;

function preview(before: readonly Resource[], after: readonly Resource[], limit?: number): Preview {
  return previewChange(before, after, { names: nameOf, ...(limit === undefined ? {} : { limit }) });
}

describe('a preview', function () {
  this.timeout(600_000);

  it('tells of every packet between workloads that a change lets through or stops, and of no other', () => {
    const seen = { opens: 0, closes: 0, same: 0 };
    const packets = fc.array(anyPacket, { minLength: 30, maxLength: 30 });
    fc.assert(
      fc.property(cluster, cluster, packets, (one, other, sent) => {
        // The same workloads, and policies of another cluster.
        const workloads = one.filter((each) => kindOf(each) === 'WorkloadEndpoint').map(valid);
        const [before, after] = [one, other].map((objects) => [
          ...workloads,
          ...objects
            .filter((each) => !['WorkloadEndpoint', 'HostEndpoint'].includes(kindOf(each)))
            .map(valid),
        ]);
        if (before === undefined || after === undefined) throw new Error('two clusters');
        const { peers, flows } = preview(before, after);
        const worlds = [before, after].map((each) => new World(each));
        for (const drawn of sent) {
          if (![6, 17, 132].includes(drawn.protocol) || drawn.destinationPort === 4789) continue;
          // As clients have them.
          const packet = { ...drawn, sourcePort: 49_152 };
          const ends = [packet.source, packet.destination].map((address) =>
            worlds[0]?.workloads.find((each) => owns(worlds[0]!.workload(each), address)),
          );
          const [from, to] = ends;
          if (from === undefined || to === undefined || from === to) continue;
          const [was, is] = worlds.map(
            (world) =>
              judge(world, from, 'egress', packet).allowed && judge(world, to, 'ingress', packet).allowed,
          );
          const told = flows.filter(
            (each: FlowChange) =>
              peers[each.from]?.includes(nameOf(from)) === true &&
              peers[each.to]?.includes(nameOf(to)) === true &&
              speaksOf(each.traffic, packet),
          );
          const want = was === is ? [] : [is === true ? 'opens' : 'closes'];
          expect(
            told.map(({ change }) => change),
            JSON.stringify({ packet, from: nameOf(from), to: nameOf(to), flows, peers }),
          ).to.deep.equal(want);
          seen[was === is ? 'same' : is === true ? 'opens' : 'closes']++;
        }
      }),
      { numRuns: 200 },
    );
    expect(Math.min(seen.opens, seen.closes, seen.same)).to.be.greaterThan(50);
  });

  it('tells of every packet that host endpoints let through or stop, and of no other', () => {
    const seen = { opens: 0, closes: 0, same: 0 };
    const packets = fc.array(anyPacket, { minLength: 30, maxLength: 30 });
    const ends = fc.record({ every: fc.boolean(), own: fc.constantFrom('before', 'after', 'both') });
    fc.assert(
      fc.property(hostCluster, hostCluster, ends, packets, (one, other, { every, own }, sent) => {
        // The same workloads and hosts, and policies of another cluster; the endpoint of an interface may come or go.
        const labels = { role: 'web' };
        const guards = [
          ...(every ? [hostEndpoint('every', '*', {})] : []),
          hostEndpoint('up', 'eth0', labels),
        ];
        const both = [NODE_RESOURCE, ...one.filter((each) => kindOf(each) === 'WorkloadEndpoint')];
        const [before, after] = [one, other].map((objects, time) => {
          const isThere = own === 'both' || (own === 'before') === (time === 0);
          return [
            ...both,
            ...(isThere ? guards : guards.slice(0, -1)),
            ...objects.filter((each) => !['WorkloadEndpoint', 'HostEndpoint'].includes(kindOf(each))),
          ].map(valid);
        });
        if (before === undefined || after === undefined) throw new Error('two clusters');
        const { peers, flows } = preview(before, after);
        const worlds = [before, after].map((each) => new World(each));
        const find = (address: Address): WorkloadEndpoint | undefined =>
          worlds[0]?.workloads.find((each) => owns(worlds[0]!.workload(each), address));
        const tell = (from: string, to: string, packet: Packet, verdicts: readonly boolean[]): void => {
          const told = flows.filter(
            (each) =>
              peers[each.from]?.includes(from) === true &&
              peers[each.to]?.includes(to) === true &&
              (each.by === undefined || UP.test(each.by)) &&
              speaksOf(each.traffic, packet),
          );
          const change = verdicts[0] === verdicts[1] ? 'same' : verdicts[1] === true ? 'opens' : 'closes';
          expect(
            told.map((each) => each.change),
            JSON.stringify({ packet, from, to, flows, peers }),
          ).to.deep.equal(change === 'same' ? [] : [change]);
          seen[change]++;
        };
        for (const drawn of sent) {
          if (![6, 17, 132].includes(drawn.protocol) || drawn.destinationPort === 4789) continue;
          const packet = { ...drawn, sourcePort: 49_152 };
          const [from, to] = [packet.source, packet.destination].map(find);
          const host = Address.parse(packet.source.version === 4 ? '10.9.0.1' : 'fd09::1');
          if (host === undefined) throw new Error('no address');
          const judged = (
            sent: Packet,
            way: Way,
            first?: WorkloadEndpoint,
            last?: WorkloadEndpoint,
          ): boolean[] =>
            worlds.map(
              (world) =>
                (first === undefined || judge(world, first, 'egress', sent).allowed) &&
                judgeWay(world, NODE_VIEW, way, sent).allowed &&
                (last === undefined || judge(world, last, 'ingress', sent).allowed),
            );
          if (from !== undefined && from.spec.node !== NODE) {
            const inward = { ...packet, destination: host };
            tell(
              nameOf(from),
              'host endpoint up',
              inward,
              judged(inward, { journey: 'toHost', from: 'eth0' }, from),
            );
          }
          if (to !== undefined && to.spec.node !== NODE) {
            const outward = { ...packet, source: host };
            tell(
              'host endpoint up',
              nameOf(to),
              outward,
              judged(outward, { journey: 'fromHost', to: 'eth0' }, undefined, to),
            );
          }
          if (from === undefined || to === undefined || (from.spec.node === NODE) === (to.spec.node === NODE))
            continue;
          const isOut = from.spec.node === NODE;
          const verdicts = isOut
            ? judged(
                packet,
                { journey: 'forwarded', from: from.spec.interfaceName!, to: 'eth0' },
                undefined,
                to,
              )
            : judged(packet, { journey: 'forwarded', from: 'eth0', to: to.spec.interfaceName! }, from);
          tell(nameOf(from), nameOf(to), packet, verdicts);
        }
      }),
      { numRuns: 150 },
    );
    expect(Math.min(seen.opens, seen.closes, seen.same)).to.be.greaterThan(50);
  });

  const shop = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    ...[1, 2, 3].map((index) => workload(`web${index}`, index, { role: 'web', pod: `web${index}` })),
    workload('db', 9, { role: 'db' }),
  ].map(valid);
  const db = valid({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'db', namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { role: 'db' } },
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { role: 'web' } } }, { ipBlock: { cidr: '192.0.2.0/24' } }],
          ports: [{ port: 5432 }],
        },
      ],
    },
  });

  it('takes what no rule tells apart as one, and names addresses outside by the prefixes of rules', () => {
    const { peers, flows } = preview(shop, [...shop, db]);
    const told = flows.map(({ change, from, to, traffic }) => [
      change,
      peers[from]?.join(),
      peers[to]?.join(),
      ...traffic,
    ]);
    expect(told).to.have.deep.members([
      [
        'closes',
        'shop/a1-k8s-web1-eth0,shop/a1-k8s-web2-eth0,shop/a1-k8s-web3-eth0',
        'shop/a1-k8s-db-eth0',
        'all but TCP 5432',
      ],
      ['closes', 'any other IPv4 address', 'shop/a1-k8s-db-eth0', 'all traffic'],
      ['closes', '192.0.2.0/24', 'shop/a1-k8s-db-eth0', 'all but TCP 5432'],
    ]);
    // And back.
    expect(preview([...shop, db], shop).flows.every(({ change }) => change === 'opens')).to.equal(true);
    expect(preview([...shop, db], [...shop, db]).pairs.all).to.equal(0);
  });

  it('tells what a new host endpoint closes, but for ports that are always open', () => {
    const guard = valid(hostEndpoint('up', 'eth0', {}));
    const { peers, flows } = preview(shop, [...shop, guard]);
    const told = flows.map(({ change, from, to, traffic, by }) => [
      change,
      peers[from]?.join(),
      peers[to]?.join(),
      traffic.join('; '),
      by,
    ]);
    // Without policy for what is forwarded it says nothing of workloads.
    const inbound = 'all but TCP 22, TCP 179, TCP 2379-2380, TCP 5473, TCP 6443, TCP 6666-6667, UDP 68';
    expect(told).to.deep.include([
      'closes',
      'any other IPv4 address',
      'host endpoint up',
      inbound,
      undefined,
    ]);
    expect(told.every(([, from, to]) => [from, to].includes('host endpoint up'))).to.equal(true);
    const open = valid({
      apiVersion: 'projectcalico.org/v3',
      kind: 'HostEndpoint',
      metadata: { name: 'up' },
      spec: { node: NODE, interfaceName: 'eth0', profiles: ['projectcalico-default-allow'] },
    });
    expect(preview(shop, [...shop, open]).flows).to.deep.equal([]);
  });

  it('knows a profile that is not there, which denies, from one without rules, which leaves it to the next', () => {
    const [web] = shop.filter(({ metadata }) => metadata.name === 'a1-k8s-web1-eth0');
    if (web?.kind !== 'WorkloadEndpoint') throw new Error('no workload');
    const two = { ...web, spec: { ...web.spec, profiles: ['new', 'kns.shop'] } };
    const world = [...shop.filter((each) => each !== web), two];
    const { flows } = preview(world, [
      ...world,
      valid({ apiVersion: 'projectcalico.org/v3', kind: 'Profile', metadata: { name: 'new' }, spec: {} }),
    ]);
    expect(flows.length).to.be.greaterThan(0);
    expect(flows.every(({ change }) => change === 'opens')).to.equal(true);
  });

  it('lets the first by name of two endpoints of one interface guard it', () => {
    const open = { profiles: ['projectcalico-default-allow'] };
    const first = [...shop, valid(hostEndpoint('b', 'eth0', {}, open))];
    const shut = valid(hostEndpoint('c', 'eth0', {}));
    expect(preview(first, [...first, shut]).flows).to.deep.equal([]);
    const before = valid(hostEndpoint('a', 'eth0', {}));
    expect(preview(first, [...first, before]).flows.some(({ change }) => change === 'closes')).to.equal(true);
  });

  it('names the interface where what is forwarded comes by one that closes it', () => {
    const guards = [
      hostEndpoint('up', 'eth0', {}, { profiles: ['projectcalico-default-allow'] }),
      NODE_RESOURCE,
    ].map(valid);
    // What is asked before it is known where a packet goes leaves the host's own open ports alone.
    for (const [stage, closed] of [
      [{}, 'UDP'],
      [{ preDNAT: true }, 'UDP 1-67; UDP 69-65535'],
      [{ doNotTrack: true }, 'UDP 1-67; UDP 69-65535'],
    ] as const) {
      const { peers, flows } = preview([...shop, ...guards], [...shop, ...guards, closing(stage)]);
      const told = flows.map(({ change, from, to, traffic, by }) => [
        change,
        peers[from]?.join(),
        peers[to]?.join(),
        traffic.join('; '),
        by,
      ]);
      const pods = ['db', 'web1', 'web2', 'web3'].map((name) => `shop/a1-k8s-${name}-eth0`).join();
      expect(told).to.deep.include([
        'closes',
        'any other IPv4 address',
        pods,
        closed,
        'in by host endpoint up',
      ]);
      expect(told.some(([, from]) => from === pods)).to.equal(false);
    }
  });

  it('tells labels apart that a rule asks for', () => {
    const one = valid({
      apiVersion: 'projectcalico.org/v3',
      kind: 'NetworkPolicy',
      metadata: { name: 'one', namespace: 'shop' },
      spec: { selector: "pod == 'web2'", ingress: [{ action: 'Deny' }] },
    });
    const { peers, flows } = preview(shop, [...shop, one]);
    expect(new Set(flows.map(({ to }) => peers[to]?.join()))).to.deep.equal(
      new Set(['shop/a1-k8s-web2-eth0']),
    );
  });

  it('says when it is cut short', () => {
    const { pairs, flows } = preview(shop, [...shop, db], 1);
    expect(pairs.all).to.be.greaterThan(2);
    expect(pairs.judged).to.equal(1);
    expect(flows.length).to.be.lessThanOrEqual(1);
  });
});

/** The way by the uplink; endpoints that are alike have one name. */
const UP = /^(?:out|in) by host endpoint (?:up|every and 1 alike)$/;

const NODE_RESOURCE = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'Node',
  metadata: { name: NODE },
  spec: { bgp: { ipv4Address: '10.9.0.1/24', ipv6Address: 'fd09::1/64' } },
};

function hostEndpoint(name: string, interfaceName: string, labels: object, more: object = {}): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'HostEndpoint',
    metadata: { name, labels },
    spec: { node: NODE, interfaceName, ...more },
  };
}

function closing(spec: object): Resource {
  return valid({
    apiVersion: 'projectcalico.org/v3',
    kind: 'GlobalNetworkPolicy',
    metadata: { name: 'no-udp' },
    spec: {
      selector: '!has(projectcalico.org/orchestrator)',
      applyOnForward: true,
      types: ['Ingress'],
      ingress: [{ action: 'Deny', protocol: 'UDP' }, { action: 'Allow' }],
      ...spec,
    },
  });
}

function kindOf(object: object): string {
  return (object as { readonly kind: string }).kind;
}

function workload(pod: string, index: number, labels: object): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: `a1-k8s-${pod}-eth0`, namespace: 'shop', labels },
    spec: {
      orchestrator: 'k8s',
      node: 'a1',
      pod,
      endpoint: 'eth0',
      interfaceName: `cali${index}`,
      ipNetworks: [`10.0.0.${index}/32`],
      profiles: ['kns.shop'],
    },
  };
}
