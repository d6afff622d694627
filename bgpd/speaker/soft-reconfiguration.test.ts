import { expect } from 'chai';
import fc from 'fast-check';
import type { Address } from '../../net/addr/index.ts';
import type { Policy } from '../filter/policy.ts';
import { policyOfRules, type RuleText } from '../filter/policy-text.ts';
import { isEndOfRib } from '../wire/types.ts';
import type { PeerConfig } from './config.ts';
import { tableOf } from './testing/tables.ts';
import {
  configOf,
  peerOf,
  prefix,
  RecordingTable,
  World,
  type PeerExtras,
  type Router,
} from './testing/world.ts';

const ORIGINATED = ['10.1.0.0/24', '10.1.1.0/24', '10.2.0.0/16', 'fd00:1::/64'];

const policy = (...rules: RuleText[]): Policy => policyOfRules(rules, 'accept');

/** A new object each time. */
const withoutTargets = (): PeerExtras => ({
  importPolicy: policy({ match: { communities: ['rt:65001:*'] }, action: 'reject' }),
});

/** `left` and `right` both peer with `middle`, whose filters change. */
class Line {
  readonly world = new World();
  readonly left: Router = this.world.router('left', 65001, '10.0.0.1');
  readonly middle: Router = this.world.router('middle', 65002, '10.0.0.2');
  readonly right: Router = this.world.router('right', 65003, '10.0.0.3');

  constructor() {
    this.left.speaker.configure(configOf(this.left, [peerOf(this.left, this.middle)], ORIGINATED));
    this.right.speaker.configure(configOf(this.right, [peerOf(this.right, this.middle)], ['10.3.0.0/24']));
    this.filter({}, {});
    this.world.connect(this.left, this.middle);
    this.world.connect(this.right, this.middle);
  }

  filter(left: PeerExtras, right: PeerExtras): void {
    const peers: PeerConfig[] = [
      peerOf(this.middle, this.left, left),
      peerOf(this.middle, this.right, right),
    ];
    this.middle.speaker.configure(configOf(this.middle, peers, ['10.4.0.0/24']));
    this.world.settle();
  }

  /** Everything a peer could notice: tables of all three, and what the middle holds for each peer. */
  get state(): object {
    return {
      tables: [this.left, this.middle, this.right].map(tableOf),
      accepted: this.middle.speaker.neighbours.map(({ name, adjRibIn }) => [
        name,
        adjRibIn['ipv4-unicast'].accepted,
        adjRibIn['ipv6-unicast'].accepted,
      ]),
      sets: this.middle.speaker.pool.size,
    };
  }

  sessions(router: Router): object {
    const session = this.middle.sessions.get(router.name);
    return { resets: session.counters.establishedTransitions - 1, refreshed: session.refreshed };
  }

  /** UPDATEs that `router` got, End-of-RIB aside. */
  heard(router: Router): number {
    return router.sessions.get('middle').received.filter((update) => isEndOfRib(update) === undefined).length;
  }

  changed(): string[] {
    return this.middle.events.flatMap((event) => (event.type === 'peer-changed' ? [event.peer] : []));
  }
}

describe('soft reconfiguration', () => {
  it('judges stored routes by a new import policy, with no reset and no refresh', () => {
    const line = new Line();
    line.filter(
      {
        importPolicy: policy(
          { match: { prefixes: [{ prefix: '10.1.0.0/16', maxLength: 32 }] }, action: 'reject' },
          { action: 'continue', set: { prepend: [65009] } },
        ),
      },
      {},
    );
    expect(tableOf(line.middle)).to.deep.equal({
      '10.2.0.0/16': 'via 10.0.0.1 path 65009 65001',
      '10.3.0.0/24': 'via 10.0.0.3 path 65003',
      '10.4.0.0/24': 'own',
      'fd00:1::/64': 'via fd00::1 path 65009 65001',
    });
    expect(tableOf(line.right)).to.have.property('10.2.0.0/16', 'via 10.0.0.2 path 65002 65009 65001');
    expect(line.sessions(line.left)).to.deep.equal({ resets: 0, refreshed: [] });
  });

  it('sets the next hop on import, and finds the one that came when the policy goes', () => {
    const line = new Line();
    const prefixes = [{ prefix: '10.1.0.0/24' }];
    const importPolicy = policy({ match: { prefixes }, action: 'accept', set: { nextHop: '10.0.0.77' } });
    line.filter({ importPolicy }, {});
    expect(tableOf(line.middle)).to.include({
      '10.1.0.0/24': 'via 10.0.0.77 path 65001',
      '10.1.1.0/24': 'via 10.0.0.1 path 65001',
      'fd00:1::/64': 'via fd00::1 path 65001',
    });
    const other = policy({ match: { nextHop: ['10.0.0.77'] }, action: 'reject' });
    line.filter({ importPolicy: other }, {});
    expect(tableOf(line.middle)).to.include({ '10.1.0.0/24': 'via 10.0.0.1 path 65001' });
  });

  it('tells a peer what a new export policy says, and withdraws what it no longer lets out', () => {
    const line = new Line();
    line.filter(
      {},
      { exportPolicy: policy({ match: { asPath: '65001' }, action: 'reject' }, { action: 'accept' }) },
    );
    expect(Object.keys(tableOf(line.right))).to.deep.equal(['10.3.0.0/24', '10.4.0.0/24']);
    expect(line.sessions(line.right)).to.deep.equal({ resets: 0, refreshed: [] });
  });

  it('touches only the peer whose filter changed: the other hears nothing and its paths are the same objects', () => {
    const line = new Line();
    const [left, right] = line.middle.speaker.neighbours;
    const paths = (): unknown[] =>
      [...(right?.adjRibIn['ipv4-unicast'].entries() ?? [])].map(({ path }) => path.attributes);
    const [before, heard] = [paths(), line.heard(line.right)];
    const exportPolicy = policy({ match: { source: 'local' }, action: 'reject' });
    line.filter({ exportPolicy }, {});
    expect(line.changed()).to.deep.equal(['left']);
    expect(line.heard(line.right)).to.equal(heard);
    expect(paths().every((attributes, i) => attributes === before[i])).to.equal(true);
    expect(left?.config.exportPolicy).to.equal(exportPolicy);
    expect(Object.keys(tableOf(line.left))).to.not.include('10.4.0.0/24');
  });

  it('does nothing where a policy is written anew and says the same', () => {
    const line = new Line();
    line.filter(withoutTargets(), {});
    const changes = line.changed().length;
    line.filter(withoutTargets(), {});
    expect(line.changed()).to.have.length(changes);
  });

  const rule: fc.Arbitrary<RuleText> = fc.record(
    {
      match: fc.constantFrom(
        {},
        { prefixes: [{ prefix: '10.1.0.0/16', maxLength: 32 }] },
        { prefixLength: { min: 64 } },
        { asPath: '65001 .*' },
        { source: 'local' } as const,
        { not: { med: 'absent' } } as const,
      ),
      action: fc.constantFrom('accept', 'continue'),
      set: fc.constantFrom(
        { med: 7 },
        { localPref: 200 },
        { addCommunities: ['65001:1', '65001:1:1', 'rt:65001:1'] },
        { prepend: [65001] },
        { nextHop: 'self' },
        { nextHop: '10.0.0.77' },
      ),
    },
    { requiredKeys: ['action'] },
  );
  const rejecting = rule.map(({ match = {} }): RuleText => ({ match, action: 'reject' }));
  const policies = fc
    .array(fc.oneof(rule, rejecting), { maxLength: 4 })
    .map((rules) => policyOfRules(rules, 'accept'));
  const extras = fc.record({ importPolicy: policies, exportPolicy: policies }, { requiredKeys: [] });

  it('ends in the same RIBs when filters change, any number of times, and change back', function () {
    this.timeout(120_000);
    fc.assert(
      fc.property(fc.array(fc.tuple(extras, extras), { minLength: 1, maxLength: 4 }), (steps) => {
        const line = new Line();
        const before = line.state;
        for (const [left, right] of steps) line.filter(left, right);
        line.filter({}, {});
        expect(line.state).to.deep.equal(before);
      }),
      { numRuns: 60 },
    );
  });

  it('ends where a router ends that has had the last filters from the start', function () {
    this.timeout(120_000);
    fc.assert(
      fc.property(extras, extras, extras, extras, (left, right, lastLeft, lastRight) => {
        const changing = new Line();
        changing.filter(left, right);
        changing.filter(lastLeft, lastRight);
        const fresh = new Line();
        fresh.filter(lastLeft, lastRight);
        expect(changing.state).to.deep.equal(fresh.state);
      }),
      { numRuns: 60 },
    );
  });

  it('judges again where a policy asks for links and one has changed, and nowhere else', () => {
    const world = new World();
    const links = new Map([['10.0.0.2', 'eth0']]);
    let changed: (() => void) | undefined;
    const table = Object.assign(new RecordingTable(), {
      linkTo: (address: Address) => links.get(address.toString()),
      watchLinks: (listener: () => void) => {
        changed = listener;
      },
    });
    const us = world.router('us', 65001, '10.0.0.1', { forwarding: table });
    const from = world.router('from', 65002, '10.0.0.2');
    const to = world.router('to', 65003, '10.0.0.3');
    const byLink = policy({ match: { interface: 'eth*' }, action: 'accept' }, { action: 'reject' });
    const configure = (importPolicy: Policy, exportPolicy: Policy): void => {
      const peers = [peerOf(us, from, { importPolicy }), peerOf(us, to, { exportPolicy })];
      us.speaker.configure(configOf(us, peers));
      world.settle();
    };
    configure(byLink, policy());
    from.speaker.configure(configOf(from, [peerOf(from, us)], ['10.2.0.0/24']));
    to.speaker.configure(configOf(to, [peerOf(to, us)]));
    world.connect(us, from);
    world.connect(us, to);
    const move = (link: string): string[][] => {
      links.set('10.0.0.2', link);
      changed?.();
      world.settle();
      return [us, to].map((router) => Object.keys(tableOf(router)));
    };
    expect(move('eth1')).to.deep.equal([['10.2.0.0/24'], ['10.2.0.0/24']]);
    expect(move('wlan0')).to.deep.equal([[], []]);
    configure(policy(), byLink);
    expect(move('wlan1')).to.deep.equal([['10.2.0.0/24'], []]);
    expect(move('eth1')).to.deep.equal([['10.2.0.0/24'], ['10.2.0.0/24']]);
    configure(policy(), policy());
    const heard = to.sessions.get('us').received.length;
    move('wlan0');
    expect(to.sessions.get('us').received.length).to.equal(heard);
  });

  it('refuses stored paths with a set once it shall, and takes them back once it shall not (RFC 9774)', () => {
    const world = new World();
    const [us, them] = [world.router('us', 65001, '10.0.0.1'), world.router('them', 65002, '10.0.0.2')];
    const configure = (rejectAsSets: boolean): void => {
      us.speaker.configure(configOf(us, [peerOf(us, them, { rejectAsSets })]));
      world.settle();
    };
    const aggregate = {
      prefix: prefix('10.1.0.0/16'),
      kernel: 'none',
      attributes: { asPath: [{ type: 'set', asns: [7, 8] }] },
    } as const;
    const plain = { prefix: prefix('10.2.0.0/16'), kernel: 'none' } as const;
    configure(false);
    them.speaker.configure(configOf(them, [peerOf(them, us)], [], { originated: [aggregate, plain] }));
    world.connect(us, them);
    expect(Object.keys(tableOf(us))).to.deep.equal(['10.1.0.0/16', '10.2.0.0/16']);
    configure(true);
    expect(Object.keys(tableOf(us))).to.deep.equal(['10.2.0.0/16']);
    configure(false);
    expect(Object.keys(tableOf(us))).to.deep.equal(['10.1.0.0/16', '10.2.0.0/16']);
    expect(us.sessions.get('them').refreshed).to.deep.equal([]);
  });

  it('says once for each peer that RFC 8212 lets nothing pass, and again when that changes', () => {
    const line = new Line();
    const missing = { importPolicy: undefined, exportPolicy: undefined } as object;
    line.filter(missing, {});
    line.filter(missing, { enforceFirstAs: false });
    line.world.cut(line.middle, line.left);
    line.world.connect(line.middle, line.left);
    const told = line.middle.events.flatMap((event) =>
      event.type === 'policy-missing' ? [`${event.peer} ${event.directions.join('+')}`] : [],
    );
    expect(told).to.deep.equal(['left import+export']);
    expect(line.middle.speaker.neighbours.map(({ missingPolicies }) => missingPolicies.length)).to.deep.equal(
      [2, 0],
    );
    expect(Object.keys(tableOf(line.middle))).to.deep.equal(['10.3.0.0/24', '10.4.0.0/24']);
  });
});
