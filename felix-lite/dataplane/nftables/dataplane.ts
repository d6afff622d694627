/**
 * Policy in nf_tables, both families in one transaction: packets see all rules of a pass or none, and a failure leaves
 * what was there. Addresses that new rules look into come in a transaction before, what old rules looked into goes in one
 * behind; a pass that changes no rule is a single one.
 */
import type { Problem } from '../../../api/problem.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import { NftError, Nftables, type RulesetWatch, watchTables } from '../../../net/kernel/index.ts';
import type { CalcDelta } from '../../calc/model.ts';
import type { RuleTables, TableChange } from '../../rules/tables.ts';
import type { Chain } from '../../rules/types.ts';
import type { Applied, Dataplane, RuleCounter } from '../dataplane.ts';
import type { Leftovers } from '../leftovers.ts';
import { Generations } from './generations.ts';
import { type HeldTable, readTable } from './held.ts';
import { layered, ourTable, unlayered } from './names.ts';
import { hashOfComment } from './render.ts';
import type { Planned } from './planned.ts';
import { NftTable, type Stages } from './table.ts';

export interface NftDataplaneOptions {
  /** Made with dispatch by maps. */
  readonly rules: RuleTables;
  readonly versions: readonly IpVersion[];
  readonly netns: string | undefined;
  readonly leftovers: Leftovers;
  /** Called when anybody but us has changed our tables. */
  readonly onEdited?: (() => void) | undefined;
}

/** How often a pass is tried. */
const ATTEMPTS = 3;
/** Rules of a transaction of a first load. */
const PART = 1000;
/** Chains and sets that rest; when there are more, the pass that finds them removes them behind its changes. */
const MOST_RESTING = 1000;

export class NftDataplane implements Dataplane {
  readonly #rules: RuleTables;
  readonly #nft: Nftables;
  readonly #tables: readonly NftTable[];
  readonly #leftovers: Leftovers;
  readonly #netns: string | undefined;
  readonly #onEdited: () => void;
  /** Pauses while we are at work. */
  #watch: RulesetWatch | undefined;
  /** Transactions that we made, read behind or were told of. */
  #generations: Generations | undefined;
  /** The kernel's state is what our tables say that it is. */
  #known = false;

  constructor({ rules, versions, netns, leftovers, onEdited }: NftDataplaneOptions) {
    this.#rules = rules;
    this.#netns = netns;
    this.#leftovers = leftovers;
    this.#onEdited = onEdited ?? (() => undefined);
    this.#tables = versions.map((version) => new NftTable(version, rules.hooks()));
    this.#nft = Nftables.open({ netns });
  }

  update(delta: CalcDelta): void {
    for (const table of this.#tables) table.updateSets(delta.sets);
    this.#rules.update(delta);
  }

  readonly takesRest = true;

  async apply(reread: boolean, rest?: () => Promise<void>): Promise<Applied> {
    const look = reread || !this.#known;
    this.#watch?.pause();
    try {
      if (look) this.#tryAgain('all');
      const found = look ? await this.#read() : undefined;
      const fresh = found !== undefined && !found.some(({ exists }) => exists);
      if (!fresh) await rest?.();
      const steps = fresh ? await this.#load(found, rest) : await this.#change(found);
      if (look) await this.#leftovers.clear();
      this.#watch ??= this.#startWatch();
      return { steps, failures: [], leftover: this.#tryAgain('new'), resting: this.#resting };
    } finally {
      this.#listen();
    }
  }

  /**
   * The first load of all, into tables that are not there: a second processor does the kernel's work while this one goes on
   * with what is next. Sets and empty chains come first, then rules, some at a time, then members that were still to come. No
   * packet comes to any of it until all has been taken: the chains at the hooks are the last transaction, of both families together.
   */
  async #load(found: readonly HeldTable[], rest?: () => Promise<void>): Promise<number> {
    this.#hold(found);
    const changes = Map.groupBy(this.#rules.takeChanges(), ({ version }) => version);
    let steps = 0;
    let underWay: Promise<void> = Promise.resolve();
    let failure: unknown;
    const start = async (stage: readonly Owned[]): Promise<void> => {
      if (stage.length === 0) return;
      steps += stepsIn(stage);
      underWay = Promise.all([underWay, this.#commit(stage)]).then(
        () => undefined,
        (error: unknown) => {
          failure ??= error;
        },
      );
      // The kernel is at work on this one once it is done with the one before and the event loop has had its turn.
      await new Promise((resolve) => setImmediate(resolve));
    };
    await start(
      this.#tables.flatMap((table) =>
        owned(table, table.planFrame((changes.get(table.version) ?? []).flatMap(chainsIn))),
      ),
    );
    for (const table of this.#tables)
      for (const part of partsOf(changes.get(table.version) ?? [])) {
        for (const change of part) table.update(change);
        await start(owned(table, table.planPart()));
      }
    await rest?.();
    // A set that turned out to hold networks has another name by now: what is known of chains that look into it has to be true.
    await underWay;
    for (const plan of ['planPart', 'planHooks'] as const) {
      if (failure === undefined) await start(this.#tables.flatMap((table) => owned(table, table[plan]())));
      await underWay;
    }
    if (failure === undefined) {
      this.#settle();
      return steps;
    }
    if (!(failure instanceof StageError)) throw failure;
    // Step by step it shows what the refusal is about.
    return this.#change(await this.#read());
  }

  /** @param found  what was just read, if anything was */
  async #change(found: readonly HeldTable[] | undefined): Promise<number> {
    for (const change of this.#rules.takeChanges())
      this.#tables.find(({ version }) => version === change.version)?.update(change);
    if (found !== undefined) this.#hold(found);
    const idle = !this.#tables.some((table) => table.hasChanges);
    const steps = await this.#bring(found !== undefined, idle);
    return this.#resting > MOST_RESTING ? steps + (await this.#bring(false, true)) : steps;
  }

  /** @returns how many sets that were refused the next pass tries */
  #tryAgain(which: 'all' | 'new'): number {
    return this.#tables.reduce((sum, table) => sum + table.tryAgain(which), 0);
  }

  get #resting(): number {
    return this.#tables.reduce((sum, { resting }) => sum + resting, 0);
  }

  /**
   * @param fresh  What was read just now is no belief: what is refused then is refused for what it is.
   * @param clear  remove what rests, too
   */
  async #bring(fresh: boolean, clear: boolean): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const stages = this.#stages(clear);
      try {
        for (const stage of stages) await this.#commit(stage);
        this.#settle();
        return stepsIn(stages.flat());
      } catch (error) {
        this.#known = false;
        if (!(error instanceof StageError)) throw error;
        const sets = refusedSets(error);
        if (fresh) for (const { table, name } of sets) table.refuseSet(name, error.message);
        // Rules that look into a refused set are refused with it.
        const aside = sets.length > 0 ? fresh : this.#setAside(error);
        // What is set aside does not count as an attempt; there is only so much of it.
        if (aside) attempt--;
        else if (attempt >= ATTEMPTS) throw error.cause;
        // What we believed may not be so, or a stage before this one was taken.
        this.#hold(await this.#read());
        fresh = true;
      }
    }
  }

  /** Both families together. Nothing keeps removals apart where no rule changes. */
  #stages(clear: boolean): readonly (readonly Owned[])[] {
    const plans = this.#tables.map((table) => ({ table, plan: table.plan(clear) }));
    const of = (stage: keyof Stages): readonly Owned[] =>
      plans.flatMap(({ table, plan }) => owned(table, plan[stage]));
    const [before, rules, after] = [of('before'), of('rules'), of('after')];
    const stages = rules.length === 0 ? [[...before, ...after]] : [before, rules, after];
    return stages.filter((stage) => stage.length > 0);
  }

  async #commit(stage: readonly Owned[]): Promise<void> {
    try {
      const { generation, handles } = await this.#nft.commit(stage.map(({ planned }) => planned.operation));
      this.#generations?.add(generation);
      for (const [index, { planned }] of stage.entries()) planned.done?.(handles.get(index));
    } catch (error) {
      throw error instanceof NftError ? new StageError(error, stage) : error;
    }
  }

  /** From the first time that the kernel is as wanted. */
  #startWatch(): RulesetWatch {
    return watchTables(
      this.#netns,
      this.#tables.map(({ version }) => ourTable(version)),
      () => this.#onEdited(),
      (generation) => this.#generations?.add(generation),
    );
  }

  /** To the kernel, again. What others did in the meantime shows in the count of transactions, of all tables together. */
  #listen(): void {
    if (this.#watch === undefined) return;
    this.#watch.resume();
    this.#watch.drain();
    if (this.#generations?.takeMissed() === true) this.#onEdited();
    // It fails where we are closed by now, or else the next pass says why.
    this.#lookForOthers().catch(() => undefined);
  }

  async #lookForOthers(): Promise<void> {
    const generation = await this.#nft.generation();
    this.#watch?.drain();
    if (this.#generations?.takeMissed(generation) === true) this.#onEdited();
  }

  async #read(): Promise<readonly HeldTable[]> {
    if (this.#watch === undefined) this.#generations = new Generations(await this.#nft.generation());
    const found: HeldTable[] = [];
    for (const { version } of this.#tables) found.push(await readTable(this.#nft, version));
    return found;
  }

  #hold(found: readonly HeldTable[]): void {
    for (const [index, table] of this.#tables.entries()) {
      const held = found[index];
      if (held !== undefined) table.hold(held);
    }
  }

  #settle(): void {
    this.#known = true;
    for (const table of this.#tables) table.finished();
  }

  /** Chains of users' making that the refusal is about drop from now on. False when it is about anything else. */
  #setAside({ cause, stage }: StageError): boolean {
    // A machine that is short of something for now says nothing about a rule.
    if (PASSING.has(cause.code)) return false;
    let any = false;
    for (const index of cause.refused) {
      const { table, planned } = stage[index] ?? {};
      if (table === undefined || planned?.chain === undefined || !table.mayRefuse(planned.chain)) continue;
      table.setAside(planned.chain, cause.message);
      any = true;
    }
    return any;
  }

  get problems(): readonly Problem[] {
    return this.#tables.flatMap(({ problems }) => problems);
  }

  get counts(): { readonly rules: number; readonly sets: number } {
    const counts = this.#tables.map((table) => table.counts);
    return {
      rules: counts.reduce((sum, { rules }) => sum + rules, 0),
      sets: counts.reduce((sum, { sets }) => sum + sets, 0),
    };
  }

  async counters(): Promise<readonly RuleCounter[]> {
    const counters: RuleCounter[] = [];
    for (const { version } of this.#tables) {
      const last = new Map<string, { readonly hash: string | undefined; readonly index: number }>();
      for (const { chain, comment, expressions } of await this.#nft.listRules(ourTable(version))) {
        const place = unlayered(chain);
        const counter = expressions.find((each) => each.kind === 'counter');
        const hash = hashOfComment(comment);
        // What a rule became several of has one hash.
        const before = last.get(chain);
        const same = before !== undefined && hash !== undefined && before.hash === hash;
        const index = before === undefined ? 0 : same ? before.index : before.index + 1;
        last.set(chain, { hash, index });
        if (place === undefined || hash === undefined || counter?.kind !== 'counter') continue;
        const { table, name } = place;
        const { packets, bytes } = counter;
        counters.push({ version, table, chain: name, index, hash, packets, bytes });
      }
    }
    return counters;
  }

  close(): void {
    this.#watch?.();
    this.#watch = undefined;
    this.#nft.close();
  }
}

/** Names of those that are going to be there. */
function chainsIn({ table, chains }: TableChange): readonly string[] {
  return [...chains].flatMap(([name, chain]) => (chain === undefined ? [] : [layered(table, name)]));
}

/** Maps first, which rules ask, and chains until they have rules for some milliseconds of work. */
function* partsOf(changes: readonly TableChange[]): Generator<readonly TableChange[]> {
  let part: TableChange[] = [];
  let rules = 0;
  for (const change of changes) {
    let chains = new Map<string, Chain | undefined>();
    part.push({ ...change, chains });
    for (const [name, chain] of change.chains) {
      chains.set(name, chain);
      rules += chain?.rules.length ?? 0;
      if (rules < PART) continue;
      yield part;
      chains = new Map();
      part = [{ ...change, chains, maps: new Map() }];
      rules = 0;
    }
  }
  yield part;
}

interface Owned {
  readonly table: NftTable;
  readonly planned: Planned;
}

const PASSING: ReadonlySet<string> = new Set(['ENOMEM', 'ENOBUFS', 'EAGAIN', 'EINTR', 'EMFILE', 'ENFILE']);

/** A refused transaction and what was in it. */
class StageError extends Error {
  override readonly cause: NftError;
  readonly stage: readonly Owned[];

  constructor(cause: NftError, stage: readonly Owned[]) {
    super(cause.message);
    this.cause = cause;
    this.stage = stage;
  }
}

/** Sets that the refusal is about. */
function refusedSets({
  cause,
  stage,
}: StageError): readonly { readonly table: NftTable; readonly name: string }[] {
  if (cause.code === 'EPERM') return [];
  return cause.refused.flatMap((index) => {
    const { table, planned } = stage[index] ?? {};
    const name = planned === undefined ? undefined : table?.setOf(planned);
    return table === undefined || name === undefined ? [] : [{ table, name }];
  });
}

function owned(table: NftTable, planned: readonly Planned[]): readonly Owned[] {
  return planned.map((each) => ({ table, planned: each }));
}

function stepsIn(stage: readonly Owned[]): number {
  return stage.reduce((sum, { planned }) => sum + stepsOf(planned.operation), 0);
}

/** Elements count one by one, as members of an ipset do. */
function stepsOf(operation: Planned['operation']): number {
  return operation.op === 'add-elements' || operation.op === 'delete-elements'
    ? operation.elements.length
    : 1;
}
