/**
 * A speaker whose one external peer is the bench itself: established at once, without sockets. What the peer says goes in as
 * octets, as from a socket.
 */
import { ACCEPT_ALL } from '../bgpd/filter/policy.ts';
import { Peer } from '../bgpd/speaker/peer.ts';
import type { ForwardingTable, RestartState, SessionFactory } from '../bgpd/speaker/ports.ts';
import type { SessionConfig, SessionEvents } from '../bgpd/speaker/session.ts';
import { Speaker } from '../bgpd/speaker/speaker.ts';
import type { ConnectionHandler } from '../bgpd/speaker/transport.ts';
import { encodeKeepalive, encodeOpen, FAMILIES, type Family, type Negotiated } from '../bgpd/wire/index.ts';
import { EXTERNAL } from '../bgpd/wire/testing/octets.ts';
import { SystemClock } from '../clock/system.ts';
import { ThisProcess } from './this-process.ts';

/** As large as Node's reads from a socket are. */
export const CHUNK = 65_536;
export const OURS = { asn: 65_000, routerId: 0x0a00_0001 };
export const SENDER = { asn: 65_001, routerId: 0x0a00_0002 };
const HOLD_SECONDS = 90;

/** What the two have settled on, for the encoder of UPDATEs. */
export function settled(family: Family, internal = false): Negotiated {
  return { ...EXTERNAL, peerAsn: SENDER.asn, peerRouterId: SENDER.routerId, internal, families: [family] };
}

export interface OneSender {
  readonly speaker: Speaker;
  readonly peer: ConnectionHandler;
}

/** @param addresses  ours, and the sender's */
export function speakerWithOneSender(
  family: Family,
  [localAddress, peerAddress]: readonly [string, string],
  forwarding?: ForwardingTable,
): OneSender {
  const clock = new SystemClock();
  const wire = new ThisProcess(localAddress, peerAddress);
  const sessions: SessionFactory = {
    create: (config: SessionConfig, events: SessionEvents, restart: RestartState) =>
      new Peer({ config, events, transport: wire, clock, random: Math.random, restart }),
    remove: () => undefined,
  };
  const speaker = new Speaker({ clock, sessions, ...(forwarding === undefined ? {} : { forwarding }) });
  const session: SessionConfig = {
    name: 'sender',
    peerAddress,
    peerPort: 179,
    peerAsn: SENDER.asn,
    localAsn: OURS.asn,
    routerId: OURS.routerId,
    holdSeconds: HOLD_SECONDS,
    connectRetrySeconds: 5,
    passive: false,
    families: [family],
  };
  // No export policy: towards an external peer nothing is exported (RFC 8212).
  speaker.configure({
    ...OURS,
    originated: [],
    addresses: [],
    peers: [{ session, importPolicy: ACCEPT_ALL }],
  });
  const peer = wire.handler as ConnectionHandler;
  const { afi, safi } = FAMILIES[family];
  peer.connected();
  peer.received(
    encodeOpen({
      version: 4,
      ...SENDER,
      holdSeconds: HOLD_SECONDS,
      capabilities: [
        { code: 1, afi, safi },
        { code: 65, asn: SENDER.asn },
      ],
    }),
  );
  peer.received(encodeKeepalive());
  return { speaker, peer };
}
