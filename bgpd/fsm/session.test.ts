import { expect } from 'chai';
import fc from 'fast-check';
import { cease, notification } from '../wire/notification.ts';
import type { OpenMessage } from '../wire/types.ts';
import {
  INITIAL,
  advance,
  stateName,
  stopInput,
  type SessionAction,
  type SessionInput,
  type SessionState,
} from './session.ts';
import type { ConnectionEvent, FsmConfig, TimerName } from './state.ts';

const CONFIG: FsmConfig = {
  localAsn: 65101,
  peerAsn: 65001,
  routerId: 0x0a00_0001,
  holdSeconds: 90,
  connectRetrySeconds: 120,
  passive: false,
  families: ['ipv4-unicast'],
};

function open(routerId: number, restarts = false): OpenMessage {
  const gracefulRestart = {
    code: 64,
    restarting: false,
    notification: false,
    restartSeconds: 60,
    families: [],
  } as const;
  return {
    type: 'open',
    version: 4,
    asn: 65001,
    holdSeconds: 90,
    routerId,
    capabilities: restarts ? [gracefulRestart] : [],
  };
}

const HIGHER = 0x0a00_0002;
const LOWER = 0x0900_0001;

/** A session with its history of actions, in the words of the tests. */
class World {
  state: SessionState = INITIAL;
  readonly config: FsmConfig;
  actions: readonly SessionAction[] = [];

  constructor(config: FsmConfig = CONFIG) {
    this.config = config;
  }

  do(input: SessionInput): this {
    const next = advance(this.state, input, this.config);
    this.state = next.state;
    this.actions = next.actions;
    return this;
  }

  on(id: number, event: ConnectionEvent): this {
    return this.do({ type: 'connection', id, event });
  }

  get shown(): string[] {
    return this.state.connections.map(({ id, initiator, state }) => `${id} ${initiator} ${state.name}`);
  }

  sent(id: number): string[] {
    return this.actions.flatMap((one) =>
      'on' in one && one.on === id && one.action.do === 'send-notification'
        ? [`${one.action.notification.code}/${one.action.notification.subcode}`]
        : [],
    );
  }

  did(what: string): boolean {
    return this.actions.some((one) => 'do' in one && one.do === what);
  }
}

const started = (config?: FsmConfig): World => new World(config).do({ type: 'start' });
const KEEPALIVE = { type: 'keepalive-received' } as const;
const CONNECTED = { type: 'tcp-connected' } as const;
const LOST = { type: 'tcp-failed', reason: 'reset' } as const;
const opened = (routerId: number, restarts = false): ConnectionEvent => ({
  type: 'open-received',
  open: open(routerId, restarts),
});

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

/** Of the peer’s call that waits. */
const waitsInQuiet = ({ quiet, waiting, started: on }: SessionState): void => {
  expect(waiting === undefined || quiet, 'waits only while quiet').to.equal(true);
  expect(on || !quiet).to.equal(true);
};

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

  describe('whatever happens, in whatever order', () => {
    const timer = fc.constantFrom<TimerName>('connect-retry', 'delay-open', 'hold', 'keepalive', 'send-hold');
    const anyEvent: fc.Arbitrary<ConnectionEvent> = fc.oneof(
      { weight: 3, arbitrary: fc.constant(CONNECTED) },
      {
        weight: 4,
        arbitrary: fc.tuple(fc.constantFrom(LOWER, HIGHER), fc.boolean()).map(([id, gr]) => opened(id, gr)),
      },
      { weight: 4, arbitrary: fc.constant(KEEPALIVE) },
      fc.constant(LOST),
      timer.map((one) => ({ type: 'timer', timer: one }) as const),
      fc.constant({ type: 'update-received' } as const),
      fc.constant({ type: 'refresh-received' } as const),
      fc.constant({ type: 'message-error', notification: notification(3, 1), reason: 'x' } as const),
      fc
        .constantFrom(cease(2), cease(7), notification(2, 1))
        .map((one) => ({ type: 'notification-received', notification: one }) as const),
      fc.constant({ type: 'open-received', open: { ...open(HIGHER), asn: 1 } } as const),
    );
    const anyInput = (ids: number): fc.Arbitrary<SessionInput> =>
      fc.oneof(
        { weight: 1, arbitrary: fc.constant({ type: 'start' } as const) },
        { weight: 1, arbitrary: fc.constantFrom<SessionInput>(stopInput(2), { type: 'drop' }) },
        { weight: 4, arbitrary: fc.constant({ type: 'accepted' } as const) },
        {
          weight: 2,
          arbitrary: fc.constantFrom<SessionInput>(
            { type: 'timer', timer: 'idle-hold' },
            { type: 'timer', timer: 'quiet' },
            { type: 'timer', timer: 'stable' },
          ),
        },
        {
          weight: 20,
          arbitrary: fc.record({
            type: fc.constant('connection' as const),
            id: fc.integer({ min: 1, max: ids }),
            event: anyEvent,
          }),
        },
      );
    const config = fc
      .record({ passive: fc.boolean(), delayOpenSeconds: fc.constantFrom(0, 5) })
      .map((some) => ({ ...CONFIG, ...some }));

    it('keeps its promises', () => {
      fc.assert(
        fc.property(config, fc.array(anyInput(6), { maxLength: 60 }), (some, inputs) => {
          const world = new World(some).do({ type: 'start' });
          const up = new Set<number>();
          const armed = new Set<string>();
          let held = false;
          let hushed = false;
          let calls = 0;
          for (const input of inputs) {
            world.do(input);
            for (const one of world.actions) {
              if ('on' in one) {
                const { action } = one;
                if (action.do === 'arm') armed.add(`${one.on} ${action.timer}`);
                if (action.do === 'disarm') armed.delete(`${one.on} ${action.timer}`);
                if (action.do === 'disarm-all')
                  for (const name of armed) if (name.startsWith(`${one.on} `)) armed.delete(name);
              } else if (one.do === 'up') {
                expect(up.size, 'one session at a time').to.equal(0);
                up.add(one.id);
              } else if (one.do === 'down') {
                expect(up.delete(one.id), 'down only after up').to.equal(true);
              } else if (one.do === 'arm-session' && one.timer === 'idle-hold') held = true;
              else if (one.do === 'disarm-session' && one.timer === 'idle-hold') held = false;
              else if (one.do === 'arm-session' && one.timer === 'quiet') hushed = true;
              else if (one.do === 'disarm-session' && one.timer === 'quiet') hushed = false;
              else if (one.do === 'wait') calls = 1;
              else if ((one.do === 'adopt' || one.do === 'reject') && input.type !== 'accepted') calls--;
            }
            if (input.type === 'timer' && input.timer === 'quiet') hushed = world.state.quiet;
            expect(world.state.quiet, 'quiet is a timer that runs').to.equal(hushed);
            expect(calls, 'each call has one answer').to.equal(world.state.waiting === undefined ? 0 : 1);
            waitsInQuiet(world.state);
            if (input.type === 'timer' && input.timer === 'idle-hold') held = world.state.holding;
            const { connections, started: on, holding } = world.state;
            const established = connections.filter(({ state }) => state.name === 'Established');
            expect(established.map(({ id }) => id)).to.deep.equal([...up]);
            expect(connections.length).to.be.at.most(3);
            expect(connections.filter(({ initiator }) => initiator === 'local').length).to.be.at.most(1);
            expect(connections.some(({ state }) => state.name === 'Idle')).to.equal(false);
            if (on) expect(connections.length > 0 || holding, 'alive').to.equal(true);
            else expect(connections).to.deep.equal([]);
            expect(holding).to.equal(held);
            const ids = new Set(connections.map(({ id }) => String(id)));
            for (const name of armed)
              expect(ids.has(name.split(' ')[0] ?? ''), `timer ${name} of nobody`).to.equal(true);
            for (const { id, state } of connections)
              if (state.name === 'OpenSent')
                expect(armed.has(`${id} hold`), 'OpenSent never waits for ever').to.equal(true);
          }
        }),
        { numRuns: 1500 },
      );
    }).timeout(30_000);

    it('comes up again from anywhere, given a working peer', () => {
      fc.assert(
        fc.property(config, fc.array(anyInput(6), { maxLength: 40 }), (some, inputs) => {
          const world = new World(some).do({ type: 'start' });
          for (const input of inputs) if (input.type !== 'drop' && input.type !== 'stop') world.do(input);
          for (const { id } of world.state.connections) world.on(id, LOST);
          for (const { id } of world.state.connections)
            if (world.state.connections.some((one) => one.id === id && one.state.name === 'OpenSent'))
              world.on(id, LOST);
          world.do({ type: 'timer', timer: 'idle-hold' }).do({ type: 'accepted' });
          const id = world.state.connections.at(-1)?.id ?? 0;
          world.on(id, opened(HIGHER)).on(id, KEEPALIVE);
          expect(stateName(world.state)).to.equal('Established');
        }),
        { numRuns: 500 },
      );
    }).timeout(30_000);
  });
});
