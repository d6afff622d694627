/**
 * For tests: the law of IPAM as a model to run. Agents on nodes attach and detach workloads and die between any two calls of
 * the store; a successor takes over; nodes leave; collectors run beside all of it. After every write it is checked that
 * whoever was told an address still has it, and that nobody else was told the same.
 */
import type { Millis } from '../../clock/clock.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import type {
  Commit,
  Entry,
  Key,
  Operation,
  Revision,
  Selection,
  Store,
  WatchBatch,
} from '../../datastore/index.ts';
import type { Address } from '../../net/addr/index.ts';
import { allocationsOf, type IPAMBlock, ordinalsOf, prefixOf } from '../block.ts';
import { type Burst, ExaminedStore, MortalStore, seeded, Turns, turnsAsTime } from '../interleaving.ts';
import { Ipam } from '../ipam.ts';
import { Collector } from './collector.ts';
import { drop, dropEndpoint, putEndpoint, putNode, putPool } from './testing.ts';

export type Step =
  | { readonly do: 'attach'; readonly pod: number; readonly v4: number; readonly v6: number }
  | { readonly do: 'detach'; readonly pod: number }
  | { readonly do: 'collect' }
  | { readonly do: 'node leaves' };

/** One process of an agent: what it does, and after how many steps of the store it is killed, if it is. */
export interface Life {
  readonly steps: readonly Step[];
  readonly dies: number | undefined;
}

/** The agent of a node: its processes one after the other, on the same workloads. */
export interface Agent {
  readonly host: string;
  readonly lives: readonly Life[];
}

/** Breaks what a process reads and writes, or how it collects, to show that the model notices. */
export interface Mutation {
  readonly store?: (store: Store) => Store;
  readonly collectorStore?: (store: Store) => Store;
  /** Collects what it sees at the first look. */
  readonly withoutGrace?: boolean;
}

/** Where addresses rest, so that rests pass, and blocks age, within the steps that a run has. */
const TURN_LASTS: Millis = 500;

export const HOSTS = ['a', 'b', 'c'] as const;

/** A store as somebody else sees it. */
export class Through implements Store {
  readonly transactional: boolean;
  protected readonly store: Store;

  constructor(store: Store, transactional = store.transactional) {
    this.store = store;
    this.transactional = transactional;
  }

  async get(key: Key): Promise<Entry | undefined> {
    return this.store.get(key);
  }

  async list(
    selection: Selection,
    at?: Revision,
  ): Promise<{ entries: readonly Entry[]; revision: Revision }> {
    return this.store.list(selection, at);
  }

  async commit(operations: readonly Operation[]): Promise<Commit> {
    return this.store.commit(operations);
  }

  watch(selections: readonly Selection[], from: Revision, signal: AbortSignal): AsyncIterable<WatchBatch> {
    return this.store.watch(selections, from, signal);
  }

  async revision(): Promise<Revision> {
    return this.store.revision();
  }

  async compact(through: Revision): Promise<void> {
    return this.store.compact(through);
  }

  async close(): Promise<void> {}
}

class World extends ExaminedStore {
  readonly told = new Map<string, string>();
  readonly clock = new SimulatedClock();
  readonly #cooldown: Millis;
  /** Since when an address belongs to nobody; no entry where somebody has it, or it was never given. */
  readonly #given = new Map<string, Millis>();
  /** Who had it last, and by which write. */
  readonly #owners = new Map<string, string>();

  constructor({ transactional, cooldownSeconds }: LawOptions) {
    super({ transactional });
    this.#cooldown = cooldownSeconds * 1000;
  }

  override async commit(operations: readonly Operation[]): Promise<Commit> {
    const answer = await super.commit(operations);
    if (answer.ok && operations.some(({ key }) => key.kind === 'IPAMBlock')) await this.#examine();
    return answer;
  }

  pass(): void {
    if (this.#cooldown > 0) this.clock.advance(TURN_LASTS);
  }

  tell(address: string, handle: string): void {
    const holder = this.told.get(address);
    if (holder !== undefined) this.broken.push(`${address} was given to ${handle} while ${holder} had it`);
    this.told.set(address, handle);
  }

  /** Whoever has it gives it back from now on, or is gone. */
  forget(handle: string): void {
    for (const [address, holder] of this.told) {
      if (holder !== handle) continue;
      this.told.delete(address);
      this.#given.set(address, this.clock.now());
    }
  }

  async #examine(): Promise<void> {
    const held = new Set<string>();
    const blocks = await this.blocks();
    for (const [address, handle] of this.told) {
      const found = blocks.some((block) => {
        const prefix = prefixOf(block.cidr);
        return ordinalsOf(block, handle).some((ordinal) => prefix.nth(ordinal).toString() === address);
      });
      if (!found) held.add(`${address} was taken from ${handle}, which has it`);
    }
    this.broken.push(...held);
    for (const block of blocks) this.#examineRests(block);
  }

  /** An address has another owner than the one who gave it back only after its rest. */
  #examineRests(block: IPAMBlock): void {
    const prefix = prefixOf(block.cidr);
    for (const { ordinal, handle, sequence } of allocationsOf(block)) {
      const address = prefix.nth(ordinal).toString();
      const owner = `${handle ?? ''} ${sequence}`;
      const before = this.#owners.get(address);
      if (handle === undefined || before === owner) continue;
      this.#owners.set(address, owner);
      const since = this.#given.get(address);
      if (since !== undefined && this.clock.now() - since < this.#cooldown)
        this.broken.push(
          `${address} was given to ${handle} ${this.clock.now() - since} ms after it was given back`,
        );
      this.#given.delete(address);
    }
  }
}

/** Everything of one run that is not the store. */
class Run {
  readonly world: World;
  readonly turns: Turns;
  readonly left = new Set<string>();
  /** Attachments whose endpoint is not written yet. */
  readonly underWay = new Set<symbol>();
  readonly mutation: Mutation;

  constructor(world: World, mutation: Mutation) {
    this.world = world;
    this.turns = new Turns(() => world.pass());
    this.mutation = mutation;
  }

  async live(agent: number, { host, lives }: Agent): Promise<void> {
    for (const [number, life] of lives.entries()) {
      if (this.left.has(host)) return;
      const death = Promise.withResolvers<void>();
      // A node that leaves is switched off: nothing of it is written any more.
      const turn = async (): Promise<void> => {
        if (!this.left.has(host)) await this.turns.wait(agent);
        if (!this.left.has(host)) return;
        death.resolve();
        await new Promise(() => {});
      };
      const dies = life.dies ?? Number.POSITIVE_INFINITY;
      const mortal = new Through(
        new MortalStore(this.world, turn, dies, death.resolve),
        this.world.transactional,
      );
      const doing = new Doing(this, agent, host, mortal, turn, seeded(agent * 16 + number));
      await Promise.race([doing.all(life.steps), death.promise]);
      doing.dead();
    }
  }
}

/** One process. */
class Doing {
  readonly #run: Run;
  readonly #agent: number;
  readonly #host: string;
  readonly #store: Store;
  readonly #turn: () => Promise<void>;
  readonly #random: () => number;
  readonly #ipam: Ipam;
  #current: symbol | undefined;

  constructor(
    run: Run,
    agent: number,
    host: string,
    mortal: Store,
    turn: () => Promise<void>,
    random: () => number,
  ) {
    this.#run = run;
    this.#agent = agent;
    this.#host = host;
    this.#store = run.mutation.store?.(mortal) ?? mortal;
    this.#turn = turn;
    this.#random = random;
    this.#ipam = new Ipam(this.#store, turnsAsTime(run.world.clock, turn), random);
  }

  async all(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#do(step);
  }

  dead(): void {
    if (this.#current !== undefined) this.#run.underWay.delete(this.#current);
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case 'attach':
        return this.#attach(step.pod, step.v4, step.v6);
      case 'detach':
        return this.#detach(this.#podName(step.pod));
      case 'collect':
        return this.#collect();
      case 'node leaves': {
        const { left, world } = this.#run;
        left.add(this.#host);
        for (const handle of world.told.values())
          if (handle.startsWith(`net.${this.#host}-`)) world.forget(handle);
        await drop(world, 'Node', this.#host);
        return this.#turn();
      }
    }
  }

  #podName(pod: number): string {
    return `${this.#host}-${this.#agent}-${pod}`;
  }

  /** As `node/cni/add.ts` does: what an earlier attempt left makes way, then addresses, then the endpoint. */
  async #attach(number: number, v4: number, v6: number): Promise<void> {
    const pod = this.#podName(number);
    await this.#detach(pod);
    const { underWay, world } = this.#run;
    const mine = Symbol(pod);
    this.#current = mine;
    underWay.add(mine);
    const given = await this.#ipam.autoAssign({
      host: this.#host,
      handle: `net.${pod}`,
      attributes: { node: this.#host, namespace: 'default', pod },
      v4,
      v6,
    });
    if (given.ok && v4 + v6 > 0) {
      const addresses = [...given.value.v4, ...given.value.v6].map((address: Address) => address.toString());
      await putEndpoint(this.#store, this.#host, pod, addresses);
      for (const address of addresses) world.tell(address, `net.${pod}`);
    }
    underWay.delete(mine);
  }

  /** As `node/cni/del.ts` does: the endpoint, then its addresses. */
  async #detach(pod: string): Promise<void> {
    this.#run.world.forget(`net.${pod}`);
    await dropEndpoint(this.#store, this.#host, pod);
    await this.#ipam.releaseByHandle(`net.${pod}`);
  }

  async #collect(): Promise<void> {
    const { mutation, underWay, world } = this.#run;
    const clock = new SimulatedClock();
    const store = mutation.collectorStore?.(this.#store) ?? this.#store;
    const now = (): number => clock.now();
    const collector = new Collector(store, { ...turnsAsTime(world.clock, this.#turn), now }, this.#random, {
      grace: mutation.withoutGrace === true ? 0 : 1,
      longestGap: Number.POSITIVE_INFINITY,
    });
    let look = await collector.look();
    if (mutation.withoutGrace !== true) {
      // What the grace period stands for: every ADD that was under way has ended, or has died.
      const then = [...underWay];
      while (then.some((one) => underWay.has(one))) await this.#turn();
      clock.advance(1);
      look = await collector.look();
    }
    await collector.collect(look.due);
  }
}

export interface LawOptions {
  readonly transactional: boolean;
  readonly strict: boolean;
  readonly cooldownSeconds: number;
  readonly mutation?: Mutation;
}

/** @returns sentences; none when the law held */
export async function runLaw(
  agents: readonly Agent[],
  plan: readonly Burst[],
  options: LawOptions,
): Promise<string[]> {
  const world = new World(options);
  await putPool(world, 'v4', '10.0.0.0/28', 30);
  await putPool(world, 'v6', 'fd00::/126', 127);
  for (const host of HOSTS) await putNode(world, host);
  const config = {
    auto_allocate_blocks: true,
    strict_affinity: options.strict,
    ipCooldownSeconds: options.cooldownSeconds,
  };
  await world.commit([
    { type: 'put', key: { kind: 'IPAMConfig', scope: '', name: 'default' }, value: config, expect: 'any' },
  ]);
  const run = new Run(world, options.mutation ?? {});
  await run.turns.run(
    agents.map((agent, i) => async () => run.live(i, agent)),
    plan,
  );
  return [...new Set([...world.broken, ...(await settled(world, options.cooldownSeconds))])];
}

const ROUNDS = 6;

/** Collects until nothing is left to do; then nothing may be held by nobody, and nothing contradict anything. */
async function settled(world: World, cooldownSeconds: number): Promise<string[]> {
  const { clock } = world;
  const collector = new Collector(world, clock, () => 0, {
    grace: 1,
    longestGap: Number.POSITIVE_INFINITY,
  });
  for (let round = 0; round < ROUNDS; round++) {
    await collector.look({ confirmed: true });
    // Past the rounding of a rest to whole seconds.
    clock.advance((cooldownSeconds + 1) * 1000);
    const { due, findings } = await collector.look({ confirmed: true });
    if (findings.length === 0) break;
    await collector.collect(due);
  }
  const { findings } = await collector.look({ confirmed: true });
  const { entries } = await world.list({ kind: 'WorkloadEndpoint' });
  const used = entries.flatMap(({ value }) => (value as { spec: { ipNetworks: string[] } }).spec.ipNetworks);
  const held = (await world.blocks()).flatMap((block) =>
    block.allocations.flatMap((index, ordinal) =>
      index === null ? [] : [prefixOf(block.cidr).nth(ordinal).toString()],
    ),
  );
  return [
    ...findings.map(({ id, why }) => `still found: ${id}: ${why}`),
    ...(used
      .map((network) => network.split('/')[0]!)
      .toSorted()
      .join() === held.toSorted().join()
      ? []
      : [`held are ${held.toSorted().join()}, used are ${used.toSorted().join()}`]),
  ];
}
