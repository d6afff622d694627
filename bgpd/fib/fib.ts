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
import { Batches, type Outcomes } from './batches.ts';
import type { CarriageConfig } from './carriage.ts';
import { type Foreign, sortOut } from './found.ts';
import { Goals } from './goals.ts';
import { DEFAULTS, type FibOptions } from './options.ts';
import { plan } from './plan.ts';
import { Resolving } from './resolving.ts';
import type { RouteOwner, RouteTable, TableOperation, TableRefusal } from './route-table.ts';
import { Routes } from './routes.ts';
import { sameEntry, type TableEntry } from './table-entry.ts';
import { isOver } from './trouble.ts';
import { Wants } from './wants.ts';

/** As many wait: the kernel begins with them while the speaker still tells us of others. */
const FIRST = 512;
/** So many routes are set, or planned, between two looks at whether the kernel has answered. */
const LOOK = 64;
/** Planned in one go, at most: the kernel may have answered meanwhile. */
const MOUTHFUL = 1_024;

export class Fib implements ForwardingTable {
  readonly #table: RouteTable;
  readonly #clock: Clock;
  readonly #options: FibOptions;
  readonly #routes = new Routes();
  readonly #wants = new Wants();
  readonly #goals = new Goals(this.#routes);
  readonly #batches: Batches;
  readonly #resolving: Resolving;
  #linksChanged: () => void = () => {};
  readonly #adopted = new Set<4 | 6>();
  readonly #complete = new Set<4 | 6>();
  #sets = 0;
  #relist = false;
  #reading = false;
  #retryDue = false;
  /** Of who waits until nothing is left to do. */
  #working: PromiseWithResolvers<void> | undefined;
  #advancing = false;
  #filling = false;
  #retryTimer: Cancel | undefined;
  #verifyTimer: Cancel | undefined;
  #gatherTimer: Cancel | undefined;
  #retryDelay: Millis;
  #closed = false;

  /** Reads the table first: what is ours there is adopted. @throws whatever the table throws */
  static async open(table: RouteTable, clock: Clock, options: Partial<FibOptions> = {}): Promise<Fib> {
    const fib = new Fib(table, clock, { ...DEFAULTS, ...options });
    await fib.#readTable();
    for (const id of fib.#routes.ids())
      if (fib.#routes.actual(id) !== undefined) fib.#adopted.add(fib.#routes.version(id));
    fib.#armVerify();
    return fib;
  }

  private constructor(table: RouteTable, clock: Clock, options: FibOptions) {
    this.#table = table;
    this.#batches = new Batches(table, this.#routes, this.#outcomes);
    this.#resolving = new Resolving({
      clock,
      routes: this.#routes,
      goals: this.#goals,
      onDifference: (id) => this.#startOver(id),
    });
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

  isHungry(): boolean {
    this.#batches.look();
    return this.#batches.waiting + this.#routes.queued < MOUTHFUL;
  }

  set(prefix: Prefix, entry: ForwardingEntry | undefined): void {
    if (++this.#sets % LOOK === 0) this.#batches.look();
    const routes = this.#routes;
    const id = entry === undefined ? routes.find(prefix) : routes.open(prefix);
    if (id === undefined) return;
    const before = routes.want(id);
    const want = entry === undefined ? undefined : this.#wants.take(entry);
    if (before !== undefined) this.#wants.give(before);
    if (before === want) return;
    this.#goals.learned.count(prefix, before?.entry, entry);
    routes.setWant(id, want);
    if (this.#goals.mayLeadBy(prefix)) this.#resolving.soon(this.#options.gatherMs);
    this.#startOver(id);
    if (routes.queued >= FIRST && this.#batches.waiting === 0) this.#advance();
  }

  /** How routes inside pools leave this node. What stands in the kernel is changed in place. */
  carry(config: CarriageConfig): void {
    if (!this.#goals.carry(config)) return;
    for (const id of this.#routes.ids()) if (this.#routes.want(id) !== undefined) this.#startOver(id);
  }

  complete(family: Family): void {
    const { version } = FAMILIES[family];
    this.#complete.add(version);
    for (const id of this.#routes.ids()) if (this.#routes.version(id) === version) this.#touch(id);
  }

  status(prefix: Prefix): ForwardingStatus | undefined {
    const id = this.#routes.find(prefix);
    if (id === undefined || this.#routes.want(id) === undefined) return undefined;
    const left = this.#goals.leftTo(prefix);
    if (left !== undefined) return { state: 'yielded', reason: left };
    const obstacle = this.#routes.trouble(id)?.obstacle;
    const actual = this.#routes.actual(id);
    if (obstacle === undefined)
      return { state: sameEntry(this.#goals.of(id), actual) ? 'installed' : 'pending' };
    return actual === undefined ? obstacle : { state: 'degraded', reason: obstacle.reason };
  }

  linkTo(address: Address): string | undefined {
    return this.#goals.linkTo(address);
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
    for (const [id, { obstacle }] of this.#routes.troubled)
      if (obstacle !== undefined) yield { prefix: this.#routes.prefix(id), ...obstacle };
  }

  /** Somebody changed the table: a stranger's route came or went, or one of ours did without our doing. */
  observe(prefix: Prefix, owner: RouteOwner, change: 'new' | 'deleted'): void {
    const id = this.#routes.find(prefix);
    // Our own writes come back as events; they say what we know.
    const news =
      owner !== 'ours'
        ? id !== undefined || this.#goals.concerns(prefix)
        : change === 'deleted' &&
          id !== undefined &&
          this.#routes.want(id) !== undefined &&
          !this.#routes.isDirty(id);
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
    while (this.#working !== undefined) await this.#working.promise;
  }

  /** Stops; the kernel keeps what it has. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#batches.giveUp();
    this.#retryTimer?.();
    this.#verifyTimer?.();
    this.#gatherTimer?.();
    this.#resolving.close();
    await this.idle();
  }

  #startOver(id: number): void {
    const trouble = this.#routes.trouble(id);
    if (trouble !== undefined) {
      trouble.refusals = 0;
      trouble.obstacle = undefined;
    }
    this.#touch(id);
  }

  #touch(id: number): void {
    this.#routes.touch(id);
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
    for (const [id, { obstacle }] of this.#routes.troubled) if (obstacle !== undefined) this.#startOver(id);
  }

  #retryLater(): void {
    if (this.#retryTimer !== undefined || this.#closed) return;
    this.#retryTimer = this.#clock.after(this.#retryDelay, 'retry kernel routes', () => {
      this.#retryDelay = Math.min(this.#retryDelay * 2, this.#options.longestRetryMs);
      this.#retry();
      this.#work();
    });
  }

  /** Soon: the turn that made the first route dirty may make all of them dirty. */
  #work(): void {
    if (this.#closed || this.#advancing) return;
    this.#advancing = true;
    this.#working ??= Promise.withResolvers();
    queueMicrotask(() => {
      this.#advancing = false;
      this.#advance();
    });
  }

  /** One thing at a time, so that the table is never read while it is being changed. */
  #advance(): void {
    if (this.#reading || this.#filling) return;
    if (this.#closed) this.#batches.giveUp();
    else if (!this.#relist) this.#fill();
    this.#batches.go();
    if (this.#batches.busy) return;
    if (this.#relist && !this.#closed) void this.#readAgain();
    else this.#rest();
  }

  #rest(): void {
    this.#working?.resolve();
    this.#working = undefined;
  }

  /** Plans some, until a batch is full. */
  #fill(): void {
    this.#filling = true;
    const enough = Math.min(this.#options.batch, this.#batches.waiting + MOUTHFUL);
    for (let planned = 1; this.#batches.waiting < enough; planned++) {
      const id = this.#routes.next();
      if (id === undefined) break;
      this.#plan(id);
      // What is answered now is sent on its way at once, and the place of what waited is filled here.
      if (planned % LOOK === 0) this.#batches.look();
    }
    this.#filling = false;
  }

  #plan(id: number): void {
    const goal = this.#goals.of(id);
    const actual = this.#routes.actual(id);
    const trouble = this.#routes.trouble(id);
    const step = plan(goal, actual, trouble, goal !== undefined || this.#mayRemove(id));
    if (step === 'nothing') {
      // The same as the goal, then, and one object less to keep.
      if (goal !== undefined) this.#routes.setActual(id, goal);
      this.#routes.forget(id);
    } else if (step === 'yield') this.#obstruct(id, 'yielded', trouble?.foreign ?? '');
    else if (step === 'exchange') {
      this.#batches.add(id, 'delete', actual as TableEntry);
      this.#batches.add(id, 'add', goal as TableEntry);
    } else this.#batches.add(id, step, (step === 'delete' ? actual : goal) as TableEntry);
  }

  #mayRemove(id: number): boolean {
    if (this.#routes.want(id) === undefined) return this.#complete.has(this.#routes.version(id));
    return !this.#goals.isHandedOver(id);
  }

  async #readAgain(): Promise<void> {
    this.#reading = true;
    try {
      const repairs = await this.#readTable();
      if (repairs > 0) this.#options.onEvent({ type: 'repaired', routes: repairs });
      this.#reading = false;
      this.#advance();
    } catch (error) {
      this.#reading = false;
      this.#unavailable(error);
    }
  }

  #unavailable(error: unknown): void {
    this.#relist = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.onEvent({ type: 'unavailable', reason });
    this.#retryLater();
    this.#rest();
  }

  /** @returns how many routes we believed in the kernel are not there as we left them */
  async #readTable(): Promise<number> {
    this.#relist = false;
    const { routes, ways } = await this.#table.list();
    if (!this.#goals.setWays(ways)) this.#linksChanged();
    const { actual, foreign } = sortOut(this.#routes, routes);
    let repairs = 0;
    for (const id of this.#routes.ids())
      if (this.#compare(id, actual[id], foreign.get(id) ?? NOBODY)) repairs++;
    return repairs;
  }

  /** @returns whether what we believed there has gone or changed without our doing */
  #compare(id: number, actual: TableEntry | undefined, { foreign, kin }: Foreign): boolean {
    const believed = this.#routes.actual(id);
    const same = sameEntry(believed, actual);
    if (same && this.#routes.trouble(id)?.foreign === foreign) {
      // Also what a batch left undone whose outcome we never learned.
      if (!sameEntry(this.#goals.of(id), actual)) this.#routes.touch(id);
      return false;
    }
    if (!same) this.#routes.setActual(id, actual);
    const trouble = foreign === undefined ? this.#routes.trouble(id) : this.#routes.troubleOf(id);
    if (trouble !== undefined) Object.assign(trouble, { foreign, kin, refusals: 0, obstacle: undefined });
    this.#routes.touch(id);
    return believed !== undefined && !same && kin === undefined;
  }

  readonly #outcomes: Outcomes = {
    done: (id, op, entry) => this.#done(id, op, entry),
    refused: (id, op, entry, refusal) => this.#refused(id, op, entry, refusal),
    settled: (id) => this.#routes.forget(id),
    answered: () => this.#advance(),
    failed: (error) => this.#unavailable(error),
  };

  #done(id: number, op: TableOperation, entry: TableEntry | undefined): void {
    const actual = op === 'delete' ? undefined : entry;
    this.#routes.setActual(id, actual);
    const trouble = this.#routes.trouble(id);
    if (trouble !== undefined) {
      if (op === 'replace') trouble.foreign = trouble.kin = undefined;
      if (actual !== undefined && trouble.refusals === 0) trouble.told = undefined;
      if (isOver(trouble)) this.#routes.untrouble(id);
    }
    if (!sameEntry(this.#goals.of(id), actual)) this.#routes.touch(id);
  }

  #refused(id: number, op: TableOperation, entry: TableEntry, { cause, reason }: TableRefusal): void {
    if (cause === 'absent') this.#done(id, op, undefined);
    else if (op === 'delete') this.#obstruct(id, 'refused', reason);
    else {
      if (sameEntry(this.#goals.of(id), entry)) this.#countRefusal(id, cause, reason);
      this.#routes.touch(id);
    }
  }

  #countRefusal(id: number, cause: 'exists' | 'refused', reason: string): void {
    const trouble = this.#routes.troubleOf(id);
    if (trouble.refusals === 0) this.#obstruct(id, 'refused', reason);
    trouble.refusals++;
    if (cause === 'refused') return;
    // A route came between reading and writing: look whose it is before anything else.
    trouble.refusals = Number.POSITIVE_INFINITY;
    this.#relist = true;
  }

  #obstruct(id: number, state: 'refused' | 'yielded', reason: string): void {
    const trouble = this.#routes.troubleOf(id);
    trouble.obstacle = { state, reason };
    if (trouble.told !== reason)
      this.#options.onEvent({ type: state, prefix: this.#routes.prefix(id), reason });
    trouble.told = reason;
    // A stranger's route is watched; only the kernel's mind has to be asked after.
    if (state === 'refused') this.#retryLater();
  }
}

const NOBODY = { foreign: undefined, kin: undefined };
