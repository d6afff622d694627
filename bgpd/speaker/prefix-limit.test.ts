import { expect } from 'chai';
import { policyOfRules } from '../filter/policy-text.ts';
import { allBut } from './testing/policies.ts';
import { configOf, peerOf, World, type Router } from './testing/world.ts';
import type { SimulatedSession } from './testing/simulated-sessions.ts';
import { tableOf } from './testing/tables.ts';
import type { PrefixLimit } from './prefix-limit.ts';

const FAMILY = 'ipv4-unicast';

const routes = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `10.9.${from + i}.0/24`);

class Pair {
  readonly world = new World();
  readonly us: Router = this.world.router('us', 65001, '10.0.0.1');
  readonly peer: Router = this.world.router('peer', 65002, '10.0.0.2');

  constructor(limit: PrefixLimit, says: readonly string[]) {
    this.limit(limit);
    this.say(says);
    this.world.connect(this.us, this.peer);
  }

  limit(limit: PrefixLimit | undefined, extras = {}): void {
    const prefixLimits = limit === undefined ? {} : { prefixLimits: { [FAMILY]: limit } };
    this.us.speaker.configure(
      configOf(this.us, [peerOf(this.us, this.peer, { ...prefixLimits, ...extras })]),
    );
    this.world.settle();
  }

  say(prefixes: readonly string[]): void {
    this.peer.speaker.configure(configOf(this.peer, [peerOf(this.peer, this.us)], prefixes));
    this.world.settle();
  }

  get session(): SimulatedSession {
    return this.us.sessions.get('peer');
  }

  /** What was told about limits, in short. */
  get told(): string[] {
    return this.us.events.flatMap((event) =>
      'max' in event ? [`${event.type.slice('prefix-limit-'.length)} ${event.count}/${event.max}`] : [],
    );
  }

  get held(): string[] {
    return Object.keys(tableOf(this.us));
  }
}

describe('prefix limit', () => {
  it('says nothing below the warning, and each thing once', () => {
    const pair = new Pair({ max: 8, action: 'warn' }, routes(5));
    expect(pair.told).to.deep.equal([]);
    pair.say(routes(6));
    pair.say(routes(7));
    expect(pair.told).to.deep.equal(['warning 6/8']);
    pair.say(routes(9));
    pair.say(routes(10));
    expect(pair.told).to.deep.equal(['warning 6/8', 'exceeded 9/8']);
    expect(pair.held).to.have.length(10);
    expect(pair.session.state).to.equal('Established');
  });

  it('counts down on withdrawal, and warns anew only after the count was well below', () => {
    const pair = new Pair({ max: 10, warnPercent: 50, action: 'warn' }, routes(11));
    pair.say(routes(10));
    expect(pair.told).to.deep.equal(['exceeded 11/10']);
    pair.say(routes(9));
    expect(pair.told.slice(1)).to.deep.equal(['cleared 9/10']);
    pair.say(routes(11));
    expect(pair.told.slice(2)).to.deep.equal(['exceeded 11/10']);
    pair.say(routes(4));
    pair.say(routes(5));
    expect(pair.told.slice(3)).to.deep.equal(['cleared 4/10', 'warning 5/10']);
  });

  it('rejects what is beyond, keeps what it has, and asks again once there is room', () => {
    const pair = new Pair({ max: 10, action: 'reject' }, routes(14));
    expect(pair.held).to.have.length(10);
    expect(pair.told).to.deep.equal(['exceeded 10/10']);
    const before = pair.held;
    const again = before.slice(2);
    pair.say([...again, ...routes(2, 100)]);
    expect(pair.session.refreshed).to.deep.equal([FAMILY]);
    expect(pair.held).to.deep.equal([...again, ...routes(2, 100)].sort());
    expect(pair.session.state).to.equal('Established');
  });

  it('lets a route that it holds be told differently at the limit', () => {
    const pair = new Pair({ max: 3, action: 'reject' }, routes(3));
    const attributes = { med: 7 };
    const originated = pair.peer.speaker.config?.originated.map((route) => ({ ...route, attributes })) ?? [];
    pair.peer.speaker.configure(configOf(pair.peer, [peerOf(pair.peer, pair.us)], [], { originated }));
    pair.world.settle();
    expect(pair.us.speaker.neighbours[0]?.limits.status()[0]).to.deep.include({ count: 3, refused: 0 });
    expect(pair.session.received.at(-1)?.attributes?.med).to.equal(7);
  });

  it('counts what import accepts where that is asked for', () => {
    const pair = new Pair({ max: 2, count: 'accepted', action: 'reject' }, []);
    pair.limit({ max: 2, count: 'accepted', action: 'reject' }, { importPolicy: allBut('10.9.0.0/24') });
    pair.say(routes(3));
    expect(pair.held).to.deep.equal(['10.9.1.0/24', '10.9.2.0/24']);
    expect(pair.told.filter((each) => each.startsWith('exceeded'))).to.deep.equal([]);
    pair.say(routes(4));
    expect(pair.held).to.have.length(2);
    expect(pair.us.speaker.neighbours[0]?.limits.status()[0]).to.deep.include({ count: 2, refused: 1 });
  });

  it('ends the session with Cease 1 and the family and number (RFC 4486 §4), and stays down', () => {
    const pair = new Pair({ max: 2, action: 'shutdown' }, routes(3));
    expect(pair.session.stops).to.deep.equal([{ subcode: 1, said: Uint8Array.of(0, 1, 1, 0, 0, 0, 2) }]);
    expect(pair.held).to.deep.equal([]);
    pair.world.clock.advance(86_400_000);
    expect(pair.session.state).to.equal('Idle');
    expect(pair.us.speaker.neighbours[0]?.limits.held).to.deep.include({ family: FAMILY, until: undefined });
  });

  it('starts again when the limit is another one', () => {
    const pair = new Pair({ max: 2, action: 'shutdown' }, routes(3));
    pair.limit({ max: 2, action: 'shutdown' });
    expect(pair.session.state).to.equal('Idle');
    pair.limit({ max: 5, action: 'shutdown' });
    expect(pair.session.state).to.equal('Connect');
    pair.world.connect(pair.us, pair.peer);
    expect(pair.held).to.have.length(3);
  });

  it('starts again after its time, and ends again if nothing has changed', () => {
    const pair = new Pair({ max: 2, action: 'restart', restartSeconds: 60 }, routes(3));
    expect(pair.session.state).to.equal('Idle');
    pair.world.clock.advance(59_000);
    expect(pair.session.state).to.equal('Idle');
    pair.world.clock.advance(1_000);
    expect(pair.session.state).to.equal('Connect');
    pair.world.connect(pair.us, pair.peer);
    expect(pair.session.state).to.equal('Idle');
    expect(pair.told).to.deep.equal(['exceeded 3/2', 'exceeded 3/2']);
    pair.limit(undefined);
    expect(pair.session.state).to.equal('Connect');
    expect(pair.us.speaker.neighbours[0]?.limits.held).to.equal(undefined);
  });

  it('does not start the session of a peer that is gone', () => {
    const pair = new Pair({ max: 2, action: 'restart', restartSeconds: 60 }, routes(3));
    const { session } = pair;
    pair.us.speaker.configure(configOf(pair.us, []));
    pair.world.clock.advance(120_000);
    expect(session.state).to.equal('Idle');
  });

  it('does not count what is only kept from the session before: a peer may come back with other routes', () => {
    const pair = new Pair({ max: 4, action: 'shutdown' }, routes(4));
    pair.world.cut(pair.us, pair.peer);
    const limits = pair.us.speaker.neighbours[0]?.limits;
    expect([pair.held.length, limits?.status()[0]?.count]).to.deep.equal([4, 0]);
    pair.say(routes(4, 100));
    pair.world.connect(pair.us, pair.peer);
    expect(pair.session.state).to.equal('Established');
    expect(pair.held).to.deep.equal(routes(4, 100));
    expect(limits?.status()[0]?.count).to.equal(4);
  });

  it('is looked at when a peer repeats what was kept', () => {
    const pair = new Pair({ max: 4, action: 'warn' }, routes(4));
    pair.world.cut(pair.us, pair.peer);
    pair.world.connect(pair.us, pair.peer);
    expect(pair.us.speaker.neighbours[0]?.limits.status()[0]).to.deep.include({ count: 4, state: 'warned' });
  });

  it('goes up together with a wider policy, without tripping over it', () => {
    const narrow = { importPolicy: allBut('10.9.0.0/24') };
    const pair = new Pair({ max: 9, action: 'warn' }, routes(3));
    pair.limit({ max: 2, count: 'accepted', warnPercent: 100, action: 'shutdown' }, narrow);
    expect(pair.told).to.deep.equal(['warning 2/2']);
    pair.limit({ max: 3, count: 'accepted', warnPercent: 100, action: 'shutdown' });
    expect(pair.session.state).to.equal('Established');
    expect(pair.session.counters.establishedTransitions).to.equal(1);
    expect(pair.told.slice(1)).to.deep.equal(['warning 3/3']);
  });

  it('goes down together with a narrower policy, without tripping before everything was judged by that one', () => {
    const pair = new Pair({ max: 9, action: 'warn' }, []);
    // More than are judged in one go, and the peer says something in between.
    const many = Array.from({ length: 5_000 }, (_, i) => `10.${100 + (i >> 8)}.${i & 255}.0/24`);
    pair.limit(undefined);
    pair.say([...routes(2), ...many]);
    const importPolicy = policyOfRules(
      [
        { match: { prefixes: [{ prefix: '10.9.0.0/16', maxLength: 32 }] }, action: 'accept' },
        { action: 'reject' },
      ],
      'accept',
    );
    const prefixLimits = { [FAMILY]: { max: 3, count: 'accepted', action: 'shutdown' } } as const;
    const told = pair.told.length;
    pair.us.speaker.configure(
      configOf(pair.us, [peerOf(pair.us, pair.peer, { prefixLimits, importPolicy })]),
    );
    const [neighbour] = pair.us.speaker.neighbours;
    expect(neighbour?.adjRibIn[FAMILY].judging).to.equal(true);
    expect(neighbour?.adjRibIn[FAMILY].accepted).to.be.above(3);
    neighbour?.limits.check();
    pair.world.settle();
    expect(neighbour?.adjRibIn[FAMILY].accepted).to.equal(2);
    expect([pair.session.state, ...pair.told.slice(told)]).to.deep.equal(['Established']);
    pair.say([...routes(4), ...many]);
    expect([pair.session.state, ...pair.told.slice(told)]).to.deep.equal(['Idle', 'exceeded 4/3']);
  });

  it('is applied to what is there when it is set', () => {
    const pair = new Pair({ max: 9, action: 'shutdown' }, routes(4));
    pair.limit({ max: 3, action: 'shutdown' });
    expect(pair.session.state).to.equal('Idle');
    expect(pair.told).to.deep.equal(['exceeded 4/3']);
  });
});
