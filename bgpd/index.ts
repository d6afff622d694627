/**
 * BGP for Node: `poplin/bgp`. Messages in and out of octets without a socket (`decodeMessage`, `encodeUpdates`, ...), and a
 * whole speaker that takes its clock, sessions and forwarding table from outside.
 *
 * ```ts
 * const clock = new SystemClock();
 * const transport = new TcpTransport(clock);
 * const speaker = new Speaker({ clock, sessions: new TcpSessions({ clock, transport, random: Math.random }) });
 * speaker.configure({ asn: 65001, routerId: 0xc0000201, peers: [...], originated: [...], addresses: [] });
 * ```
 */
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
  RestartState,
  SessionFactory,
  SpeakerEvent,
} from './speaker/ports.ts';
export type { DownReason, Session, SessionConfig, SessionEvents } from './speaker/session.ts';
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
export { TcpTransport } from './speaker/tcp.ts';
export type {
  ConnectionHandler,
  IncomingConnection,
  Target,
  Transport,
  TransportConnection,
} from './speaker/transport.ts';
export { Fib, type FibEvent, type FibOptions } from './fib/fib.ts';
export type { RouteTable, TableChange, TableContents, TableOutcome, TableRoute } from './fib/route-table.ts';
export type { Way } from './fib/ways.ts';
