/**
 * Keeps the kernel's routes to what the Loc-RIB chose: read, diff, apply, verify.
 *
 * Ours are told by their protocol number, so a new process finds what the one before it left, adopts it, and removes
 * nothing of it before the speaker says that it has set every route ({@link Fib.complete}). Routes of others are never
 * touched: where one stands, ours waits. What the kernel refuses (no way to the gateway) is reported per route and
 * tried again, at growing intervals and whenever a link or an address changes; of several gateways, one that works is
 * used meanwhile.
 */
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';
import type { Address, Prefix } from '../../net/addr/index.ts';
import type { ForwardingEntry, ForwardingStatus, ForwardingTable } from '../speaker/ports.ts';
import { FAMILIES, type Family } from '../wire/types.ts';
import { Batches } from './batches.ts';
import { Carriage, type CarriageConfig } from './carriage.ts';
import { Learned } from './learned.ts';
import { DEFAULTS, type FibOptions } from './options.ts';
import { goalOf, plan, type Plan } from './plan.ts';
import { type RouteOwner, type RouteTable, type TableChange, type TableOutcome } from './route-table.ts';
import { newSlot, type Slot } from './slot.ts';
import { sameEntry, type TableEntry } from './table-entry.ts';
import { Ways } from './ways.ts';

/** Routes looked at in one turn. */
const SLICE = 2_000;
/** Batches under way: one in the kernel, one ready for it. */
const AT_ONCE = 2;

export class Fib implements ForwardingTable {
  readonly #table: RouteTable;
  readonly #clock: Clock;
  readonly #options: FibOptions;
  readonly #slots = new Map<string, Slot>();
  readonly #dirty = new Set<Slot>();
  readonly #learned = new Learned((key) => {
    const slot = this.#slots.get(key);
    // Inside a pool, what leads through a tunnel or is another's is no way to a next hop.
    return slot === undefined || this.#carriage.concerns(slot.prefix) ? undefined : slot.wanted;
  });
  #ways = new Ways([], this.#learned);
  #carriage = new Carriage();
  /** Changes with what goals depend on beside their slot. */
  #epoch = 0;
  readonly #batches: Batches;
  #linksChanged: () => void = () => {};
  readonly #adopted = new Set<4 | 6>();
  readonly #complete = new Set<4 | 6>();
  #relist = false;
  #retryDue = false;
  #working: Promise<void> | undefined;
  #retryTimer: Cancel | undefined;
  #verifyTimer: Cancel | undefined;
  #gatherTimer: Cancel | undefined;
  #resolveTimer: Cancel | undefined;
  #resolveAgain = false;
  #retryDelay: Millis;
  #closed = false;

  /** Reads the table first: what is ours there is adopted. @throws whatever the table throws */
  static async open(table: RouteTable, clock: Clock, options: Partial<FibOptions> = {}): Promise<Fib> {
    const fib = new Fib(table, clock, { ...DEFAULTS, ...options });
    await fib.#readTable();
    for (const slot of fib.#slots.values())
      if (slot.actual !== undefined) fib.#adopted.add(slot.prefix.version);
    fib.#armVerify();
    return fib;
  }

  private constructor(table: RouteTable, clock: Clock, options: FibOptions) {
    this.#table = table;
    this.#batches = new Batches(table);
    this.#clock = clock;
    this.#options = options;
    this.#retryDelay = options.retryMs;
  }

  adopted(family: Family): boolean {
    return this.#adopted.has(FAMILIES[family].version);
  }

  preserved(family: Family): boolean {
    const { version } = FAMILIES[family];
    return this.#adopted.has(version) || this.#complete.has(version);
  }

  set(prefix: Prefix, entry: ForwardingEntry | undefined): void {
    const key = prefix.toString();
    const slot = this.#slots.get(key) ?? (entry === undefined ? undefined : this.#newSlot(key, prefix));
    if (slot === undefined || sameEntry(slot.wanted, entry)) return;
    this.#learned.count(prefix, slot.wanted, entry);
    slot.wanted = entry;
    if (this.#ways.mayLeadBy(prefix)) this.#resolveSoon();
    this.#startOver(slot);
  }

  /** How routes inside pools leave this node. What stands in the kernel is changed in place. */
  carry(config: CarriageConfig): void {
    const carriage = new Carriage(config);
    if (carriage.equals(this.#carriage)) return;
    this.#carriage = carriage;
    this.#ways.forget();
    this.#epoch++;
    for (const slot of this.#slots.values()) if (slot.wanted !== undefined) this.#startOver(slot);
  }

  complete(family: Family): void {
    const { version } = FAMILIES[family];
    this.#complete.add(version);
    for (const slot of this.#slots.values()) if (slot.prefix.version === version) this.#touch(slot);
  }

  status(prefix: Prefix): ForwardingStatus | undefined {
    const slot = this.#slots.get(prefix.toString());
    if (slot?.wanted === undefined) return undefined;
    const { obstacle, actual } = slot;
    const left = this.#carriage.leftTo(prefix);
    if (left !== undefined) return { state: 'yielded', reason: left };
    if (obstacle === undefined)
      return { state: sameEntry(this.#goal(slot), actual) ? 'installed' : 'pending' };
    return actual === undefined ? obstacle : { state: 'degraded', reason: obstacle.reason };
  }

  linkTo(address: Address): string | undefined {
    return this.#ways.linkTo(address);
  }

  watchLinks(changed: () => void): void {
    this.#linksChanged = changed;
  }

  /** Routes that the kernel does not have although they are wanted, and why. */
  *obstacles(): Generator<{
    readonly prefix: Prefix;
    readonly state: 'refused' | 'yielded';
    readonly reason: string;
  }> {
    for (const { prefix, obstacle } of this.#slots.values())
      if (obstacle !== undefined) yield { prefix, ...obstacle };
  }

  /** Somebody changed the table: a stranger's route came or went, or one of ours did without our doing. */
  observe(prefix: Prefix, owner: RouteOwner, change: 'new' | 'deleted'): void {
    const slot = this.#slots.get(prefix.toString());
    // Our own writes come back as events; they say what we know.
    const news =
      owner !== 'ours'
        ? slot !== undefined || this.#ways.concerns(prefix)
        : change === 'deleted' && slot?.wanted !== undefined && !this.#dirty.has(slot);
    if (news) this.#verifySoon();
  }

  /** A link or an address changed, or events were lost: routes may have gone without a word, refused ones may go now. */
  disturbed(): void {
    this.#retryDelay = this.#options.retryMs;
    this.#retryDue = true;
    this.#verifySoon();
  }

  /** Resolves when nothing is left to do right now. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** Stops; the kernel keeps what it has. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retryTimer?.();
    this.#verifyTimer?.();
    this.#gatherTimer?.();
    this.#resolveTimer?.();
    await this.idle();
  }

  #newSlot(key: string, prefix: Prefix): Slot {
    const slot = newSlot(key, prefix);
    this.#slots.set(key, slot);
    return slot;
  }

  #startOver(slot: Slot): void {
    slot.refusals = 0;
    slot.obstacle = undefined;
    slot.goalOf = STALE;
    this.#touch(slot);
  }

  #touch(slot: Slot): void {
    this.#dirty.add(slot);
    this.#work();
  }

  #verifySoon(): void {
    if (this.#closed) return;
    this.#gatherTimer ??= this.#clock.after(this.#options.gatherMs, 'read kernel routes', () => {
      this.#gatherTimer = undefined;
      if (this.#retryDue) this.#retry();
      this.#verify();
    });
  }

  /** Of the routes that lead to next hops many change together: one search for all within this time. */
  #resolveSoon(): void {
    if (this.#closed) return;
    this.#resolveAgain = true;
    this.#resolveTimer ??= this.#clock.after(this.#options.gatherMs, 'resolve next hops', () => {
      this.#resolveAgain = false;
      this.#ways.forget();
      this.#epoch++;
      this.#resolveSome(this.#slots.values());
    });
  }

  /** In slices, since a table may be large. What comes meanwhile is right already, or asks for another round. */
  #resolveSome(slots: Iterator<Slot, undefined>): void {
    for (let i = 0; i < SLICE; i++) {
      const { value: slot } = slots.next();
      if (slot === undefined) {
        this.#resolveTimer = undefined;
        if (this.#resolveAgain) this.#resolveSoon();
        return;
      }
      if (slot.wanted?.type === 'unicast' && !sameEntry(this.#goal(slot), slot.actual)) this.#startOver(slot);
    }
    this.#resolveTimer = this.#clock.after(0, 'resolve next hops', () => this.#resolveSome(slots));
  }

  #verify(): void {
    this.#relist = true;
    this.#work();
  }

  #armVerify(): void {
    this.#verifyTimer = this.#clock.after(this.#options.verifyMs, 'verify kernel routes', () => {
      this.#armVerify();
      this.#verify();
    });
  }

  #retry(): void {
    this.#retryDue = false;
    this.#retryTimer?.();
    this.#retryTimer = undefined;
    for (const slot of this.#slots.values()) {
      if (slot.obstacle !== undefined) this.#startOver(slot);
    }
  }

  #retryLater(): void {
    if (this.#retryTimer !== undefined || this.#closed) return;
    this.#retryTimer = this.#clock.after(this.#retryDelay, 'retry kernel routes', () => {
      this.#retryDelay = Math.min(this.#retryDelay * 2, this.#options.longestRetryMs);
      this.#retry();
      this.#work();
    });
  }

  /** One worker at a time, so that the table is never read while it is being changed. */
  #work(): void {
    if (this.#working !== undefined || this.#closed) return;
    this.#working = this.#run().finally(() => {
      this.#working = undefined;
    });
  }

  async #run(): Promise<void> {
    // Let the turn that made the first slot dirty make all of them dirty.
    await Promise.resolve();
    try {
      while (!this.#closed && (this.#relist || this.#dirty.size > 0)) {
        if (this.#relist) {
          await this.#settle(0);
          await this.#readAgain();
          continue;
        }
        const sent = this.#sendNext();
        await this.#settle(sent ? AT_ONCE - 1 : 0);
        if (this.#dirty.size === 0) await this.#settle(0);
      }
    } catch (error) {
      this.#relist = true;
      this.#options.onEvent({
        type: 'unavailable',
        reason: error instanceof Error ? error.message : String(error),
      });
      this.#retryLater();
    } finally {
      await this.#batches.abandon();
    }
  }

  /** Until no more than so many batches are under way. @throws when the table cannot be reached */
  #settle(left: number): Promise<void> {
    return this.#batches.settle(
      left,
      (slot, change, outcome) => this.#record(slot, change, outcome),
      (slot) => this.#forget(slot),
    );
  }

  async #readAgain(): Promise<void> {
    const repairs = await this.#readTable();
    if (repairs > 0) this.#options.onEvent({ type: 'repaired', routes: repairs });
  }

  /** @returns how many routes we believed in the kernel are not there as we left them */
  async #readTable(): Promise<number> {
    this.#relist = false;
    const { routes, ways } = await this.#table.list();
    const before = this.#ways;
    this.#ways = new Ways(ways, this.#learned);
    this.#epoch++;
    if (!before.leadsAlike(this.#ways)) this.#linksChanged();
    const found = new Map<Slot, Pick<Slot, 'actual' | 'foreign' | 'kin'>>();
    for (const { prefix, owner, entry, text } of routes) {
      const key = prefix.toString();
      const slot = this.#slots.get(key) ?? (owner === 'ours' ? this.#newSlot(key, prefix) : undefined);
      if (slot === undefined) continue;
      const seen = found.get(slot) ?? NOTHING_THERE;
      const kin = owner === 'kin' ? (entry?.type ?? 'unicast') : undefined;
      found.set(
        slot,
        owner === 'ours' ? { ...seen, actual: entry ?? OTHERWISE } : { ...seen, foreign: text, kin },
      );
    }
    let repairs = 0;
    for (const slot of this.#slots.values()) {
      const { actual, foreign, kin } = found.get(slot) ?? NOTHING_THERE;
      if (sameEntry(slot.actual, actual) && slot.foreign === foreign) {
        // Also what a batch left undone whose outcome we never learned.
        if (!sameEntry(this.#goal(slot), actual)) this.#dirty.add(slot);
        continue;
      }
      const lost = slot.actual !== undefined && !sameEntry(slot.actual, actual);
      if (lost && kin === undefined) repairs++;
      slot.actual = actual;
      slot.foreign = foreign;
      slot.kin = kin;
      slot.refusals = 0;
      slot.obstacle = undefined;
      slot.goalOf = STALE;
      this.#dirty.add(slot);
    }
    return repairs;
  }

  /** @returns false when nothing can be decided before more outcomes are known */
  #sendNext(): boolean {
    const slots: Slot[] = [];
    const changes: TableChange[] = [];
    for (const slot of this.#dirty) {
      if (changes.length >= this.#options.batch) break;
      // What to do next depends on what becomes of it.
      if (slot.underWay) continue;
      this.#dirty.delete(slot);
      const next = this.#planFor(slot);
      if (next.type === 'yield') this.#obstruct(slot, 'yielded', next.to);
      if (next.type === 'nothing') this.#forget(slot);
      if (next.type !== 'change') continue;
      for (const each of next.changes) {
        slots.push(slot);
        changes.push(each);
      }
    }
    if (changes.length === 0) return false;
    this.#batches.send(slots, changes);
    return true;
  }

  #planFor(slot: Slot): Plan {
    const { prefix, wanted, actual, foreign, kin } = slot;
    // Another's to write from now on: ours stays until that one has taken its place.
    const handedOver = wanted?.type === 'unicast' && this.#carriage.leftTo(prefix) !== undefined;
    return plan({
      prefix,
      goal: this.#goal(slot),
      actual,
      foreign,
      kin,
      mayRemove: wanted === undefined ? this.#complete.has(prefix.version) : !handedOver,
    });
  }

  /** What to aim at now: the wanted entry over the gateways of the moment, less what the kernel has refused. */
  #goal(slot: Slot): TableEntry | undefined {
    // Asked thrice for each route.
    if (slot.goalOf !== this.#epoch) {
      slot.goal = this.#findGoal(slot);
      slot.goalOf = this.#epoch;
    }
    return slot.goal;
  }

  #findGoal({ prefix, wanted, refusals }: Slot): TableEntry | undefined {
    if (wanted === undefined || this.#carriage.leftTo(prefix) !== undefined) return undefined;
    return goalOf(this.#ways.resolve(prefix, wanted, this.#carriage), refusals);
  }

  #record(slot: Slot, change: TableChange, outcome: TableOutcome): void {
    if (outcome.ok || outcome.cause === 'absent') this.#done(slot, change, outcome.ok);
    else if (change.op === 'delete') this.#obstruct(slot, 'refused', outcome.reason);
    else if (sameEntry(this.#goal(slot), change.entry)) this.#refused(slot, outcome.cause, outcome.reason);
    else this.#dirty.add(slot);
  }

  #done(slot: Slot, change: TableChange, succeeded: boolean): void {
    slot.actual = succeeded && change.op !== 'delete' ? change.entry : undefined;
    if (change.op === 'replace') slot.foreign = slot.kin = undefined;
    if (slot.actual !== undefined && slot.refusals === 0) slot.told = undefined;
    if (!sameEntry(this.#goal(slot), slot.actual)) this.#dirty.add(slot);
  }

  #refused(slot: Slot, cause: 'exists' | 'refused', reason: string): void {
    if (slot.refusals === 0) this.#obstruct(slot, 'refused', reason);
    slot.refusals++;
    slot.goalOf = STALE;
    this.#dirty.add(slot);
    if (cause === 'refused') return;
    // A route came between reading and writing: look whose it is before anything else.
    slot.refusals = Number.POSITIVE_INFINITY;
    this.#relist = true;
  }

  #obstruct(slot: Slot, state: 'refused' | 'yielded', reason: string): void {
    slot.obstacle = { state, reason };
    if (slot.told !== reason) this.#options.onEvent({ type: state, prefix: slot.prefix, reason });
    slot.told = reason;
    // A stranger's route is watched; only the kernel's mind has to be asked after.
    if (state === 'refused') this.#retryLater();
  }

  /** Nothing wanted, nothing there: no slot. */
  #forget(slot: Slot): void {
    if (slot.wanted !== undefined || slot.actual !== undefined || slot.underWay) return;
    this.#slots.delete(slot.key);
    this.#dirty.delete(slot);
  }
}

/** No epoch. */
const STALE = -1;

/** A route of ours of a type that we do not write: whatever is wanted differs from it, so it goes. */
const OTHERWISE: TableEntry = { type: 'unicast', gateways: [] };

const NOTHING_THERE = { actual: undefined, foreign: undefined, kin: undefined };
