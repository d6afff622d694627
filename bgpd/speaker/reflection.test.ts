/** Route reflection (RFC 4456) with whole speakers: who is told what, and with which marks. */
import { expect } from 'chai';
import { address, configOf, peerOf, World, type PeerExtras, type Router } from './testing/world.ts';

const AS = 65000;

const id = (text: string): number => address(text).toNumber();

/** A hub with clients a and b, each in a cluster of its own, and c and d beside them; each has one prefix. */
class Hub {
  readonly world = new World();
  readonly hub = this.world.router('hub', AS, '10.0.0.1');
  readonly others = ['a', 'b', 'c', 'd'].map((name, i) => this.world.router(name, AS, `10.0.0.${i + 2}`));

  constructor() {
    this.configure('9.9.9.1');
    for (const [i, other] of this.others.entries()) {
      other.speaker.configure(configOf(other, [peerOf(other, this.hub)], [`10.${i + 1}.0.0/24`]));
      this.world.connect(this.hub, other);
    }
  }

  configure(clusterOfA: string): void {
    const extras: readonly PeerExtras[] = [
      { reflectorClient: true, clusterId: id(clusterOfA), otherClusterIds: [id('9.9.9.2')] },
      { reflectorClient: true, clusterId: id('9.9.9.2'), otherClusterIds: [id(clusterOfA)] },
      {},
      {},
    ];
    const peers = this.others.map((other, i) => peerOf(this.hub, other, extras[i]));
    this.hub.speaker.configure(configOf(this.hub, peers));
    this.world.settle();
  }

  /** `10.1.0.0/24 via 10.0.0.2 from 10.0.0.2 by 9.9.9.2 9.9.9.1`, of all that this one has learned. */
  at(name: string): readonly string[] {
    const router = this.others.find((other) => other.name === name) as Router;
    return ['10.1.0.0/24', '10.2.0.0/24', '10.3.0.0/24', '10.4.0.0/24'].flatMap((prefix) => {
      const { index, locRib } = router.speaker.tables['ipv4-unicast'];
      const known = Array.from({ length: index.limit }, (_, each) => each).find(
        (each) => String(index.prefix(each)) === prefix,
      );
      const best = known === undefined ? undefined : locRib.best(known);
      if (best === undefined || best.source.kind === 'local') return [];
      const { originatorId, clusterList } = best.received.attributes;
      const marks =
        originatorId === undefined
          ? ''
          : ` from ${dotted(originatorId)} by ${clusterList?.map(dotted).join(' ')}`;
      return [`${prefix} via ${String(best.nextHop?.address)}${marks}`];
    });
  }
}

function dotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

describe('route reflection', () => {
  it('tells clients everything and others what clients say, next hop unchanged, with ORIGINATOR_ID and CLUSTER_LIST', () => {
    const hub = new Hub();
    expect(hub.at('a')).to.deep.equal([
      '10.2.0.0/24 via 10.0.0.3 from 10.0.0.3 by 9.9.9.1 9.9.9.2',
      '10.3.0.0/24 via 10.0.0.4 from 10.0.0.4 by 9.9.9.1',
      '10.4.0.0/24 via 10.0.0.5 from 10.0.0.5 by 9.9.9.1',
    ]);
    expect(hub.at('c')).to.deep.equal([
      '10.1.0.0/24 via 10.0.0.2 from 10.0.0.2 by 10.0.0.1 9.9.9.1',
      '10.2.0.0/24 via 10.0.0.3 from 10.0.0.3 by 10.0.0.1 9.9.9.2',
    ]);
  });

  it('goes by another cluster id of a client from its next session on', () => {
    const hub = new Hub();
    hub.configure('9.9.9.7');
    hub.world.connect(hub.hub, hub.others[0] as Router);
    expect(hub.at('b')[0]).to.equal('10.1.0.0/24 via 10.0.0.2 from 10.0.0.2 by 9.9.9.2 9.9.9.7');
  });
});
