/** Previews against the evaluator, packet by packet, over random clusters; and what a person is told. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Resource, WorkloadEndpoint } from '../../../api/index.ts';
import { judge } from '../evaluate.ts';
import type { Packet } from '../packet.ts';
import { valid } from '../testing/agreement.ts';
import { cluster } from '../testing/cluster.ts';
import { packet as anyPacket } from '../testing/packets.ts';
import { owns, World } from '../world.ts';
import { type FlowChange, type Preview, previewChange } from './preview.ts';

const nameOf = ({ metadata }: WorkloadEndpoint): string => `${metadata.namespace ?? ''}/${metadata.name}`;

function preview(before: readonly Resource[], after: readonly Resource[], limit?: number): Preview {
  return previewChange(before, after, { names: nameOf, ...(limit === undefined ? {} : { limit }) });
}

/** Whether the words of a preview speak of a packet. */
function speaksOf(traffic: readonly string[], packet: Packet): boolean {
  const names: Readonly<Record<number, string>> = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' };
  const version = packet.source.version;
  return traffic.some((whole) => {
    const only = / \(IPv([46])\)$/.exec(whole)?.[1];
    if (only !== undefined && Number(only) !== version) return false;
    const text = whole.replace(/ \(IPv[46]\)$/, '');
    const but = /^all but (.*)$/.exec(text)?.[1];
    if (but !== undefined) return !but.split(', ').some((word) => isIn(word, packet, names));
    return text === 'all traffic' || isIn(text, packet, names);
  });
}

function isIn(word: string, packet: Packet, names: Readonly<Record<number, string>>): boolean {
  const [protocol, ports] = word.split(' ');
  const [first = 1, last = ports === undefined ? 65_535 : first] = (ports ?? '')
    .split('-')
    .filter(Boolean)
    .map(Number);
  const port = packet.destinationPort ?? 0;
  return names[packet.protocol] === protocol && first <= port && port <= last;
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
          ...objects.filter((each) => kindOf(each) !== 'WorkloadEndpoint').map(valid),
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
