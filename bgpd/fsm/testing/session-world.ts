/** A session in the words of its tests. */
import type { OpenMessage } from '../../wire/types.ts';
import { INITIAL, advance, type SessionAction, type SessionInput, type SessionState } from '../session.ts';
import type { ConnectionEvent, FsmConfig } from '../state.ts';

export const CONFIG: FsmConfig = {
  localAsn: 65101,
  peerAsn: 65001,
  routerId: 0x0a00_0001,
  holdSeconds: 90,
  connectRetrySeconds: 120,
  passive: false,
  families: ['ipv4-unicast'],
};

export function open(routerId: number, restarts = false): OpenMessage {
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

export const HIGHER = 0x0a00_0002;
export const LOWER = 0x0900_0001;

/** A session with its history of actions, in the words of the tests. */
export class World {
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

export const started = (config?: FsmConfig): World => new World(config).do({ type: 'start' });
export const KEEPALIVE = { type: 'keepalive-received' } as const;
export const CONNECTED = { type: 'tcp-connected' } as const;
export const LOST = { type: 'tcp-failed', reason: 'reset' } as const;
export const opened = (routerId: number, restarts = false): ConnectionEvent => ({
  type: 'open-received',
  open: open(routerId, restarts),
});
