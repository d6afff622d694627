/**
 * The routing side of one peer: its Adj-RIB-Ins, its place in the update groups, and what graceful restart asks of us
 * as its helper (RFC 4724 §4.2). The session side (`peer.ts`) only reports; what happens to routes is decided here.
 */
import { seconds, type Cancel, type Clock } from '../../clock/clock.ts';
import { Address, type Prefix } from '../../net/addr/index.ts';
import { importLooksAtPrefix, importPath, type ImportContext, type ImportVerdict } from '../filter/import.ts';
import { acceptsEverything, passesUnread } from '../filter/unread.ts';
import { defaultPolicy, looksAtInterface, policyKey } from '../filter/policy.ts';
import { AdjRibIn, NlriList, type Announcement, type Importer } from '../rib/adj-rib-in.ts';
import type { AttributePool } from '../rib/attributes.ts';
import type { Path, Source } from '../rib/path.ts';
import { PlainUpdate } from '../wire/plain-update.ts';
import {
  FAMILIES,
  isEndOfRib,
  type Family,
  type Negotiated,
  type Nlri,
  type UpdateMessage,
} from '../wire/types.ts';
import type { PeerConfig } from './config.ts';
import type { FamilyTable } from './family-table.ts';
import type { SpeakerEvent } from './ports.ts';
import { PrefixLimiter } from './prefix-limit.ts';
import type { DownReason, Session } from './session.ts';

/** How long a peer that came back may take to send its End-of-RIB; FRR's stale-path time, too. */
const END_OF_RIB_SECONDS = 360;

const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

/** What neighbours share: the machine's view of itself. */
export interface Surroundings {
  readonly clock: Clock;
  readonly pool: AttributePool;
  readonly tables: Readonly<Record<Family, FamilyTable>>;
  readonly routerId: () => number;
  readonly clusterId: () => number;
  readonly isOwnAddress: (address: Address) => boolean;
  readonly linkTo: (address: Address) => string | undefined;
  /** Stale routes were removed; for the log. */
  readonly staleRemoved: (peer: string, routes: number, reason: string) => void;
  /** Something in a Loc-RIB is dirty. */
  readonly wake: () => void;
  readonly tell: (event: SpeakerEvent) => void;
}

export class Neighbour {
  /** Source id, dense, never 0. */
  readonly id: number;
  readonly session: Session;
  readonly adjRibIn: Readonly<Record<Family, AdjRibIn>>;
  readonly limits: PrefixLimiter;
  config: PeerConfig;
  negotiated: Negotiated | undefined;
  readonly #around: Surroundings;
  #source: Source | undefined;
  #staleTimer: Cancel | undefined;
  #policiesMissed = '';

  constructor(id: number, config: PeerConfig, session: Session, around: Surroundings) {
    this.id = id;
    this.config = config;
    this.session = session;
    this.#around = around;
    const importer = this.#importer();
    const ribOf = (family: Family): AdjRibIn => {
      const { index, locRib } = around.tables[family];
      return new AdjRibIn(index, locRib.table, importer);
    };
    this.adjRibIn = {
      'ipv4-unicast': ribOf('ipv4-unicast'),
      'ipv6-unicast': ribOf('ipv6-unicast'),
    };
    const fresh = (family: Family): AdjRibIn['fresh'] => this.adjRibIn[family].fresh;
    this.limits = new PrefixLimiter(config.session.name, session, around.clock, fresh, around.tell);
    this.limits.configure(config.prefixLimits);
  }

  get name(): string {
    return this.config.session.name;
  }

  get peerKind(): 'external' | 'internal' {
    if (this.negotiated !== undefined) return this.negotiated.internal ? 'internal' : 'external';
    return this.config.session.peerAsn === this.config.session.localAsn ? 'internal' : 'external';
  }

  /** Directions in which RFC 8212 lets nothing pass, for want of a policy. */
  get missingPolicies(): readonly ('import' | 'export')[] {
    if (this.peerKind === 'internal') return [];
    const { importPolicy, exportPolicy } = this.config;
    return [
      ...(importPolicy === undefined ? (['import'] as const) : []),
      ...(exportPolicy === undefined ? (['export'] as const) : []),
    ];
  }

  get staleRoutes(): number {
    return FAMILY_NAMES.reduce((sum, family) => sum + this.#keptFor(family), 0);
  }

  established(negotiated: Negotiated): void {
    this.#cancelTimer();
    this.negotiated = negotiated;
    this.#source = this.#sourceFor(negotiated);
    this.#reimportAll();
    this.#keepOrDropStale(negotiated);
    this.#noteMissingPolicies();
  }

  /** @returns the family whose initial routes are now complete, if this was the marker */
  update(update: UpdateMessage): Family | undefined {
    const ended = update instanceof PlainUpdate ? undefined : isEndOfRib(update);
    if (ended !== undefined) {
      this.#sweep(ended, 'not sent again before End-of-RIB');
      return ended;
    }
    if (update instanceof PlainUpdate) this.#takePlain(update);
    else this.#take(update);
    this.#around.wake();
    this.limits.check();
    return undefined;
  }

  /**
   * @returns how many routes are kept on behalf of the peer: those of a peer that offered graceful restart and whose
   * connection was lost. A NOTIFICATION ends everything at once (RFC 4724 §4), as does a hold timer, which sends one.
   */
  down(reason: DownReason): number {
    const offered =
      this.config.session.gracefulRestart === undefined ? undefined : this.negotiated?.gracefulRestart;
    this.negotiated = undefined;
    this.limits.down();
    this.#cancelTimer();
    if (reason.cause !== 'connection-lost' || offered === undefined || offered.restartSeconds === 0) {
      this.clear();
      return 0;
    }
    const kept = new Set(offered.families.map(({ family }) => family));
    for (const family of FAMILY_NAMES) {
      const rib = this.adjRibIn[family];
      if (kept.has(family)) this.#around.tables[family].keep(rib);
      else this.#around.tables[family].condemn(rib);
    }
    this.#around.wake();
    const limit = Math.min(offered.restartSeconds, this.config.maxStaleSeconds ?? Number.POSITIVE_INFINITY);
    this.#armTimer(limit, `${this.name}: restart time`, 'the peer did not come back in its restart time');
    return FAMILY_NAMES.reduce((sum, family) => sum + (kept.has(family) ? this.#keptFor(family) : 0), 0);
  }

  /** The peer and all it ever said are gone. */
  clear(): void {
    this.#cancelTimer();
    for (const family of FAMILY_NAMES) this.#around.tables[family].condemn(this.adjRibIn[family]);
    this.#around.wake();
  }

  /** Takes over a configuration whose session is the same; routes are judged again where import changed. */
  reconfigure(config: PeerConfig): boolean {
    const before = importKey(this.config);
    this.config = config;
    const changed = before !== importKey(config);
    // Before anything is counted anew: a limit that goes up with a wider policy must not trip over it.
    this.limits.configure(config.prefixLimits);
    if (changed) this.#reimportAll();
    else this.limits.check();
    if (this.negotiated !== undefined) this.#noteMissingPolicies();
    return changed;
  }

  /** Links are others than they were: judges again where import asks for them. */
  linksChanged(): void {
    const { importPolicy } = this.config;
    if (importPolicy !== undefined && looksAtInterface(importPolicy)) this.#reimportAll();
  }

  /** Something that import depends on and that is not part of the peer's configuration has changed. */
  reimport(): void {
    this.#reimportAll();
  }

  /** What import makes of a path, worked out again, with the rules that decided it and changed it; for people. */
  explainImport(prefix: Prefix, path: Path): ImportVerdict {
    const { source, received } = path;
    const nextHop = path.announcedNextHop ?? path.nextHop;
    return importPath({ prefix, source, nextHop, attributes: received.attributes }, this.#importContext());
  }

  /** Once for each peer, and again where it changes: silence on the wire is easily taken for a fault. */
  #noteMissingPolicies(): void {
    const directions = this.missingPolicies;
    const key = directions.join();
    if (key !== this.#policiesMissed && key !== '')
      this.#around.tell({ type: 'policy-missing', peer: this.name, directions });
    this.#policiesMissed = key;
  }

  /** The usual UPDATE, straight from its octets; one that {@link #take}s values comes to the same. */
  #takePlain(update: PlainUpdate): void {
    const { withdrawnFamily, announcedFamily: family, nextHop } = update;
    const withdrawn = update.withdrawnNlri();
    if (withdrawn !== undefined && withdrawnFamily !== undefined)
      this.adjRibIn[withdrawnFamily].withdrawAll(withdrawn, this.#around.tables[withdrawnFamily]);
    const announced = update.announcedNlri();
    if (announced === undefined || family === undefined || nextHop === undefined) return;
    if (this.#source === undefined) return;
    const received = this.#around.pool.internField(update.attributeField);
    const announcement = { source: this.#source, nextHop, received };
    if (this.limits.refuses(family))
      for (const { nlri } of update.reach) this.#announceLimited(family, nlri, announcement);
    else this.adjRibIn[family].announce(announced, announcement, this.#around.tables[family]);
    this.#around.pool.release(received);
  }

  #take(update: UpdateMessage): void {
    for (const { family, nlri } of update.unreach)
      this.adjRibIn[family].withdrawAll(new NlriList(nlri), this.#around.tables[family]);
    if (update.attributes === undefined || this.#source === undefined) return;
    const received = this.#around.pool.intern(update.attributes);
    for (const { family, nextHop, nlri } of update.reach) {
      const announcement = { source: this.#source, nextHop, received };
      if (this.limits.refuses(family)) this.#announceLimited(family, nlri, announcement);
      else this.adjRibIn[family].announce(new NlriList(nlri), announcement, this.#around.tables[family]);
    }
    this.#around.pool.release(received);
  }

  /** One by one: each may be the one too many. */
  #announceLimited(family: Family, nlri: readonly Nlri[], announcement: Announcement): void {
    const rib = this.adjRibIn[family];
    const table = this.#around.tables[family];
    for (const one of nlri) {
      if (!this.limits.admits(family, () => rib.holds(one.prefix, one.pathId ?? 0))) continue;
      rib.announce(new NlriList([one]), announcement, table);
      if (this.limits.overflows(family)) rib.withdrawAll(new NlriList([one]), table);
    }
  }

  /** RFC 4724 §4.2: what the new OPEN does not vouch for goes at once, the rest waits for End-of-RIB, but not for ever. */
  #keepOrDropStale(negotiated: Negotiated): void {
    const preserved = new Set(
      (negotiated.gracefulRestart?.families ?? [])
        .filter((each) => each.forwarding)
        .map((each) => each.family),
    );
    for (const family of FAMILY_NAMES) {
      if (!preserved.has(family)) this.#sweep(family, 'the peer did not preserve its forwarding state');
    }
    if (this.staleRoutes > 0)
      this.#armTimer(END_OF_RIB_SECONDS, `${this.name}: End-of-RIB`, 'the peer sent no End-of-RIB');
  }

  /** Routes kept for a peer that is restarting; not those that are on their way out. */
  #keptFor(family: Family): number {
    const rib = this.adjRibIn[family];
    return this.#around.tables[family].sweeps(rib) ? 0 : rib.stale;
  }

  #sweep(family: Family, reason: string): void {
    const swept = this.#keptFor(family);
    if (swept === 0) return;
    this.#around.tables[family].sweep(this.adjRibIn[family]);
    this.#around.wake();
    this.#around.staleRemoved(this.name, swept, reason);
  }

  #armTimer(delay: number, name: string, reason: string): void {
    this.#staleTimer = this.#around.clock.after(seconds(delay), name, () => {
      this.#staleTimer = undefined;
      for (const family of FAMILY_NAMES) this.#sweep(family, reason);
    });
  }

  #cancelTimer(): void {
    this.#staleTimer?.();
    this.#staleTimer = undefined;
  }

  #reimportAll(): void {
    const importer = this.#importer();
    for (const family of FAMILY_NAMES) {
      const rib = this.adjRibIn[family];
      rib.reimport(importer);
      this.#around.tables[family].judge(rib, () => this.limits.check());
    }
    this.#around.wake();
  }

  /** The same object as long as nothing about the peer changed: a path from an equal source is the same path. */
  #sourceFor(negotiated: Negotiated): Source {
    const source: Source = {
      id: this.id,
      name: this.name,
      kind: negotiated.internal ? 'internal' : 'external',
      reflectorClient: this.config.reflectorClient ?? false,
      ...(this.config.clusterId === undefined ? {} : { clusterId: this.config.clusterId }),
      asn: negotiated.peerAsn,
      routerId: negotiated.peerRouterId,
      address: Address.parse(this.config.session.peerAddress),
    };
    const old = this.#source;
    const same =
      old !== undefined &&
      old.kind === source.kind &&
      old.reflectorClient === source.reflectorClient &&
      old.asn === source.asn &&
      old.routerId === source.routerId;
    return same ? old : source;
  }

  /** Ours, whichever client they are for. */
  #clusterIds(): readonly number[] {
    const { clusterId, otherClusterIds = [] } = this.config;
    return [this.#around.clusterId(), ...(clusterId === undefined ? [] : [clusterId]), ...otherClusterIds];
  }

  #importer(): Importer {
    const context = this.#importContext();
    return {
      looksAtPrefix: importLooksAtPrefix(context),
      judge: (candidate) => importPath(candidate, context),
      ...(acceptsEverything(context)
        ? { passesUnread: (received, nextHop) => passesUnread(received, nextHop, context) }
        : {}),
    };
  }

  #importContext(): ImportContext {
    return {
      peerKind: this.peerKind,
      peerAsn: this.negotiated?.peerAsn ?? this.config.session.peerAsn ?? 0,
      localAsn: this.config.session.localAsn,
      routerId: this.#around.routerId(),
      clusterIds: this.#clusterIds(),
      allowedLocalAs: this.config.allowedLocalAs ?? 0,
      enforceFirstAs: this.config.enforceFirstAs ?? true,
      rejectAsSets: this.config.rejectAsSets ?? false,
      isOwnAddress: this.#around.isOwnAddress,
      interfaceOf: this.#around.linkTo,
      policy: this.config.importPolicy ?? defaultPolicy(this.peerKind),
    };
  }
}

function importKey(config: PeerConfig): string {
  const policy = config.importPolicy === undefined ? '' : policyKey(config.importPolicy);
  const { allowedLocalAs = 0, enforceFirstAs = true, rejectAsSets = false, otherClusterIds = [] } = config;
  return `${policy}|${allowedLocalAs}|${enforceFirstAs}|${rejectAsSets}|${otherClusterIds.join()}`;
}
