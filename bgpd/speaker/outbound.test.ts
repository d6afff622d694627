/** Slow peers, many routes, groups: what goes out, seen from the other end. */
import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import { tableOf } from './testing/tables.ts';
import { allBut } from './testing/policies.ts';
import { address, configOf, peerOf, World, type Router } from './testing/world.ts';

/** n prefixes, each with a next hop and path of its own so that nothing packs. */
function many(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, n) =>
    Prefix.of(Address.v4(0x14000000 + ((n + from) << 8)), 24).toString(),
  );
}

function star(...names: string[]): { world: World; hub: Router; leaves: Router[] } {
  const world = new World();
  const hub = world.router('hub', 65000, '10.0.0.1');
  const leaves = names.map((name, i) => world.router(name, 65001 + i, `10.0.0.${i + 2}`));
  hub.speaker.configure(
    configOf(
      hub,
      leaves.map((leaf) => peerOf(hub, leaf)),
      many(3),
    ),
  );
  for (const leaf of leaves) leaf.speaker.configure(configOf(leaf, [peerOf(leaf, hub)]));
  return { world, hub, leaves };
}

describe('speaker, outbound', () => {
  it('puts peers with the same policy into one group, and others into others', () => {
    const { world, hub, leaves } = star('a', 'b', 'c');
    for (const leaf of leaves) world.connect(hub, leaf);
    expect(hub.speaker.tables['ipv4-unicast'].groups.size).to.equal(1);
    const exportPolicy = allBut(many(1)[0] as string);
    hub.speaker.configure(
      configOf(
        hub,
        leaves.map((leaf, i) => peerOf(hub, leaf, i === 0 ? { exportPolicy } : {})),
        many(3),
      ),
    );
    world.settle();
    expect(hub.speaker.tables['ipv4-unicast'].groups.size).to.equal(2);
    expect(leaves.map((leaf) => Object.keys(tableOf(leaf)).length)).to.deep.equal([2, 3, 3]);
    world.cut(hub, leaves[0] as Router);
    expect(hub.speaker.tables['ipv4-unicast'].groups.size).to.equal(1);
  });

  it('brings a newcomer up to date from what the group has told, without telling the others again', () => {
    const { world, hub, leaves } = star('a', 'b');
    const [a, b] = leaves as [Router, Router];
    world.connect(hub, a);
    const told = a.sessions.get('hub').received.length;
    world.connect(hub, b);
    expect(Object.keys(tableOf(b))).to.deep.equal(many(3));
    expect(a.sessions.get('hub').received.length).to.equal(told);
  });

  it('does not let a peer that never reads hold up the others or grow memory, and resynchronises it when it reads', function () {
    this.timeout(120_000);
    const { world, hub, leaves } = star('slow', 'quick');
    const [slow, quick] = leaves as [Router, Router];
    world.connect(hub, slow);
    world.connect(hub, quick);
    const blocked = hub.sessions.get('slow');
    blocked.stuck = true;
    // Each wave replaces the one before, with attributes that do not pack: some 1.6 MB on the wire, of 4 that may wait.
    // So what waits ends with an even wave, and only what the peer is told afresh can be the odd one that is last.
    const WAVES = 9;
    const ROUTES = 500;
    for (let wave = 1; wave <= WAVES; wave++) {
      const prefixes = many(ROUTES, wave % 2 === 0 ? 0 : ROUTES);
      hub.speaker.configure({
        ...configOf(
          hub,
          leaves.map((leaf) => peerOf(hub, leaf)),
        ),
        originated: prefixes.map((text, n) => ({
          prefix: Prefix.parse(text) as Prefix,
          kernel: 'none',
          attributes: { med: wave, communities: Array.from({ length: 800 }, (_, i) => n * 800 + i) },
        })),
      });
      world.settle();
      world.clock.advance(1_000);
    }
    expect(tableOf(quick)).to.have.all.keys(many(ROUTES, ROUTES));
    const sentWhileStuck = blocked.counters.updatesOut;
    expect(sentWhileStuck).to.be.below(WAVES * ROUTES * 0.7);
    blocked.unstick();
    world.clock.advance(30_000);
    expect(tableOf(slow)).to.deep.equal(tableOf(quick));
    // What it missed was told once, as it had become, and had not been kept for it.
    const { updatesOut } = hub.sessions.get('quick').counters;
    expect(blocked.counters.updatesOut).to.be.below(0.8 * updatesOut);
  });

  it('gives as next hop an address of the link that the peer is on, and another when that one goes', () => {
    const world = new World();
    const links: Record<string, string[]> = {
      '10.1.0.1': ['10.1.0.1', 'fd00:1::1'],
      '10.2.0.1': ['10.2.0.1', 'fd00:2::1', 'fd00:2::9'],
      '10.3.0.1': ['10.3.0.1'],
    };
    let changed: (() => void) | undefined;
    const linkAddresses = {
      beside: (local: Address) => (links[local.toString()] ?? []).map(address),
      watch: (tell: () => void) => {
        changed = tell;
        return () => undefined;
      },
    };
    const hub = world.router('hub', 65000, '10.1.0.1', { linkAddresses });
    const leaves = [1, 2, 3].map((n) => world.router(`leaf${n}`, 65000 + n, `10.${n}.0.2`));
    const peers = leaves.map((leaf, i) => {
      const peer = peerOf(hub, leaf);
      return { ...peer, session: { ...peer.session, localAddress: `10.${i + 1}.0.1` } };
    });
    // Of two on a link the configured one; and where a link has none, the first of those configured.
    const addresses = [address('fd00:ffff::1'), address('fd00:2::9')];
    hub.speaker.configure(configOf(hub, peers, ['fd00:5::/64'], { addresses }));
    for (const leaf of leaves) {
      leaf.speaker.configure(configOf(leaf, [peerOf(leaf, hub)]));
      world.connect(hub, leaf);
    }
    const nextHops = (): (string | undefined)[] =>
      leaves.map(({ table }) => table.entries.get('fd00:5::/64'));
    expect(nextHops()).to.deep.equal(['fd00:1::1', 'fd00:2::9', 'fd00:ffff::1']);
    links['10.1.0.1'] = ['10.1.0.1', 'fd00:1::7'];
    changed?.();
    world.settle();
    expect(nextHops()).to.deep.equal(['fd00:1::7', 'fd00:2::9', 'fd00:ffff::1']);
  });

  it('tells news at most once in the advertisement interval, and then the last of them', () => {
    const { world, hub, leaves } = star('a');
    const [a] = leaves as [Router];
    const originate = (count: number): void => {
      const peers = [peerOf(hub, a, { advertisementIntervalSeconds: 5 })];
      hub.speaker.configure(configOf(hub, peers, many(count)));
      world.settle();
    };
    originate(3);
    world.connect(hub, a);
    expect(Object.keys(tableOf(a)), 'the table waits for nothing').to.have.lengthOf(3);
    originate(4);
    expect(Object.keys(tableOf(a)), 'the first news go out at once').to.have.lengthOf(4);
    const told = a.sessions.get('hub').received.length;
    for (const count of [5, 6, 7, 2]) originate(count);
    expect(a.sessions.get('hub').received.length).to.equal(told);
    world.clock.advance(5_000);
    expect(Object.keys(tableOf(a))).to.have.lengthOf(2);
    expect(a.sessions.get('hub').received.length, 'only the withdrawals').to.equal(told + 1);
  });

  it('spreads the advertisement interval over its last quarter (RFC 4271 §10)', () => {
    for (const [random, waited] of [
      [0, 3_750],
      [0.5, 4_375],
    ] as const) {
      const world = new World();
      const hub = world.router('hub', 65000, '10.0.0.1', { random: () => random });
      const leaf = world.router('leaf', 65001, '10.0.0.2');
      const originate = (count: number): void =>
        hub.speaker.configure(
          configOf(hub, [peerOf(hub, leaf, { advertisementIntervalSeconds: 5 })], many(count)),
        );
      leaf.speaker.configure(configOf(leaf, [peerOf(leaf, hub)]));
      originate(0);
      world.connect(hub, leaf);
      originate(1);
      world.clock.advance(10);
      expect(leaf.table.entries.size).to.equal(1);
      originate(2);
      world.clock.advance(waited - 60);
      expect(leaf.table.entries.size, `${random}: too early`).to.equal(1);
      world.clock.advance(100);
      expect(leaf.table.entries.size, `${random}: too late`).to.equal(2);
    }
  });

  it('loads and forgets fifty thousand routes without one long turn', function () {
    this.timeout(120_000);
    const world = new World();
    const [left, right] = [world.router('left', 65001, '10.0.0.1'), world.router('right', 65002, '10.0.0.2')];
    left.speaker.configure(configOf(left, [peerOf(left, right)], many(50_000)));
    right.speaker.configure(configOf(right, [peerOf(right, left)]));
    world.connect(left, right);
    world.clock.advance(5_000);
    expect(right.table.entries.size).to.equal(50_000);
    left.speaker.configure(configOf(left, [peerOf(left, right)], []));
    world.clock.advance(5_000);
    expect(right.table.entries.size).to.equal(0);
    expect([right.speaker.pool.size, right.speaker.tables['ipv4-unicast'].index.size]).to.deep.equal([0, 0]);
  });
});
