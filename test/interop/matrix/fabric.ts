/**
 * One Ethernet for everybody: a bridge in the node `p`, where our speakers are, and a node for each router. All next hops
 * are on it, so that a next hop left as it was leads somewhere too. Our speakers dial; the routers listen.
 */
import { SystemClock } from '../../../clock/system.ts';
import { ACCEPT_ALL, Speaker, TcpSessions, TcpTransport, type Policy } from '../../../bgpd/index.ts';
import type { SessionFactory } from '../../../bgpd/speaker/ports.ts';
import type { DownReason, Session } from '../../../bgpd/speaker/session.ts';
import type { Neighbour } from '../../../bgpd/speaker/neighbour.ts';
import { FAMILIES, type Family } from '../../../bgpd/wire/index.ts';
import { Address, Prefix } from '../../../net/addr/index.ts';
import { dialFrom } from '../peers/poplin.ts';
import { Lab } from '../peers/lab.ts';
import { ipv6, type Announced, type Router, type RouterKind } from './router.ts';
import { ofOurs, type Shown } from './shown.ts';

const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];
const OWN_ONLY: Policy = {
  rules: [{ name: 'our own', match: { source: 'local' }, action: 'accept' }],
  otherwise: 'reject',
};

/** Where somebody is on the Ethernet. */
export interface Place {
  readonly v4: string;
  readonly v6: string;
}

export function place(host: number): Place {
  return { v4: `10.0.${host >> 8}.${host & 255}`, v6: `fd00::${host.toString(16)}` };
}

export class Fabric {
  readonly lab = new Lab();
  readonly speakers: OurSpeaker[] = [];

  async open(): Promise<void> {
    await this.lab.node('p');
    await this.lab.run('p', 'ip', ['link', 'add', 'br0', 'type', 'bridge']);
    await this.lab.run('p', 'ip', ['link', 'set', 'br0', 'up']);
  }

  /** A node for a router; it is started by whoever knows its neighbours. */
  async router(kind: RouterKind, node: string, at: Place): Promise<Router> {
    await this.join(node, at);
    return new kind(this.lab, node);
  }

  /** A node on the Ethernet. */
  async join(node: string, at: Place): Promise<void> {
    await this.lab.node(node);
    await this.lab.link(
      { node: 'p', interface: node, addresses: [] },
      { node, interface: 'eth0', addresses: [`${at.v4}/16`, `${at.v6}/64`] },
    );
    await this.lab.run('p', 'ip', ['link', 'set', node, 'master', 'br0']);
  }

  async speaker(asn: number, at: Place): Promise<OurSpeaker> {
    await this.lab.run('p', 'ip', ['addr', 'add', `${at.v4}/16`, 'dev', 'br0']);
    await this.lab.run('p', 'ip', ['addr', 'add', `${at.v6}/64`, 'dev', 'br0', 'nodad']);
    const speaker = new OurSpeaker(this.lab.netns('p'), asn, at);
    this.speakers.push(speaker);
    return speaker;
  }

  async close(): Promise<void> {
    for (const { speaker } of this.speakers) speaker.stop('shutdown');
    await this.lab.close();
  }
}

export interface OurPeer {
  readonly name: string;
  /** Its end of the session, of either IP version. */
  readonly address: string;
  readonly asn: number;
  readonly holdSeconds?: number;
  readonly reflectorClient?: boolean;
  readonly aigp?: boolean;
}

/** What happened on a session beside routes. */
export interface Happened {
  refreshes: number;
  readonly downs: DownReason[];
}

/** A whole speaker of ours in the node `p`, with a pair of addresses of its own. */
export class OurSpeaker {
  readonly asn: number;
  readonly at: Place;
  readonly speaker: Speaker;
  readonly lines: string[] = [];
  /** By name of the peer. */
  readonly happened = new Map<string, Happened>();
  readonly #routerId: number;
  #peers: readonly OurPeer[] = [];

  constructor(netns: string, asn: number, at: Place) {
    this.asn = asn;
    this.at = at;
    this.#routerId = Address.parse(at.v4)?.toNumber() ?? 0;
    const clock = new SystemClock();
    const transport = new TcpTransport(clock, dialFrom(netns));
    const log = (_level: string, text: string, peer: string): void =>
      void this.lines.push(`${peer}: ${text}`);
    const sessions = new TcpSessions({ clock, transport, random: Math.random, log });
    this.speaker = new Speaker({ clock, sessions: this.#tapped(sessions) });
  }

  configure(peers: readonly OurPeer[], originated: readonly Announced[], exportPolicy = OWN_ONLY): void {
    this.#peers = peers;
    const addresses = [this.at.v4, this.at.v6].map((text) => Address.parse(text) as Address);
    this.speaker.configure({
      asn: this.asn,
      routerId: this.#routerId,
      addresses,
      originated: originated.map(({ prefix, attributes }) => ({
        prefix: Prefix.parse(prefix) as Prefix,
        kernel: 'none',
        attributes,
      })),
      peers: peers.map(({ name, address, asn, holdSeconds = 90, reflectorClient = false, aigp = false }) => ({
        session: {
          name,
          peerAddress: address,
          peerPort: 179,
          peerAsn: asn,
          localAsn: this.asn,
          localAddress: ipv6(address) ? this.at.v6 : this.at.v4,
          routerId: this.#routerId,
          holdSeconds,
          connectRetrySeconds: 1,
          passive: false,
          families: FAMILY_NAMES,
          aigp,
        },
        importPolicy: ACCEPT_ALL,
        exportPolicy,
        reflectorClient,
      })),
    });
  }

  /** Other routes of our own from now on. */
  announce(originated: readonly Announced[]): void {
    this.configure(this.#peers, originated);
  }

  neighbour(name: string): Neighbour {
    const found = this.speaker.neighbours.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no neighbour ${name}`);
    return found;
  }

  session(name: string): Session {
    return this.neighbour(name).session;
  }

  /** What this peer has told us, as the Loc-RIB holds it. */
  heard(name: string): readonly Shown[] {
    const peer = this.#peers.find((each) => each.name === name);
    const { id } = this.neighbour(name);
    return FAMILY_NAMES.flatMap((family) => {
      const { index, locRib } = this.speaker.tables[family];
      return Array.from({ length: index.limit }, (_, id) => id).flatMap((prefixId) =>
        locRib
          .paths(prefixId)
          .filter(({ source }) => source.id === id)
          .map(({ nextHop, received }) =>
            ofOurs(String(index.prefix(prefixId)), peer?.address ?? '', received.attributes, nextHop),
          ),
      );
    });
  }

  /** Sessions whose reports are noted down on their way to the speaker. */
  #tapped(sessions: SessionFactory): SessionFactory {
    return {
      create: (config, events, restart) => {
        const happened: Happened = { refreshes: 0, downs: [] };
        this.happened.set(config.name, happened);
        const noted = {
          established: events.established.bind(events),
          update: events.update.bind(events),
          writable: events.writable.bind(events),
          refresh: (session: Session, family: Family): void => {
            happened.refreshes++;
            events.refresh(session, family);
          },
          down: (session: Session, reason: DownReason): void => {
            happened.downs.push(reason);
            events.down(session, reason);
          },
        };
        return sessions.create(config, noted, restart);
      },
      remove: (session) => sessions.remove(session),
    };
  }
}
