import { expect } from 'chai';
import { cease, notification } from '../wire/notification.ts';
import { stateName, stopInput } from './session.ts';
import {
  CONFIG,
  CONNECTED,
  HIGHER,
  KEEPALIVE,
  LOST,
  LOWER,
  World,
  opened,
  started,
} from './testing/session-world.ts';

/** Connection 1 is ours, 2 the peer's; both are OpenSent. */
function both(): World {
  return started().on(1, CONNECTED).do({ type: 'accepted' });
}

function up(restarts: boolean): World {
  return started().on(1, CONNECTED).on(1, opened(HIGHER, restarts)).on(1, KEEPALIVE);
}

/** The peer has called, and failed after its OPEN, this often; nothing has fired. */
function failed(times: number): World {
  const world = started({ ...CONFIG, passive: true });
  for (let i = 0; i < times; i++) {
    world.do({ type: 'accepted' });
    if (world.did('wait')) world.do({ type: 'timer', timer: 'quiet' });
    const id = world.state.connections.at(-1)?.id ?? 0;
    world.on(id, opened(HIGHER)).on(id, LOST);
  }
  return world;
}
/** How long the peer’s calls wait from now on. */
const quietFor = (world: World): number[] =>
  world.actions.flatMap((one) =>
    'do' in one && one.do === 'arm-session' && one.timer === 'quiet' ? [one.seconds] : [],
  );

describe('session', () => {
  it('dials when started, and comes up', () => {
    const world = started();
    expect(world.shown).to.deep.equal(['1 local Connect']);
    world.on(1, CONNECTED).on(1, opened(HIGHER)).on(1, KEEPALIVE);
    expect(world.shown).to.deep.equal(['1 local Established']);
    expect(world.did('up')).to.equal(true);
  });

  it('takes the peer’s connection beside its own attempt, and gives that up at the peer’s OPEN', () => {
    const world = started().do({ type: 'accepted' });
    expect(world.shown).to.deep.equal(['1 local Connect', '2 peer OpenSent']);
    world.on(2, opened(HIGHER));
    expect(world.shown).to.deep.equal(['2 peer OpenConfirm']);
    world.on(2, KEEPALIVE);
    expect(stateName(world.state)).to.equal('Established');
  });

  it('refuses the peer’s connection until started', () =>
    expect(new World().do({ type: 'accepted' }).did('reject')).to.equal(true));

  describe('collision, every pair of states', () => {
    it('OpenSent and OpenSent: neither is judged yet', () =>
      expect(both().shown).to.deep.equal(['1 local OpenSent', '2 peer OpenSent']));

    it('OPEN on ours first: the other stays, then loses to ours if we dominate', () => {
      const world = both().on(1, opened(LOWER));
      expect(world.shown).to.deep.equal(['1 local OpenConfirm', '2 peer OpenSent']);
      world.on(2, opened(LOWER));
      expect(world.sent(2)).to.deep.equal(['6/7']);
      expect(world.shown).to.deep.equal(['1 local OpenConfirm']);
    });

    it('OPEN on ours first: the other wins if the peer dominates', () => {
      const world = both().on(1, opened(HIGHER)).on(2, opened(HIGHER));
      expect(world.sent(1)).to.deep.equal(['6/7']);
      expect(world.shown).to.deep.equal(['2 peer OpenConfirm']);
    });

    it('OPEN on theirs first, peer dominates: ours loses', () => {
      const world = both().on(2, opened(HIGHER)).on(1, opened(HIGHER));
      expect(world.sent(1)).to.deep.equal(['6/7']);
      expect(world.shown).to.deep.equal(['2 peer OpenConfirm']);
    });

    it('OPEN on theirs first, we dominate: theirs loses', () => {
      const world = both().on(2, opened(LOWER)).on(1, opened(LOWER));
      expect(world.sent(2)).to.deep.equal(['6/7']);
      expect(world.shown).to.deep.equal(['1 local OpenConfirm']);
    });

    it('Established stays, whoever dominates', () => {
      for (const id of [LOWER, HIGHER]) {
        const world = both().on(1, opened(id, true)).on(1, KEEPALIVE).on(2, opened(id, true));
        expect(world.sent(2)).to.deep.equal(['6/7']);
        expect(world.shown).to.deep.equal(['1 local Established']);
      }
    });

    it('does not hold a collision against the peer', () => {
      const world = both().on(1, opened(HIGHER)).on(2, opened(HIGHER));
      expect(world.state.connectRetryCounter).to.equal(0);
      expect(world.state.holding).to.equal(false);
    });
  });

  describe('a peer that has restarted (RFC 4724 §5)', () => {
    it('replaces the session when its new OPEN is valid, as a lost connection', () => {
      const world = up(true).do({ type: 'accepted' });
      expect(world.shown).to.deep.equal(['1 local Established', '2 peer OpenSent']);
      world.on(2, opened(HIGHER, true));
      expect(world.shown).to.deep.equal(['2 peer OpenConfirm']);
      expect(world.sent(1)).to.deep.equal([]);
      const down = world.actions.find((one) => 'do' in one && one.do === 'down');
      expect(down).to.deep.include({ id: 1 });
      expect(down !== undefined && 'end' in down && down.end.cause).to.equal('connection-lost');
    });

    it('does not, when its new OPEN is not', () => {
      const world = up(true).do({ type: 'accepted' });
      world.on(2, { type: 'message-error', notification: notification(2, 1), reason: 'version 3' });
      expect(world.sent(2)).to.deep.equal(['2/1']);
      expect(world.shown).to.deep.equal(['1 local Established']);
      expect(world.state.connectRetryCounter).to.equal(0);
    });

    it('is refused without the capability', () => {
      const world = up(false).do({ type: 'accepted' }).on(2, opened(HIGHER));
      expect(world.sent(2)).to.deep.equal(['6/7']);
      expect(world.shown).to.deep.equal(['1 local Established']);
    });
  });

  it('replaces a connection of the peer that never got to its OPEN', () => {
    const world = started({ ...CONFIG, passive: true })
      .do({ type: 'accepted' })
      .do({ type: 'accepted' });
    expect(world.shown).to.deep.equal(['1 local Active', '3 peer OpenSent']);
  });

  it('holds in Idle after a failure, longer each time, and forgives after a stable minute', () => {
    const world = started();
    const holds: number[] = [];
    const note = (): void => {
      for (const one of world.actions)
        if ('do' in one && one.do === 'arm-session' && one.timer === 'idle-hold') holds.push(one.seconds);
    };
    let id = 1;
    const round = (upTo: 'OpenConfirm' | 'stable'): void => {
      world.on(id, CONNECTED).on(id, opened(HIGHER));
      if (upTo === 'stable') world.on(id, KEEPALIVE).do({ type: 'timer', timer: 'stable' });
      world.on(id, LOST);
      note();
      expect(stateName(world.state)).to.equal('Idle');
      world.do({ type: 'timer', timer: 'idle-hold' });
      id++;
    };
    for (let i = 0; i < 8; i++) round('OpenConfirm');
    round('stable');
    expect(holds).to.deep.equal([1, 2, 4, 8, 16, 32, 60, 60, 1]);
  });

  describe('the peer’s call after failures', () => {
    it('is answered at once after one', () =>
      expect(failed(1).do({ type: 'accepted' }).did('adopt')).to.equal(true));

    it('waits after several, two seconds, and is answered long before we call ourselves', () => {
      expect([2, 3, 4, 8].map((times) => quietFor(failed(times)))).to.deep.equal([[2], [2], [2], [2]]);
      const world = failed(8).do({ type: 'accepted' });
      expect(world.did('wait')).to.equal(true);
      expect(world.shown).to.deep.equal([]);
      world.do({ type: 'timer', timer: 'quiet' });
      expect(world.did('adopt')).to.equal(true);
      expect(world.state.holding, 'our own call').to.equal(true);
      const id = world.state.connections.at(-1)?.id ?? 0;
      expect(stateName(world.on(id, opened(HIGHER)).on(id, KEEPALIVE).state)).to.equal('Established');
    });

    it('waits for the whole hold after sessions that were up', () => {
      const world = failed(5).do({ type: 'timer', timer: 'quiet' }).do({ type: 'accepted' });
      const id = world.state.connections.at(-1)?.id ?? 0;
      world.on(id, opened(HIGHER)).on(id, KEEPALIVE).on(id, LOST);
      expect(quietFor(world)).to.deep.equal([32]);
    });

    it('waits one at a time, the latest', () => {
      const world = failed(3).do({ type: 'accepted' });
      const first = world.state.waiting;
      expect(world.do({ type: 'accepted' }).did('wait')).to.equal(true);
      expect(world.state.waiting).to.be.above(first ?? Number.NaN);
    });

    it('is answered when the hold is over, and we call as well only if nothing comes of it', () => {
      for (const alive of [true, false]) {
        const world = started();
        for (let id = 1; id <= 2; id++) {
          world.on(id, CONNECTED).on(id, opened(HIGHER)).on(id, KEEPALIVE).on(id, LOST);
          if (id === 1) world.do({ type: 'timer', timer: 'idle-hold' });
        }
        world.do({ type: 'accepted' }).do({ type: 'timer', timer: 'idle-hold' });
        expect(world.shown).to.deep.equal(['3 peer OpenSent']);
        world.on(3, alive ? opened(HIGHER) : LOST).do({ type: 'timer', timer: 'idle-hold' });
        expect(world.shown).to.deep.equal(alive ? ['3 peer OpenConfirm'] : ['4 local Connect']);
      }
    });

    it('is turned away by a stop', () => {
      const world = failed(3).do({ type: 'accepted' }).do(stopInput(2));
      expect(world.did('reject')).to.equal(true);
      expect(world.state).to.deep.include({ quiet: false, waiting: undefined });
    });
  });

  for (const [what, end] of [
    ['a collision', cease(7)],
    ['another version', notification(2, 1)],
  ] as const) {
    it(`counts a session that was up and that the peer ended with ${what}: it has flapped all the same`, () => {
      const world = started().on(1, CONNECTED).on(1, opened(HIGHER));
      world.on(1, KEEPALIVE).on(1, { type: 'notification-received', notification: end });
      expect(world.state.connectRetryCounter).to.equal(1);
      expect(world.state.holding).to.equal(true);
    });
  }

  it('counts a graceful restart, so that one without end is held off', () => {
    const world = started({ ...CONFIG, passive: true });
    for (let id = 2; !world.do({ type: 'accepted' }).did('wait'); id++)
      world.on(id, opened(HIGHER, true)).on(id, KEEPALIVE);
    expect(world.did('wait')).to.equal(true);
    expect(stateName(world.state)).to.equal('Established');
    const id = world.state.waiting ?? 0;
    // It came after the session, so it means that the peer has restarted, however late it is answered.
    world.do({ type: 'timer', timer: 'quiet' }).on(id, opened(HIGHER, true));
    expect(world.shown).to.deep.equal([`${id} peer OpenConfirm`]);
  });

  it('stops with a Cease on every connection, and answers nothing afterwards', () => {
    const world = started().on(1, CONNECTED).do({ type: 'accepted' }).do(stopInput(2, 'bye'));
    expect([world.sent(1), world.sent(2)]).to.deep.equal([['6/2'], ['6/2']]);
    expect(world.state.connections).to.deep.equal([]);
    expect(world.do({ type: 'timer', timer: 'idle-hold' }).actions).to.deep.equal([]);
  });

  it('drops without a word', () => {
    const world = started().on(1, CONNECTED).on(1, opened(HIGHER)).on(1, KEEPALIVE).do({ type: 'drop' });
    expect(world.sent(1)).to.deep.equal([]);
    expect(world.did('down')).to.equal(true);
  });
});
