/** RFC 4271 §8.2.2 as a table: each state, each event, where it leads and what it does. */
import { expect } from 'chai';
import { cease, notification } from '../wire/notification.ts';
import { EXTERNAL } from '../wire/testing/octets.ts';
import type { Negotiated, UpdateMessage } from '../wire/types.ts';
import type { Action, Event, FsmConfig, State, StateName, TimerName } from './state.ts';
import { step, type Initiator } from './step.ts';
import { CONFIG } from './testing/session-world.ts';

const PASSIVE: FsmConfig = { ...CONFIG, passive: true };
const DELAYED: FsmConfig = { ...CONFIG, delayOpenSeconds: 5 };
const PEER: Negotiated = EXTERNAL;
const QUIET: Negotiated = { ...EXTERNAL, holdSeconds: 0, keepaliveSeconds: 0 };

const STATES = {
  Idle: { name: 'Idle' },
  Connect: { name: 'Connect', delaying: false },
  'Connect, delaying': { name: 'Connect', delaying: true },
  Active: { name: 'Active', delaying: false },
  'Active, delaying': { name: 'Active', delaying: true },
  OpenSent: { name: 'OpenSent' },
  OpenConfirm: { name: 'OpenConfirm', peer: PEER },
  Established: { name: 'Established', peer: PEER },
} as const satisfies Record<string, State>;

const UPDATE: UpdateMessage = { type: 'update', unreach: [], reach: [], attributes: undefined };
const STOP = cease(2, 'bye');
const BAD = notification(1, 1);

const EVENTS = {
  start: { type: 'start' },
  stop: { type: 'stop', notification: STOP },
  abandon: { type: 'abandon', cause: 'administrative' },
  'connect-retry fires': { type: 'timer', timer: 'connect-retry' },
  'delay-open fires': { type: 'timer', timer: 'delay-open' },
  'hold fires': { type: 'timer', timer: 'hold' },
  'keepalive fires': { type: 'timer', timer: 'keepalive' },
  'send-hold fires': { type: 'timer', timer: 'send-hold' },
  'tcp connects': { type: 'tcp-connected' },
  'tcp fails': { type: 'tcp-failed', reason: 'reset' },
  OPEN: { type: 'open-received', peer: PEER },
  'bad message': { type: 'message-error', notification: BAD, reason: 'bad marker' },
  'collision dump': { type: 'collision-dump' },
  NOTIFICATION: { type: 'notification-received', notification: notification(6, 4) },
  'version NOTIFICATION': { type: 'notification-received', notification: notification(2, 1) },
  KEEPALIVE: { type: 'keepalive-received' },
  UPDATE: { type: 'update-received', message: UPDATE },
  'ROUTE-REFRESH': {
    type: 'refresh-received',
    message: { type: 'route-refresh', family: 'ipv4-unicast', subtype: 0 },
  },
} as const satisfies Record<string, Event>;

type EventName = keyof typeof EVENTS;

/** `to Idle; sends 6/2; ...`: state, then actions, then whether it counts. */
function told(state: State, event: Event, config = CONFIG, initiator: Initiator = 'local'): string {
  const next = step(state, event, config, initiator);
  const delaying = 'delaying' in next.state && next.state.delaying ? ', delaying' : '';
  const parts = [`${next.state.name}${delaying}`, ...next.actions.map(shown)];
  if (next.end?.counts === true) parts.push('counts');
  return parts.join('; ');
}

function shown(action: Action): string {
  switch (action.do) {
    case 'send-notification':
      return `sends ${action.notification.code}/${action.notification.subcode}`;
    case 'arm':
      return `${action.timer} ${action.seconds}`;
    case 'disarm':
      return `no ${action.timer}`;
    case 'deliver':
      return `delivers ${action.message.type}`;
    default:
      return action.do;
  }
}

const LET_GO = 'disarm-all; close';
const SENT_OPEN = 'OpenSent; no connect-retry; no delay-open; send-open; hold 240';
const CONFIRMED = 'send-keepalive; keepalive 30; hold 90';
const AGAIN = 'Active; disarm-all; close; connect-retry 120';

/** Rows by state, in the order of the events. Absent: nothing changes, nothing is done. */
const TABLE: Readonly<Record<keyof typeof STATES, Partial<Record<EventName, string>>>> = {
  Idle: { start: 'Connect; connect-retry 120; connect' },
  Connect: {
    stop: `Idle; ${LET_GO}`,
    abandon: `Idle; ${LET_GO}`,
    'connect-retry fires': `Connect; ${LET_GO}; connect-retry 120; connect`,
    'tcp connects': SENT_OPEN,
    'tcp fails': AGAIN,
    OPEN: `Idle; ${LET_GO}; counts`,
    'bad message': `Idle; sends 1/1; ${LET_GO}; counts`,
    'collision dump': `Idle; sends 6/7; ${LET_GO}`,
    NOTIFICATION: `Idle; ${LET_GO}; counts`,
    'version NOTIFICATION': `Idle; ${LET_GO}`,
    KEEPALIVE: `Idle; ${LET_GO}; counts`,
    UPDATE: `Idle; ${LET_GO}; counts`,
    'ROUTE-REFRESH': `Idle; ${LET_GO}; counts`,
  },
  'Connect, delaying': {
    stop: `Idle; sends 6/2; ${LET_GO}`,
    abandon: `Idle; ${LET_GO}`,
    'connect-retry fires': `Connect; ${LET_GO}; connect-retry 120; connect`,
    'delay-open fires': SENT_OPEN,
    'tcp connects': SENT_OPEN,
    'tcp fails': AGAIN,
    OPEN: `OpenConfirm; no connect-retry; no delay-open; send-open; ${CONFIRMED}`,
    'bad message': `Idle; sends 1/1; ${LET_GO}; counts`,
    'collision dump': `Idle; sends 6/7; ${LET_GO}`,
    NOTIFICATION: `Idle; ${LET_GO}; counts`,
    'version NOTIFICATION': `Idle; ${LET_GO}`,
    KEEPALIVE: `Idle; ${LET_GO}; counts`,
    UPDATE: `Idle; ${LET_GO}; counts`,
    'ROUTE-REFRESH': `Idle; ${LET_GO}; counts`,
  },
  Active: {
    stop: `Idle; ${LET_GO}`,
    abandon: `Idle; ${LET_GO}`,
    'connect-retry fires': 'Connect; connect-retry 120; connect',
    'tcp connects': SENT_OPEN,
    OPEN: `Idle; ${LET_GO}; counts`,
    'bad message': `Idle; sends 1/1; ${LET_GO}; counts`,
    'collision dump': `Idle; sends 6/7; ${LET_GO}`,
    NOTIFICATION: `Idle; ${LET_GO}; counts`,
    'version NOTIFICATION': `Idle; ${LET_GO}`,
    KEEPALIVE: `Idle; ${LET_GO}; counts`,
    UPDATE: `Idle; ${LET_GO}; counts`,
    'ROUTE-REFRESH': `Idle; ${LET_GO}; counts`,
  },
  'Active, delaying': {
    stop: `Idle; sends 6/2; ${LET_GO}`,
    abandon: `Idle; ${LET_GO}`,
    'connect-retry fires': 'Connect; connect-retry 120; connect',
    'delay-open fires': SENT_OPEN,
    'tcp connects': SENT_OPEN,
    'tcp fails': `Idle; ${LET_GO}; counts`,
    OPEN: `OpenConfirm; no connect-retry; no delay-open; send-open; ${CONFIRMED}`,
    'bad message': `Idle; sends 1/1; ${LET_GO}; counts`,
    'collision dump': `Idle; sends 6/7; ${LET_GO}`,
    NOTIFICATION: `Idle; ${LET_GO}; counts`,
    'version NOTIFICATION': `Idle; ${LET_GO}`,
    KEEPALIVE: `Idle; ${LET_GO}; counts`,
    UPDATE: `Idle; ${LET_GO}; counts`,
    'ROUTE-REFRESH': `Idle; ${LET_GO}; counts`,
  },
  OpenSent: {
    stop: `Idle; sends 6/2; ${LET_GO}`,
    abandon: `Idle; ${LET_GO}`,
    'hold fires': `Idle; sends 4/0; ${LET_GO}; counts`,
    'tcp fails': AGAIN,
    OPEN: `OpenConfirm; no connect-retry; no delay-open; ${CONFIRMED}`,
    'bad message': `Idle; sends 1/1; ${LET_GO}; counts`,
    'collision dump': `Idle; sends 6/7; ${LET_GO}`,
    NOTIFICATION: `Idle; ${LET_GO}; counts`,
    'version NOTIFICATION': `Idle; ${LET_GO}`,
    KEEPALIVE: `Idle; sends 5/1; ${LET_GO}; counts`,
    UPDATE: `Idle; sends 5/1; ${LET_GO}; counts`,
    'ROUTE-REFRESH': `Idle; sends 5/1; ${LET_GO}; counts`,
  },
  OpenConfirm: {
    stop: `Idle; sends 6/2; ${LET_GO}`,
    abandon: `Idle; ${LET_GO}`,
    'hold fires': `Idle; sends 4/0; ${LET_GO}; counts`,
    'keepalive fires': 'OpenConfirm; send-keepalive; keepalive 30',
    'tcp fails': `Idle; ${LET_GO}; counts`,
    OPEN: `Idle; sends 5/2; ${LET_GO}; counts`,
    'bad message': `Idle; sends 1/1; ${LET_GO}; counts`,
    'collision dump': `Idle; sends 6/7; ${LET_GO}`,
    NOTIFICATION: `Idle; ${LET_GO}; counts`,
    'version NOTIFICATION': `Idle; ${LET_GO}`,
    KEEPALIVE: 'Established; hold 90; send-hold 480',
    UPDATE: `Idle; sends 5/2; ${LET_GO}; counts`,
    'ROUTE-REFRESH': `Idle; sends 5/2; ${LET_GO}; counts`,
  },
  Established: {
    stop: `Idle; sends 6/2; ${LET_GO}`,
    abandon: `Idle; ${LET_GO}`,
    'hold fires': `Idle; sends 4/0; ${LET_GO}; counts`,
    'keepalive fires': 'Established; send-keepalive; keepalive 30',
    'send-hold fires': `Idle; sends 8/0; ${LET_GO}; counts`,
    'tcp fails': `Idle; ${LET_GO}; counts`,
    OPEN: `Idle; sends 5/3; ${LET_GO}; counts`,
    'bad message': `Idle; sends 1/1; ${LET_GO}; counts`,
    'collision dump': `Idle; sends 6/7; ${LET_GO}`,
    NOTIFICATION: `Idle; ${LET_GO}; counts`,
    'version NOTIFICATION': `Idle; ${LET_GO}`,
    KEEPALIVE: 'Established; hold 90',
    UPDATE: 'Established; hold 90; delivers update',
    'ROUTE-REFRESH': 'Established; delivers route-refresh',
  },
};

describe('finite state machine', () => {
  for (const name of Object.keys(STATES) as (keyof typeof STATES)[]) {
    const state = STATES[name];
    describe(name, () => {
      for (const event of Object.keys(EVENTS) as EventName[])
        it(event, () => expect(told(state, EVENTS[event])).to.equal(TABLE[name][event] ?? name));
    });
  }

  const variants: readonly {
    it: string;
    is: string;
    state: State;
    event: Event;
    config?: FsmConfig;
    initiator?: Initiator;
  }[] = [
    {
      it: 'passive: waits instead of dialling',
      state: STATES.Idle,
      event: EVENTS.start,
      config: PASSIVE,
      is: `Active; ${LET_GO}`,
    },
    {
      it: 'passive: never dials',
      state: STATES.Active,
      event: EVENTS['connect-retry fires'],
      config: PASSIVE,
      is: 'Active',
    },
    {
      it: 'passive: waits again after a failure',
      state: STATES.OpenSent,
      event: EVENTS['tcp fails'],
      config: PASSIVE,
      is: `Active; ${LET_GO}`,
    },
    {
      it: 'DelayOpen: holds its OPEN back (Connect)',
      state: STATES.Connect,
      event: EVENTS['tcp connects'],
      config: DELAYED,
      is: 'Connect, delaying; no connect-retry; delay-open 5',
    },
    {
      it: 'DelayOpen: holds its OPEN back (Active)',
      state: STATES.Active,
      event: EVENTS['tcp connects'],
      config: DELAYED,
      is: 'Active, delaying; no connect-retry; delay-open 5',
    },
    {
      it: 'the peer’s connection starts where TCP stands',
      state: STATES.Idle,
      event: EVENTS.start,
      initiator: 'peer',
      is: 'Active',
    },
    {
      it: 'the peer’s connection, lost in OpenSent, is gone and does not count',
      state: STATES.OpenSent,
      event: EVENTS['tcp fails'],
      initiator: 'peer',
      is: `Idle; ${LET_GO}`,
    },
    {
      it: 'hold time 0: no KEEPALIVEs, and the first one of the peer is waited for as long as its OPEN',
      state: STATES.OpenSent,
      event: { type: 'open-received', peer: QUIET },
      is: 'OpenConfirm; no connect-retry; no delay-open; send-keepalive; hold 240',
    },
    {
      it: 'hold time 0: neither timer runs in Established',
      state: { name: 'OpenConfirm', peer: QUIET },
      event: EVENTS.KEEPALIVE,
      is: 'Established; no hold',
    },
    {
      it: 'hold time 0: an UPDATE starts none',
      state: { name: 'Established', peer: QUIET },
      event: EVENTS.UPDATE,
      is: 'Established; delivers update',
    },
    {
      it: 'SendHoldTimer is twice a long hold time',
      state: { name: 'OpenConfirm', peer: { ...PEER, holdSeconds: 600 } },
      event: EVENTS.KEEPALIVE,
      is: 'Established; hold 600; send-hold 1200',
    },
    {
      it: 'the peer’s collision dump does not count',
      state: STATES.OpenConfirm,
      event: { type: 'notification-received', notification: notification(6, 7) },
      is: `Idle; ${LET_GO}`,
    },
  ];
  for (const { it: title, state, event, config, initiator, is } of variants)
    it(title, () => expect(told(state, event, config, initiator)).to.equal(is));

  it('says why it ended exactly when it comes to Idle from elsewhere, and never answers a NOTIFICATION', () => {
    for (const state of Object.values(STATES)) {
      for (const event of Object.values(EVENTS)) {
        for (const initiator of ['local', 'peer'] as const) {
          const next = step(state, event, CONFIG, initiator);
          const ended: StateName = next.state.name;
          expect(next.end !== undefined).to.equal(ended === 'Idle' && state.name !== 'Idle');
          if (event.type === 'notification-received')
            expect(next.actions.map((action) => action.do)).to.not.include('send-notification');
        }
      }
    }
  });

  it('covers every timer', () => {
    const timers: readonly TimerName[] = ['connect-retry', 'delay-open', 'hold', 'keepalive', 'send-hold'];
    for (const timer of timers) expect(EVENTS).to.have.property(`${timer} fires`);
  });
});
