/**
 * BGP for Node: `poplin/bgp`. Three ways in, from the least to the most:
 *
 * - **Messages**: {@link decodeMessage}, {@link encodeUpdates} and their kin turn octets into values and back. No socket.
 * - **A router in one call**: {@link routerSetup} takes what `router.yaml` says as a value and checks it, and
 *   {@link openRouter} listens and speaks.
 * - **Parts**: {@link Speaker} with a clock, sessions and a forwarding table of your own, {@link Peer} for one session,
 *   {@link Listener}, {@link TcpTransport}; {@link SimulatedClock} makes all of it run in a test without waiting.
 *
 * docs/library.md (README.md of the package) shows the first and the last, `bgpd/examples/` the first two.
 *
 * Errors of input are values ({@link Result}); only misuse throws. Everything is immutable unless it says otherwise, and
 * all times are milliseconds of the clock that was handed in, or seconds where the name says so.
 */
// Values that everything else is made of.
export { Address, type IpVersion, Prefix } from '../net/addr/index.ts';
export { formatProblem, PoplinError, type Problem, type Result, unwrap } from '../api/problem.ts';
export { type Cancel, type Clock, seconds } from '../clock/clock.ts';
export { SystemClock } from '../clock/system.ts';
export { SimulatedClock } from '../clock/simulated.ts';

// A router in one call.
export {
  readRouter,
  type ReadRouter,
  type RouterInput,
  routerSchema,
  routerSetup,
  type RouterSetup,
} from './config/index.ts';
export { openRouter, type Router, type RouterOptions } from './library/router.ts';
export { type FieldChange, type PeerPlan, plan, type Plan } from './speaker/plan.ts';

// Messages, RIBs, policy.
export * from './wire/index.ts';
export * from './rib/index.ts';
export {
  ACCEPT_ALL,
  addCommunity,
  type Community,
  defaultPolicy,
  evaluate,
  type Match,
  type Operation,
  type Policy,
  type PolicyRule,
  type PrefixMatch,
  type Verdict,
} from './filter/policy.ts';
export { exportPath, type ExportContext, type Exported } from './filter/export.ts';
export { importPath, type ImportContext } from './filter/import.ts';
export type { OriginatedRoute, PeerConfig, SpeakerConfig } from './speaker/config.ts';
export type {
  ForwardingEntry,
  ForwardingStatus,
  ForwardingTable,
  LinkAddresses,
  RestartState,
  SessionFactory,
  SpeakerEvent,
} from './speaker/ports.ts';
export type { DownReason, Session, SessionConfig, SessionEvents } from './speaker/session.ts';

// Parts.
export { Speaker, type SpeakerOptions } from './speaker/speaker.ts';
export {
  type ExportView,
  exportViews,
  type PathView,
  type RouteView,
  routeViews,
} from './speaker/route-view.ts';
export { type RouteLine, routeLines, type RouteQuery } from './speaker/route-lines.ts';
export { type NeighbourView, neighbourView, type PeerView, peerViews } from './speaker/view.ts';
export { formatAsPath, plainAttributes, type PlainAttributes } from './wire/format.ts';
export { Listener, type ListenerOptions } from './speaker/listener.ts';
export { Peer, type PeerOptions } from './speaker/peer.ts';
export { TcpSessions } from './speaker/sessions.ts';
export { SimulatedNetwork, type SimulatedOptions } from './speaker/simulated.ts';
export { type Dial, type SetHopLimits, TcpTransport } from './speaker/tcp.ts';
export type {
  ConnectionHandler,
  HopLimits,
  IncomingConnection,
  Target,
  Transport,
  TransportConnection,
} from './speaker/transport.ts';
export { Fib } from './fib/fib.ts';
export type { FibEvent, FibOptions } from './fib/options.ts';
export type {
  RouteTable,
  TableBatch,
  TableContents,
  TableOperation,
  TableRefusal,
  TableRoute,
} from './fib/route-table.ts';
export type { Way } from './fib/ways.ts';
