/**
 * All that the speaker knows of one family: the shared prefix ids, the Loc-RIB with its consumers (update groups and
 * the forwarding table), and the phase it is in.
 *
 * `deferred` -> nothing is decided (RFC 4724 §4.1). `deciding` -> the backlog is worked off and nobody is told yet, so
 * that the first thing peers and kernel hear is the whole truth and End-of-RIB means what it says. `running`.
 */
import type { Family } from '../wire/types.ts';
import { Follower } from '../rib/follower.ts';
import { LocRib } from '../rib/loc-rib.ts';
import { PrefixIndex } from '../rib/prefix-index.ts';
import type { DecisionOptions } from '../rib/decision.ts';
import type { AdjRibIn, ChangeSink } from '../rib/adj-rib-in.ts';
import type { PathTable } from '../rib/path-table.ts';
import type { Path } from '../rib/path.ts';
import type { PeerGroup } from './peer-group.ts';
import type { ForwardingEntry, ForwardingTable } from './ports.ts';

/** Prefixes handled per consumer in one go: the speaker looks at the clock between two. */
const SLICE = 1000;
/** Prefixes decided in one go, likewise: deciding is cheap. */
const DECISIONS = 4096;

export class FamilyTable implements ChangeSink {
  readonly family: Family;
  readonly index = new PrefixIndex();
  readonly locRib: LocRib;
  readonly groups = new Map<string, PeerGroup>();
  readonly #forwarding: ForwardingTable | undefined;
  readonly #follower: Follower | undefined;
  /** Ids whose prefix the forwarding table has an entry for; owned. */
  readonly #forwarded = new Set<number>();
  /** Their stale routes are being taken out. */
  readonly #condemned = new Set<AdjRibIn>();
  /** With routes that wait to be judged by another import policy, and what is to be done then. */
  readonly #unjudged = new Map<AdjRibIn, () => void>();
  /** Groups nobody is in any more, which have not given back all they own. */
  readonly #retired = new Set<PeerGroup>();
  #phase: 'deferred' | 'deciding' | 'running' = 'running';
  /** Routes adopted from the process before us stay until this says that whoever could confirm them has spoken. */
  #mayComplete = true;
  #completed = false;

  constructor(
    family: Family,
    options: DecisionOptions,
    forwarding: ForwardingTable | undefined,
    paths: PathTable,
  ) {
    this.family = family;
    this.locRib = new LocRib(this.index, options, paths);
    this.#forwarding = forwarding;
    if (forwarding !== undefined) this.#follower = new Follower(this.locRib, () => this.#forwarded.keys());
  }

  get phase(): 'deferred' | 'deciding' | 'running' {
    return this.#phase;
  }

  defer(): void {
    this.#phase = 'deferred';
    this.#mayComplete = false;
  }

  release(): void {
    if (this.#phase === 'deferred') this.#phase = 'deciding';
  }

  allowSweep(): void {
    this.#mayComplete = true;
  }

  /** The peer's routes end, over the next turns, but for those that its next session tells before. */
  condemn(rib: AdjRibIn): void {
    this.#unjudged.delete(rib);
    rib.condemn();
    this.#condemned.add(rib);
  }

  /** Those that are stale end, over the next turns. */
  sweep(rib: AdjRibIn): void {
    rib.sweepFromStart();
    this.#condemned.add(rib);
  }

  /** What is stale is so because it ends, not because it is kept. */
  sweeps(rib: AdjRibIn): boolean {
    return this.#condemned.has(rib);
  }

  /** The peer's routes are kept for it (RFC 4724 §4.2), but those that have ended or were kept already. */
  keep(rib: AdjRibIn): void {
    this.#condemned.delete(rib);
    rib.markStale(this);
  }

  /**
   * The peer's routes are judged again by what {@link AdjRibIn.reimport} was given, over the next turns.
   *
   * @param done  called once they all are, unless they have ended or are to be judged by yet another policy
   */
  judge(rib: AdjRibIn, done: () => void): void {
    if (rib.judging) this.#unjudged.set(rib, done);
    else done();
  }

  /** The group is closed, and gives back what it owns over the next turns. */
  retire(key: string): void {
    const peers = this.groups.get(key);
    this.groups.delete(key);
    if (peers !== undefined) this.#retired.add(peers);
  }

  /** Carries a change of an Adj-RIB-In into the Loc-RIB. */
  changed(id: number, before: Path | undefined, after: Path | undefined): void {
    if (after !== undefined && after.rejected === undefined) this.locRib.put(id, after);
    else if (before !== undefined && before.rejected === undefined)
      this.locRib.remove(id, before.source, before.pathId);
  }

  /** Decides and forwards a slice; true while more waits. {@link advanceGroups} tells peers. */
  advance(): boolean {
    // Asked here, as what is done seldom is compiled seldom, and would take with it what is done always.
    const sweeping = this.#condemned.size > 0 && this.#sweep();
    const judging = this.#unjudged.size > 0 && this.#judgeSlice();
    const retiring = this.#retired.size > 0 && this.#retireSlice();
    if (this.#phase === 'deferred') return sweeping || judging || retiring;
    const undecided = this.locRib.decideSome(DECISIONS);
    if (this.#phase === 'deciding') {
      if (undecided) return true;
      this.#phase = 'running';
    }
    return this.#advanceForwarding() || undecided || sweeping || judging || retiring;
  }

  /** Tells peers what there is to tell, until it is late; true while more can be told right now. */
  advanceGroups(isLate: () => boolean): boolean {
    if (this.#phase !== 'running') return false;
    let more = false;
    for (const [key, peers] of this.groups) {
      more = peers.advance(isLate) || more;
      if (!isLate()) continue;
      // Whoever had no turn comes first in the next.
      this.groups.delete(key);
      this.groups.set(key, peers);
      return true;
    }
    return more;
  }

  #sweep(): boolean {
    let left = DECISIONS;
    for (const rib of this.#condemned) {
      const before = rib.stale;
      if (!rib.sweepSome(left, this)) this.#condemned.delete(rib);
      left -= before - rib.stale;
      if (left <= 0) break;
    }
    return this.#condemned.size > 0;
  }

  #judgeSlice(): boolean {
    for (const [rib, done] of this.#unjudged) {
      if (rib.judgeSome(SLICE, this)) break;
      this.#unjudged.delete(rib);
      done();
      break;
    }
    return this.#unjudged.size > 0;
  }

  #retireSlice(): boolean {
    for (const peers of this.#retired) {
      if (!peers.group.retire(DECISIONS)) this.#retired.delete(peers);
      break;
    }
    return this.#retired.size > 0;
  }

  #advanceForwarding(): boolean {
    if (this.#follower === undefined || this.#forwarding === undefined) return false;
    for (const id of this.#follower.next(SLICE)) this.#forward(id, this.#forwarding);
    if (!this.#follower.settled) return true;
    if (this.#mayComplete && !this.#completed && this.locRib.dirty === 0) {
      this.#completed = true;
      this.#forwarding.complete(this.family);
    }
    return false;
  }

  #forward(id: number, forwarding: ForwardingTable): void {
    const prefix = this.index.prefix(id);
    if (prefix === undefined) return;
    const entry = forwardingEntry(this.locRib.decision(id).multipath);
    if (entry === undefined && !this.#forwarded.has(id)) return;
    forwarding.set(prefix, entry);
    if (entry === undefined) {
      this.#forwarded.delete(id);
      this.index.release(id);
    } else if (!this.#forwarded.has(id)) this.#forwarded.add(this.index.retain(id));
  }
}

/** Of prefixes announced alike, which share their path: the forwarding table knows them by the entry. */
const ENTRIES = new WeakMap<Path, ForwardingEntry>();

/** Equal paths become one route with several gateways; two paths over one gateway are one way. */
function forwardingEntry(paths: readonly Path[]): ForwardingEntry | undefined {
  const best = paths[0];
  if (best === undefined) return undefined;
  if (paths.length > 1) return entryOf(best, paths);
  let entry = ENTRIES.get(best);
  if (entry === undefined) {
    entry = entryOf(best, paths);
    if (entry !== undefined) ENTRIES.set(best, entry);
  }
  return entry;
}

function entryOf(best: Path, paths: readonly Path[]): ForwardingEntry | undefined {
  if (best.source.kind === 'local') return best.kernel === 'blackhole' ? { type: 'blackhole' } : undefined;
  const gateways = new Map(
    paths.flatMap(({ nextHop }) => (nextHop ? [[nextHop.address.toString(), nextHop.address]] : [])),
  );
  return { type: 'unicast', gateways: [...gateways.values()] };
}
