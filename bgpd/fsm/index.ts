/** The finite state machine of a BGP session, pure: time, sockets and chance reach it as inputs. */
export {
  INITIAL,
  advance,
  stateName,
  stopInput,
  type Connection,
  type SessionAction,
  type SessionInput,
  type SessionState,
  type SessionStep,
  type SessionTimer,
} from './session.ts';
export { step, type Initiator } from './step.ts';
export { formatRouterId, negotiate, type Negotiation } from './negotiate.ts';
export { openMessage, type OpenConfig, type RestartState } from './open.ts';
export { survivor } from './collision.ts';
export { sendHoldSeconds } from './transitions.ts';
export type {
  Action,
  ConnectionEvent,
  End,
  Event,
  FsmConfig,
  State,
  StateName,
  Step,
  TimerName,
} from './state.ts';
