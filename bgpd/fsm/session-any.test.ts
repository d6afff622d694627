import { expect } from 'chai';
import fc from 'fast-check';
import { cease, notification } from '../wire/notification.ts';
import { stateName, stopInput, type SessionInput, type SessionState } from './session.ts';
import type { ConnectionEvent, TimerName } from './state.ts';
import {
  CONFIG,
  CONNECTED,
  HIGHER,
  KEEPALIVE,
  LOST,
  LOWER,
  World,
  open,
  opened,
} from './testing/session-world.ts';

/** Of the peer’s call that waits. */
const waitsInQuiet = ({ quiet, waiting, started: on }: SessionState): void => {
  expect(waiting === undefined || quiet, 'waits only while quiet').to.equal(true);
  expect(on || !quiet).to.equal(true);
};

describe('session, whatever happens, in whatever order', () => {
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
