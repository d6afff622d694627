/**
 * The speaker: sessions on one side, RIBs in the middle, update groups and the forwarding table on the other. It is
 * reconciled to a whole configuration; a peer that did not change feels nothing.
 *
 * Reports from sessions only change RIBs and wake the worker; the worker (`#turn`) decides, forwards and sends in
 * slices, a few milliseconds of them per turn of the event loop, so that keepalives go out while a table loads.
 */
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';
import { Address } from '../../net/addr/index.ts';
import { AttributePool } from '../rib/attributes.ts';
import { PathTable } from '../rib/path-table.ts';
import { DEFAULT_DECISION, type DecisionOptions } from '../rib/decision.ts';
import { FAMILIES, type Family, type Negotiated, type UpdateMessage } from '../wire/types.ts';
import type { PeerConfig, SpeakerConfig } from './config.ts';
import { RestartDeferral, type DeferralOptions } from './deferral.ts';
import { FamilyTable } from './family-table.ts';
import { joinGroup, leaveGroup, type ExportSurroundings } from './groups.ts';
import type { Membership } from './membership.ts';
import { Neighbour, type Surroundings } from './neighbour.ts';
import { Outbox } from './outbox.ts';
import { OwnRoutes } from './own-routes.ts';
import { peerChanges } from './plan.ts';
import type { ForwardingTable, LinkAddresses, RestartState, SessionFactory, SpeakerEvent } from './ports.ts';
import type { DownReason, Session, SessionEvents } from './session.ts';
import { Teller } from './teller.ts';

const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

/** How long the worker decides, and how long it tells, before it leaves the event loop to others. */
const HALF_TURN_MS: Millis = 5;

/** So many prefixes are decided for a hungry forwarding table before what else has come is read. */
const MEAL = 512;

/** To so many, news of one peer go out before those of the next are read; to more, they are gathered first. */
const FEW_PEERS = 15;

/** Subcodes of Cease, RFC 4486. */
const CEASE_DECONFIGURED = 3;
const CEASE_OTHER_CHANGE = 6;

export interface SpeakerOptions {
  readonly clock: Clock;
  readonly sessions: SessionFactory;
  /** Uniform in [0, 1), for the jitter of advertisement intervals (RFC 4271 §10). Absent: they are kept in full. */
  readonly random?: () => number;
  /** Absent: a route reflector or server that forwards nothing itself. */
  readonly forwarding?: ForwardingTable;
  /** Absent: next hop self in the version that a session does not run over is the first configured address. */
  readonly linkAddresses?: LinkAddresses;
  /** Also where there is no forwarding table to tell: the process before us left peers that hold our routes. */
  readonly restarted?: boolean;
  readonly deferral?: Partial<DeferralOptions>;
  readonly onEvent?: (event: SpeakerEvent) => void;
}

const NO_JITTER = (): number => 1;
const DEFERRAL: DeferralOptions = { deferralSeconds: 60, settleSeconds: 5 };

/** A neighbour and its standing in the update groups. */
interface Seat {
  readonly neighbour: Neighbour;
  outbox: Outbox | undefined;
  readonly memberships: Map<Family, Membership>;
}

export class Speaker implements SessionEvents {
  readonly tables: Readonly<Record<Family, FamilyTable>>;
  readonly pool = new AttributePool();
  readonly paths = new PathTable(this.pool);
  readonly deferral: RestartDeferral;
  readonly #options: SpeakerOptions;
  /** By itself: options have many shapes, and this is asked for with every UPDATE. */
  readonly #clock: Clock;
  readonly #own: OwnRoutes;
  readonly #seats = new Map<string, Seat>();
  readonly #bySession = new Map<Session, Seat>();
  /** May belong into other groups than they are in; and whether the change behind it is to be told if they do. */
  readonly #unsettled = new Map<Seat, boolean>();
  readonly #restartState: RestartState;
  readonly #surroundings: Surroundings;
  #config: SpeakerConfig | undefined;
  #ownAddresses: Address[] = [];
  #linkGeneration = 0;
  #nextId = 1;
  #worker: Cancel | undefined;
  readonly #teller: Teller;
  /** Peers whose sessions stand. */
  #standing = 0;
  /** An UPDATE came in since the last turn. */
  #heard = false;
  #stopped = false;

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    const table = (family: Family): FamilyTable =>
      new FamilyTable(family, DEFAULT_DECISION, options.forwarding, this.paths);
    this.tables = { 'ipv4-unicast': table('ipv4-unicast'), 'ipv6-unicast': table('ipv6-unicast') };
    this.#own = new OwnRoutes(this.pool, this.tables);
    this.deferral = new RestartDeferral(
      options.clock,
      { ...DEFERRAL, ...options.deferral },
      { released: (family, why) => this.#release(family, why), sweep: (family) => this.#sweep(family) },
    );
    this.#teller = new Teller({
      clock: options.clock,
      read: (isLate) => this.#readNews(isLate),
      wake: () => this.#wake(),
    });
    this.#restartState = restartState(this.deferral, options.forwarding);
    this.#surroundings = this.#makeSurroundings();
    options.forwarding?.watchLinks?.(() => this.#linksChanged());
    options.linkAddresses?.watch(() => this.#addressesChanged());
  }

  get config(): SpeakerConfig | undefined {
    return this.#config;
  }

  get neighbours(): readonly Neighbour[] {
    return [...this.#seats.values()].map((seat) => seat.neighbour);
  }

  membership(neighbour: Neighbour, family: Family): Membership | undefined {
    return this.#seats.get(neighbour.name)?.memberships.get(family);
  }

  get forwarding(): ForwardingTable | undefined {
    return this.#options.forwarding;
  }

  /** Makes the speaker what the configuration says, touching only what differs from what it is. */
  configure(config: SpeakerConfig): void {
    const first = this.#config === undefined;
    const before = this.#config;
    this.#config = config;
    if (first && this.#hasRestarted()) this.#defer(config);
    this.#learnAddresses();
    this.#reconcileDecision(before, config);
    this.#own.reconcile(config.originated, config.asn, config.routerId);
    this.#reconcilePeers(config);
    if (before !== undefined && !sameIdentity(before, config)) this.#identityChanged();
    this.#wake();
  }

  /**
   * Ends all sessions. `restart`: without a word, so that peers keep our routes and the kernel keeps theirs until we
   * are back; `shutdown`: with a Cease, and peers drop our routes at once. The forwarding table is left alone.
   */
  stop(how: 'restart' | 'shutdown', text?: string): void {
    this.#stopped = true;
    this.deferral.stop();
    this.#worker?.();
    this.#teller.stop();
    for (const { neighbour } of this.#seats.values()) {
      if (how === 'restart') neighbour.session.drop();
      else neighbour.session.stop(2, text);
    }
  }

  established(session: Session, negotiated: Negotiated): void {
    const seat = this.#bySession.get(session);
    if (seat === undefined || this.#stopped) return;
    this.#learnAddress(session.localAddress);
    seat.neighbour.established(negotiated);
    this.#standing++;
    seat.outbox = new Outbox(session, this.#teller.pending);
    this.deferral.established(seat.neighbour.name, negotiated);
    this.#regroup(seat);
    this.#tell({ type: 'established', peer: seat.neighbour.name, families: negotiated.families });
    this.#wake();
  }

  update(session: Session, update: UpdateMessage): void {
    const seat = this.#bySession.get(session);
    if (seat === undefined || this.#stopped) return;
    this.#heard = true;
    const ended = seat.neighbour.update(update);
    if (ended !== undefined) this.deferral.heard(seat.neighbour.name, ended);
    if (this.#options.forwarding?.isHungry?.() === true) this.#feed();
  }

  /** One change is acted on at once: another turn of the event loop costs more than all that is done for it. */
  lull(): void {
    if (!this.#heard || this.#worker === undefined || this.#standing > FEW_PEERS) return;
    this.#worker();
    this.#turn();
  }

  refresh(session: Session, family: Family): void {
    const member = this.#bySession.get(session)?.memberships.get(family);
    for (const peers of this.tables[family].groups.values())
      if (member !== undefined && peers.members.has(member)) peers.refresh(member);
    this.#wake();
  }

  down(session: Session, reason: DownReason): void {
    const seat = this.#bySession.get(session);
    if (seat === undefined || this.#stopped) return;
    this.#ungroup(seat);
    const kept = seat.neighbour.down(reason);
    this.#tell({ type: 'down', peer: seat.neighbour.name, reason: reason.cause, kept });
    this.#wake();
  }

  writable(session: Session): void {
    this.#bySession.get(session)?.outbox?.writable();
    this.#wake();
  }

  #hasRestarted(): boolean {
    const { forwarding, restarted } = this.#options;
    return restarted ?? FAMILY_NAMES.some((family) => forwarding?.adopted(family) ?? false);
  }

  #defer(config: SpeakerConfig): void {
    for (const family of FAMILY_NAMES) this.tables[family].defer();
    this.deferral.begin(
      config.peers.map(({ session }) => ({ name: session.name, families: session.families })),
    );
  }

  #release(family: Family, reason: string): void {
    this.tables[family].release();
    this.#tell({ type: 'selection-released', family, reason });
    this.#wake();
  }

  #sweep(family: Family): void {
    this.tables[family].allowSweep();
    this.#wake();
  }

  #reconcileDecision(before: SpeakerConfig | undefined, config: SpeakerConfig): void {
    const options: DecisionOptions = { ...DEFAULT_DECISION, ...config.decision };
    if (JSON.stringify(before?.decision ?? {}) === JSON.stringify(config.decision ?? {})) return;
    for (const family of FAMILY_NAMES) this.tables[family].locRib.setOptions(options);
  }

  #reconcilePeers(config: SpeakerConfig): void {
    const wanted = new Map(config.peers.map((peer) => [peer.session.name, peer]));
    const held = new Set(config.held);
    for (const [name, seat] of this.#seats) {
      if (!wanted.has(name) && !held.has(name)) this.#removePeer(seat, CEASE_DECONFIGURED, 'peer-removed');
    }
    for (const peer of wanted.values()) this.#reconcilePeer(peer);
  }

  #reconcilePeer(peer: PeerConfig): void {
    const seat = this.#seats.get(peer.session.name);
    if (seat === undefined) return this.#addPeer(peer, 'peer-added');
    const changes = peerChanges(seat.neighbour.config, peer);
    if (changes.some(({ effect }) => effect === 'restart')) {
      this.#removePeer(seat, CEASE_OTHER_CHANGE);
      return this.#addPeer(peer, 'peer-restarted');
    }
    if (changes.length > 0) seat.neighbour.session.reconfigure(peer.session);
    const reimported = seat.neighbour.reconfigure(peer);
    if (reimported) this.#tell({ type: 'peer-changed', peer: peer.session.name });
    this.#unsettled.set(seat, !reimported);
  }

  #addPeer(peer: PeerConfig, why: 'peer-added' | 'peer-restarted'): void {
    const session = this.#options.sessions.create(peer.session, this, this.#restartState);
    const neighbour = new Neighbour(this.#nextId++, peer, session, this.#surroundings);
    const seat: Seat = { neighbour, outbox: undefined, memberships: new Map() };
    this.#seats.set(neighbour.name, seat);
    this.#bySession.set(session, seat);
    this.#tell({ type: why, peer: neighbour.name });
    session.start();
  }

  #removePeer(seat: Seat, cease: number, why?: 'peer-removed'): void {
    const { neighbour } = seat;
    this.#ungroup(seat);
    this.#seats.delete(neighbour.name);
    this.#bySession.delete(neighbour.session);
    neighbour.limits.close();
    neighbour.session.stop(cease);
    neighbour.clear();
    this.#options.sessions.remove(neighbour.session);
    if (why === undefined) return;
    this.deferral.removed(neighbour.name);
    this.#tell({ type: why, peer: neighbour.name });
  }

  #regroup(seat: Seat): boolean {
    const { neighbour, outbox, memberships } = seat;
    if (neighbour.negotiated === undefined || outbox === undefined) return false;
    let changed = false;
    const around = {
      ...this.exportSurroundings(),
      clock: this.#clock,
      random: this.#options.random ?? NO_JITTER,
      wake: () => this.#wake(),
    };
    for (const family of neighbour.negotiated.families) {
      const current = memberships.get(family);
      const member = joinGroup(neighbour, this.tables[family], outbox, current, around);
      memberships.set(family, member);
      changed ||= member !== current;
    }
    return changed;
  }

  #ungroup(seat: Seat): void {
    for (const [family, member] of seat.memberships) leaveGroup(this.tables[family], member);
    seat.memberships.clear();
    this.#unsettled.delete(seat);
    if (seat.outbox === undefined) return;
    this.#standing--;
    this.#teller.forget(seat.outbox);
    seat.outbox = undefined;
  }

  /** Our cluster id or addresses are another: loops look different, and so does next hop self. */
  #identityChanged(): void {
    for (const { neighbour } of this.#seats.values()) neighbour.reimport();
    this.#unsettle();
  }

  /** Policies that ask for links judge again; others feel nothing. */
  #linksChanged(): void {
    this.#linkGeneration++;
    for (const { neighbour } of this.#seats.values()) neighbour.linksChanged();
    this.#unsettle();
  }

  /** Next hop self may be another: who is told another one joins another group. */
  #addressesChanged(): void {
    this.#unsettle();
  }

  /** What peers are told depends on something that has changed. */
  #unsettle(): void {
    for (const seat of this.#seats.values()) if (!this.#unsettled.has(seat)) this.#unsettled.set(seat, false);
    this.#wake();
  }

  /** Puts some into the groups they belong to: thousands, or one with a large table, are the work of several turns. */
  #settleSome(): boolean {
    const end = this.#clock.now() + HALF_TURN_MS;
    for (const [seat, tells] of this.#unsettled) {
      this.#unsettled.delete(seat);
      if (this.#regroup(seat) && tells) this.#tell({ type: 'peer-changed', peer: seat.neighbour.name });
      if (this.#clock.now() >= end) break;
    }
    return this.#unsettled.size > 0;
  }

  /** What export depends on beside the peer; also for whoever explains an export. */
  exportSurroundings(): ExportSurroundings {
    return {
      clusterId: this.#surroundings.clusterId(),
      addresses: this.#config?.addresses ?? [],
      beside: (local) => this.#options.linkAddresses?.beside(local) ?? [],
      links: { to: this.#surroundings.linkTo, generation: this.#linkGeneration },
    };
  }

  #makeSurroundings(): Surroundings {
    const config = (): SpeakerConfig | undefined => this.#config;
    return {
      clock: this.#clock,
      pool: this.pool,
      tables: this.tables,
      routerId: () => config()?.routerId ?? 0,
      clusterId: () => config()?.clusterId ?? config()?.routerId ?? 0,
      isOwnAddress: (address) => this.#isOwnAddress(address),
      linkTo: (address) => this.#options.forwarding?.linkTo?.(address),
      staleRemoved: (peer, routes, reason) => this.#tell({ type: 'stale-removed', peer, routes, reason }),
      wake: () => this.#wake(),
      tell: (event) => this.#tell(event),
    };
  }

  #isOwnAddress(address: Address): boolean {
    return this.#ownAddresses.some((own) => own.equals(address));
  }

  /** What the configuration says, and the ends of the sessions that stand. */
  #learnAddresses(): void {
    this.#ownAddresses = [...(this.#config?.addresses ?? [])];
    for (const { neighbour } of this.#seats.values()) this.#learnAddress(neighbour.session.localAddress);
  }

  #learnAddress(text: string | undefined): void {
    const address = text === undefined ? undefined : Address.parse(text);
    if (address !== undefined && !this.#isOwnAddress(address)) this.#ownAddresses.push(address);
  }

  #wake(): void {
    if (this.#worker !== undefined || this.#stopped) return;
    this.#worker = this.#clock.after(0, 'routing', () => this.#turn());
  }

  #turn(): void {
    this.#worker = undefined;
    if (this.#heard) this.#teller.heard(this.#standing);
    this.#heard = false;
    const settling = this.#unsettled.size > 0 && this.#settleSome();
    const deciding = this.#decide();
    const telling = this.#teller.turn(HALF_TURN_MS);
    if (settling || deciding || telling) this.#wake();
  }

  /** A forwarding table with nothing to do begins while we still read. */
  #feed(): void {
    for (const family of FAMILY_NAMES) {
      const table = this.tables[family];
      if (table.locRib.dirty >= MEAL) table.advance();
    }
  }

  /** True while more waits. */
  #decide(): boolean {
    const end = this.#clock.now() + HALF_TURN_MS;
    let more = true;
    while (more && this.#clock.now() < end) {
      more = false;
      for (const family of FAMILY_NAMES) more = this.tables[family].advance() || more;
    }
    return more;
  }

  /** Reads news into outboxes; true while more can be read right now. */
  #readNews(isLate: () => boolean): boolean {
    let more = false;
    for (const family of FAMILY_NAMES) more = this.tables[family].advanceGroups(isLate) || more;
    return more;
  }

  #tell(event: SpeakerEvent): void {
    this.#options.onEvent?.(event);
  }
}

function restartState(deferral: RestartDeferral, forwarding: ForwardingTable | undefined): RestartState {
  return {
    get restarting() {
      return deferral.active;
    },
    // Who forwards nothing has nothing to lose by a restart.
    forwarding: (family) => forwarding?.preserved(family) ?? true,
  };
}

function sameIdentity(a: SpeakerConfig, b: SpeakerConfig): boolean {
  return identity(a) === identity(b);
}

function identity({ routerId, clusterId, addresses }: SpeakerConfig): string {
  return JSON.stringify([routerId, clusterId, addresses]);
}
