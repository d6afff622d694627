import { expect } from 'chai';
import { isEndOfRib } from '../wire/types.ts';
import { allBut } from './testing/policies.ts';
import { configOf, peerOf, World, type PeerExtras, type Router } from './testing/world.ts';
import { tableOf } from './testing/tables.ts';

/** Two racks as in the lab: node a - leaf a - spine - leaf b - node b, eBGP all the way. */
function fabric(): { world: World; routers: Router[] } {
  const world = new World();
  const specs: [string, number, string, string[]][] = [
    ['a1', 65101, '10.0.0.1', ['10.244.1.0/26', 'fd00:10:244::40/122']],
    ['tor-a', 65001, '10.0.0.2', []],
    ['spine', 65000, '10.0.0.3', []],
    ['tor-b', 65002, '10.0.0.4', []],
    ['b1', 65102, '10.0.0.5', ['10.244.2.0/26']],
  ];
  const routers = specs.map(([name, asn, at]) => world.router(name, asn, at));
  for (const [i, router] of routers.entries()) {
    const others = [routers[i - 1], routers[i + 1]].filter((other) => other !== undefined);
    router.speaker.configure(
      configOf(
        router,
        others.map((other) => peerOf(router, other)),
        specs[i]?.[3],
      ),
    );
  }
  world.settle();
  return { world, routers };
}

function pair(a: PeerExtras = {}, b: PeerExtras = {}): { world: World; left: Router; right: Router } {
  const world = new World();
  const left = world.router('left', 65001, '10.0.0.1');
  const right = world.router('right', 65002, '10.0.0.2');
  left.speaker.configure(configOf(left, [peerOf(left, right, a)], ['10.1.0.0/24', 'fd00:1::/64']));
  right.speaker.configure(configOf(right, [peerOf(right, left, b)], ['10.2.0.0/24']));
  return { world, left, right };
}

describe('speaker', () => {
  it('carries routes of both families across a fabric, with next hop self and the path of ASes', () => {
    const { world, routers } = fabric();
    routers.slice(1).forEach((router, i) => world.connect(routers[i] as Router, router));
    world.settle();
    const [, , spine, , b1] = routers as [Router, Router, Router, Router, Router];
    expect(tableOf(b1)).to.deep.equal({
      '10.244.1.0/26': 'via 10.0.0.4 path 65002 65000 65001 65101',
      '10.244.2.0/26': 'own',
      'fd00:10:244::40/122': 'via fd00::4 path 65002 65000 65001 65101',
    });
    expect(Object.fromEntries(spine.table.entries)).to.deep.equal({
      '10.244.1.0/26': '10.0.0.2',
      '10.244.2.0/26': '10.0.0.4',
      'fd00:10:244::40/122': 'fd00::2',
    });
    expect(Object.fromEntries(b1.table.entries)).to.include({ '10.244.2.0/26': 'blackhole' });
  });

  it('never tells a peer its own routes, and ends the first dump of each family with End-of-RIB', () => {
    const { world, left, right } = pair();
    world.connect(left, right);
    const atLeft = left.sessions.get('right');
    expect(
      atLeft.received.flatMap((u) => u.reach.flatMap((r) => r.nlri.map((n) => n.prefix.toString()))),
    ).to.deep.equal(['10.2.0.0/24']);
    expect(atLeft.endsOfRib).to.equal(2);
  });

  it('says End-of-RIB of a family once everything of it has been told, and never again (RFC 4724 §2)', () => {
    const world = new World();
    const left = world.router('left', 65001, '10.0.0.1');
    const right = world.router('right', 65002, '10.0.0.2');
    const many = Array.from({ length: 300 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
    const own = [...many, 'fd00:1::/64', 'fd00:2::/64'];
    left.speaker.configure(configOf(left, [peerOf(left, right)], own));
    right.speaker.configure(configOf(right, [peerOf(right, left)]));
    world.connect(left, right);
    const { received } = right.sessions.get('left');
    for (const [family, routes] of [
      ['ipv4-unicast', 300],
      ['ipv6-unicast', 2],
    ] as const) {
      const end = received.findIndex((update) => isEndOfRib(update) === family);
      const before = received.slice(0, Math.max(end, 0)).flatMap(({ reach }) => reach);
      expect(before.filter((reach) => reach.family === family).flatMap(({ nlri }) => nlri)).to.have.length(
        routes,
      );
    }
    left.speaker.configure(configOf(left, [peerOf(left, right)], own.slice(1)));
    world.settle();
    expect(right.sessions.get('left').endsOfRib).to.equal(2);
  });

  it('takes routes out when the session dies by a NOTIFICATION, graceful restart or not', () => {
    const { world, left, right } = pair();
    world.connect(left, right);
    const notification = { type: 'notification', code: 6, subcode: 2, data: new Uint8Array() } as const;
    right.sessions
      .get('left')
      .lose({ cause: 'administrative' }, { cause: 'notification-received', notification });
    world.settle();
    expect(tableOf(left)).to.deep.equal({ '10.1.0.0/24': 'own', 'fd00:1::/64': 'own' });
    expect([...left.table.entries.keys()]).to.deep.equal(['10.1.0.0/24', 'fd00:1::/64']);
  });

  it('takes routes out when the hold timer expires', () => {
    const { world, left, right } = pair();
    world.connect(left, right);
    left.sessions.get('right').lose({ cause: 'hold-timer-expired' }, { cause: 'connection-lost' });
    world.settle();
    expect(Object.keys(tableOf(left))).to.not.include('10.2.0.0/24');
    expect(Object.keys(tableOf(right))).to.include('10.1.0.0/24');
  });

  it('takes routes out at once when the connection is lost and the peer offered no graceful restart', () => {
    const { world, left, right } = pair({}, { gracefulRestartSeconds: undefined });
    world.connect(left, right);
    world.cut(left, right);
    expect(Object.keys(tableOf(left))).to.not.include('10.2.0.0/24');
  });

  describe('as helper of a restarting peer', () => {
    it('keeps its routes as stale for its restart time, then takes them out', () => {
      const { world, left, right } = pair({}, { gracefulRestartSeconds: 30 });
      world.connect(left, right);
      world.cut(left, right);
      expect(tableOf(left)).to.include({ '10.2.0.0/24': 'via 10.0.0.2 path 65002 stale' });
      expect(left.table.entries.has('10.2.0.0/24')).to.equal(true);
      world.clock.advance(29_000);
      expect(Object.keys(tableOf(left))).to.include('10.2.0.0/24');
      world.clock.advance(2_000);
      expect(Object.keys(tableOf(left))).to.not.include('10.2.0.0/24');
      expect(left.table.history.at(-1)).to.equal('10.2.0.0/24 removed');
    });

    it('changes nothing in the kernel when it comes back with the same routes', () => {
      const { world, left, right } = pair();
      world.connect(left, right);
      world.cut(left, right);
      const history = left.table.history.length;
      world.connect(left, right);
      expect(left.table.history.slice(history)).to.deep.equal([]);
      expect(tableOf(left)).to.include({ '10.2.0.0/24': 'via 10.0.0.2 path 65002' });
    });

    it('takes out at End-of-RIB what the peer does not send again', () => {
      const { world, left, right } = pair();
      world.connect(left, right);
      world.cut(left, right);
      right.speaker.configure(configOf(right, [peerOf(right, left)], ['10.3.0.0/24']));
      world.connect(left, right);
      expect(Object.keys(tableOf(left))).to.deep.equal(['10.1.0.0/24', '10.3.0.0/24', 'fd00:1::/64']);
      expect(left.events.find((event) => event.type === 'stale-removed')).to.deep.include({ routes: 1 });
    });

    it('takes stale routes out at once when the new OPEN does not vouch for the forwarding state', () => {
      const { world, left, right } = pair();
      world.connect(left, right);
      world.cut(left, right);
      Object.assign(right.table, { preserved: () => false });
      right.speaker.configure(configOf(right, [peerOf(right, left)], []));
      left.sessions.get('right').connect(right.sessions.get('left'));
      world.clock.advance(0);
      expect(Object.keys(tableOf(left))).to.not.include('10.2.0.0/24');
    });

    it('does not keep a route through two restarts of the peer', () => {
      const { world, left, right } = pair();
      world.connect(left, right);
      world.cut(left, right);
      left.sessions.get('right').connect(right.sessions.get('left'));
      world.cut(left, right);
      expect(Object.keys(tableOf(left))).to.not.include('10.2.0.0/24');
    });
  });

  describe('restarting itself', () => {
    const before = ['10.1.0.0/24', '10.2.0.0/24', '10.9.0.0/24'];

    function restarted(): { world: World; left: Router; right: Router } {
      const world = new World();
      const left = world.router('left', 65001, '10.0.0.1', { left: before });
      const right = world.router('right', 65002, '10.0.0.2');
      left.speaker.configure(configOf(left, [peerOf(left, right)], ['10.1.0.0/24']));
      right.speaker.configure(configOf(right, [peerOf(right, left)], ['10.2.0.0/24']));
      return { world, left, right };
    }

    it('says so in its OPEN (R and F bits), touches nothing and tells nothing before End-of-RIB', () => {
      const { world, left } = restarted();
      world.settle();
      const { restart } = left.sessions.get('right');
      expect([restart.restarting, restart.forwarding('ipv4-unicast')]).to.deep.equal([true, true]);
      expect(left.table.history).to.deep.equal([]);
      world.clock.advance(30_000);
      expect(left.table.history).to.deep.equal([]);
    });

    it('then takes over what is still true and removes only what is not', () => {
      const { world, left, right } = restarted();
      world.connect(left, right);
      expect(left.table.history).to.deep.equal([
        '10.1.0.0/24 blackhole',
        '10.2.0.0/24 10.0.0.2',
        '10.9.0.0/24 removed',
      ]);
      expect(left.sessions.get('right').restart.restarting).to.equal(false);
      expect(right.sessions.get('left').endsOfRib).to.equal(2);
    });

    it('tells a peer its routes only after it has decided, and all before End-of-RIB', () => {
      const { world, left, right } = restarted();
      world.connect(left, right);
      const told = right.sessions
        .get('left')
        .received.map((u) => u.reach[0]?.nlri[0]?.prefix.toString() ?? 'End-of-RIB');
      expect(told.indexOf('10.1.0.0/24')).to.be.within(0, told.lastIndexOf('End-of-RIB') - 1);
    });

    it('does not wait longer than the deferral timer for a peer that never comes', () => {
      const { world, left } = restarted();
      world.clock.advance(61_000);
      expect(left.table.history).to.have.members([
        '10.1.0.0/24 blackhole',
        '10.2.0.0/24 removed',
        '10.9.0.0/24 removed',
      ]);
    });

    it('does not wait for ever for a peer that is restarting too, but keeps what it may still confirm', () => {
      const world = new World();
      const left = world.router('left', 65001, '10.0.0.1', { left: before });
      const right = world.router('right', 65002, '10.0.0.2', { left: before });
      left.speaker.configure(configOf(left, [peerOf(left, right)], ['10.1.0.0/24']));
      right.speaker.configure(configOf(right, [peerOf(right, left)], ['10.2.0.0/24']));
      left.sessions.get('right').connect(right.sessions.get('left'));
      world.clock.advance(4_000);
      expect(left.table.history).to.deep.equal([]);
      world.clock.advance(2_000);
      expect(tableOf(left)).to.include({ '10.2.0.0/24': 'via 10.0.0.2 path 65002' });
      expect(left.table.history).to.deep.equal([
        '10.1.0.0/24 blackhole',
        '10.2.0.0/24 10.0.0.2',
        '10.9.0.0/24 removed',
      ]);
    });

    it('sweeps nothing before End-of-RIB of a peer that says it is restarting, whose routes come late', () => {
      const { world, left, right } = restarted();
      Object.defineProperty(right.speaker.deferral, 'active', { get: () => true });
      right.speaker.tables['ipv4-unicast'].defer();
      left.sessions.get('right').connect(right.sessions.get('left'));
      world.clock.advance(30_000);
      expect(left.table.history).to.deep.equal(['10.1.0.0/24 blackhole']);
      right.speaker.tables['ipv4-unicast'].release();
      right.speaker.configure(configOf(right, [peerOf(right, left)], ['10.2.0.0/24']));
      world.settle();
      expect(left.table.history.slice(1)).to.deep.equal(['10.2.0.0/24 10.0.0.2', '10.9.0.0/24 removed']);
    });

    it('does not wait for End-of-RIB from a peer without graceful restart, but for its routes', () => {
      const world = new World();
      const left = world.router('left', 65001, '10.0.0.1', { left: before });
      const right = world.router('right', 65002, '10.0.0.2');
      left.speaker.configure(configOf(left, [peerOf(left, right)], ['10.1.0.0/24']));
      right.speaker.configure(
        configOf(right, [peerOf(right, left, { gracefulRestartSeconds: undefined })], ['10.2.0.0/24']),
      );
      world.connect(left, right);
      world.clock.advance(6_000);
      expect(left.table.history.filter((line) => line.endsWith('removed'))).to.deep.equal([
        '10.9.0.0/24 removed',
      ]);
    });
  });

  describe('reconfiguration', () => {
    it('does not touch a session whose peer did not change', () => {
      const { world, left, right } = pair();
      world.connect(left, right);
      left.speaker.configure(configOf(left, [peerOf(left, right)], ['10.1.0.0/24', '10.7.0.0/24']));
      world.settle();
      expect(left.sessions.get('right').counters.establishedTransitions).to.equal(1);
      expect(Object.keys(tableOf(right))).to.deep.equal(['10.1.0.0/24', '10.2.0.0/24', '10.7.0.0/24']);
    });

    it('applies a changed export policy by withdrawals and updates, without a reset', () => {
      const { world, left, right } = pair();
      world.connect(left, right);
      const exportPolicy = allBut('10.1.0.0/24');
      left.speaker.configure(
        configOf(left, [peerOf(left, right, { exportPolicy })], ['10.1.0.0/24', 'fd00:1::/64']),
      );
      world.settle();
      expect(left.sessions.get('right').counters.establishedTransitions).to.equal(1);
      expect(Object.keys(tableOf(right))).to.deep.equal(['10.2.0.0/24', 'fd00:1::/64']);
      left.speaker.configure(configOf(left, [peerOf(left, right)], ['10.1.0.0/24', 'fd00:1::/64']));
      world.settle();
      expect(Object.keys(tableOf(right))).to.deep.equal(['10.1.0.0/24', '10.2.0.0/24', 'fd00:1::/64']);
      expect(right.sessions.get('left').endsOfRib).to.equal(2);
    });

    it('applies a changed import policy to what the peer has sent, without asking it again', () => {
      const { world, left, right } = pair();
      world.connect(left, right);
      left.speaker.configure(configOf(left, [peerOf(left, right, { importPolicy: allBut('10.2.0.0/24') })]));
      world.settle();
      expect(Object.keys(tableOf(left))).to.deep.equal([]);
      left.speaker.configure(configOf(left, [peerOf(left, right)]));
      world.settle();
      expect(Object.keys(tableOf(left))).to.deep.equal(['10.2.0.0/24']);
      expect(left.sessions.get('right').refreshed).to.deep.equal([]);
    });

    it('ends the session of a peer that is gone, and its routes with it', () => {
      const { world, left, right } = pair();
      world.connect(left, right);
      left.speaker.configure(configOf(left, []));
      world.settle();
      expect(Object.keys(tableOf(left))).to.deep.equal([]);
      expect(Object.keys(tableOf(right))).to.deep.equal(['10.2.0.0/24']);
    });

    it('leaves a peer alone whose configuration cannot be told at the moment', () => {
      const { world, left, right } = pair();
      world.connect(left, right);
      left.speaker.configure(configOf(left, [], [], { held: ['right', 'never-started'] }));
      world.settle();
      expect(left.sessions.get('right').state).to.equal('Established');
      expect(Object.keys(tableOf(left))).to.deep.equal(['10.2.0.0/24']);
      expect(left.speaker.neighbours.map((n) => n.name)).to.deep.equal(['right']);
    });
  });

  it('learns and tells nothing on eBGP without policy (RFC 8212)', () => {
    const { world, left, right } = pair({ importPolicy: undefined, exportPolicy: undefined } as object);
    world.connect(left, right);
    expect(Object.keys(tableOf(left))).to.deep.equal(['10.1.0.0/24', 'fd00:1::/64']);
    expect(Object.keys(tableOf(right))).to.deep.equal(['10.2.0.0/24']);
  });

  it('refuses its own AS in a path unless the peer may send it so often', () => {
    const world = new World();
    const a1 = world.router('a1', 65101, '10.0.0.1');
    const tor = world.router('tor', 65001, '10.0.0.2');
    const a2 = world.router('a2', 65101, '10.0.0.3');
    a1.speaker.configure(configOf(a1, [peerOf(a1, tor)], ['10.1.0.0/26']));
    tor.speaker.configure(configOf(tor, [peerOf(tor, a1), peerOf(tor, a2)]));
    a2.speaker.configure(configOf(a2, [peerOf(a2, tor)], ['10.2.0.0/26']));
    world.connect(a1, tor);
    world.connect(a2, tor);
    expect(Object.keys(tableOf(a2))).to.deep.equal(['10.2.0.0/26']);
    a2.speaker.configure(configOf(a2, [peerOf(a2, tor, { allowedLocalAs: 1 })], ['10.2.0.0/26']));
    world.settle();
    expect(tableOf(a2)).to.include({ '10.1.0.0/26': 'via 10.0.0.2 path 65001 65101' });
  });

  it('uses two equal ways at once, and the one that is left when the other dies', () => {
    const world = new World();
    const node = world.router('node', 65101, '10.0.0.1');
    const tors = [
      world.router('tor-1', 65001, '10.0.0.2'),
      world.router('tor-2', 65002, '10.0.0.3'),
    ] as const;
    node.speaker.configure(
      configOf(
        node,
        tors.map((tor) => peerOf(node, tor)),
      ),
    );
    for (const tor of tors) {
      tor.speaker.configure(
        configOf(tor, [peerOf(tor, node, { gracefulRestartSeconds: undefined })], ['10.9.0.0/24']),
      );
      world.connect(node, tor);
    }
    expect(node.table.entries.get('10.9.0.0/24')).to.equal('10.0.0.2 10.0.0.3');
    world.cut(node, tors[0]);
    expect(node.table.entries.get('10.9.0.0/24')).to.equal('10.0.0.3');
  });

  it('sends a family again when the peer asks for it', () => {
    const { world, left, right } = pair();
    world.connect(left, right);
    const before = right.sessions.get('left').received.length;
    right.sessions.get('left').requestRefresh('ipv4-unicast');
    world.settle();
    const again = right.sessions.get('left').received.slice(before);
    expect(
      again.flatMap((u) => u.reach.flatMap((r) => r.nlri.map((n) => n.prefix.toString()))),
    ).to.deep.equal(['10.1.0.0/24']);
  });

  it('owns nothing any more when all peers and prefixes are gone', () => {
    const { world, left, right } = pair();
    world.connect(left, right);
    left.speaker.configure(configOf(left, [], []));
    world.settle();
    expect(left.speaker.pool.size).to.equal(0);
    expect(left.speaker.tables['ipv4-unicast'].index.size).to.equal(0);
    expect(left.speaker.tables['ipv6-unicast'].index.size).to.equal(0);
  });
});
