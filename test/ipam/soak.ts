/**
 * IPAM on a real datastore under many processes that are killed in the middle of whatever they do, with a collector beside them.
 * The history of the endpoints is followed from the first to the last write: an endpoint has its addresses from after they
 * were taken until before they are released, so that two endpoints with the same address at any revision are an address
 * given twice. At the end everything is collected, audited, and given back.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PoplinError, type WorkloadEndpoint } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { openStore, type Store, type WatchEvent } from '../../datastore/index.ts';
import { auditIpam, Ipam } from '../../ipam/index.ts';
import { Collector } from '../../ipam/gc/index.ts';
import { drop, putNode, putPool } from '../../ipam/gc/testing.ts';

const WORKER = join(import.meta.dirname, 'worker.ts');
const PROCESSES_PER_NODE = 2;
/** Of the collector that runs beside: longer than any attachment takes, on a machine however busy. */
const GRACE_MS = 30_000;
const LOOK_EVERY_MS = 2_000;

export interface SoakOptions {
  /** Of an empty datastore. */
  readonly location: string;
  /** Where workers and the collector need not have the right to make pools. */
  readonly adminLocation?: string;
  readonly processes: number;
  /** Where nodes are not made by writing them to the store. */
  readonly nodes?: {
    readonly put: (name: string) => Promise<unknown>;
    readonly drop: (name: string) => Promise<unknown>;
  };
  readonly ms: number;
  /** On average; a process is killed only once it has done something, so that a busy machine comes on, too. */
  readonly killEveryMs: number;
  /** Go on beyond `ms` until this much has been done, for at most as long again five times. */
  readonly atLeast?: { readonly attached: number; readonly kills: number };
}

export interface SoakReport {
  readonly attached: number;
  readonly detached: number;
  readonly refused: number;
  /** Outrun by others, or the store too slow, until they gave up. */
  readonly busy: number;
  readonly kills: number;
  /** Addresses that dead processes left, as the collector freed them during the run and after it. */
  readonly collected: number;
  /** Sentences: empty as long as the law holds. */
  readonly broken: readonly string[];
}

export async function soakIpam(options: SoakOptions): Promise<SoakReport> {
  const store = await openStore(options.adminLocation ?? options.location);
  const agentStore = await openStore(options.location);
  try {
    return await new Soak(store, agentStore, options).run();
  } finally {
    await agentStore.close();
    await store.close();
  }
}

class Soak {
  readonly #store: Store;
  readonly #agentStore: Store;
  readonly #options: SoakOptions;
  readonly #clock = new SystemClock();
  readonly #broken: string[] = [];
  readonly #workers: ChildProcess[] = [];
  readonly #did = { a: 0, d: 0, f: 0, b: 0 };
  /** By address: the endpoint that has it, by the history of the store. */
  readonly #users = new Map<string, string>();
  /** Processes that have done something. */
  readonly #active = new Set<number>();
  #kills = 0;
  #collected = 0;

  constructor(store: Store, agentStore: Store, options: SoakOptions) {
    this.#store = store;
    this.#agentStore = agentStore;
    this.#options = options;
  }

  async run(): Promise<SoakReport> {
    const { processes, ms, killEveryMs } = this.#options;
    // Fewer addresses than would be comfortable: nodes take blocks from each other and borrow.
    await putPool(this.#store, 'v4', '10.0.0.0/24', 29);
    await putPool(this.#store, 'v6', 'fd00::/120', 125);
    for (let i = 0; i * PROCESSES_PER_NODE < processes; i++)
      await (this.#options.nodes?.put(`n${i}`) ?? putNode(this.#store, `n${i}`));
    const following = new AbortController();
    const followed = this.#follow(await this.#store.revision(), following.signal);
    const started = performance.now();
    for (let i = 0; i < processes; i++) this.#start(i);
    const ended = new AbortController();
    const collecting = this.#collectUntil(ended.signal);
    while (!this.#isEnough(performance.now() - started, ms)) {
      await sleep(killEveryMs * (0.5 + Math.random()));
      const victim = Math.floor(Math.random() * processes);
      if (!this.#active.has(victim)) continue;
      await this.#kill(victim);
      this.#start(victim);
    }
    ended.abort();
    for (let i = 0; i < processes; i++) await this.#kill(i);
    await collecting;
    await this.#afterwards();
    // The history ends with the last endpoint: all of it is to be seen.
    const patience = performance.now() + 60_000;
    while (this.#users.size > 0 && performance.now() < patience) await sleep(20);
    if (this.#users.size > 0)
      this.#broken.push(`the watch did not tell that ${this.#users.size} addresses are free`);
    following.abort();
    await followed;
    return {
      attached: this.#did.a,
      detached: this.#did.d,
      refused: this.#did.f,
      busy: this.#did.b,
      kills: this.#kills,
      collected: this.#collected,
      broken: this.#broken,
    };
  }

  #isEnough(elapsed: number, ms: number): boolean {
    const { attached, kills } = this.#options.atLeast ?? { attached: 0, kills: 0 };
    return elapsed > 6 * ms || (elapsed > ms && this.#did.a >= attached && this.#kills >= kills);
  }

  #start(i: number): void {
    this.#active.delete(i);
    const node = `n${Math.floor(i / PROCESSES_PER_NODE)}`;
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', WORKER, this.#options.location, node, `w${i}`],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#active.add(i);
      for (const letter of text) this.#did[letter as 'a' | 'd' | 'f' | 'b']++;
    });
    child.once('exit', (code) => {
      if (code !== null) this.#broken.push(`a worker ended by itself with ${code}`);
    });
    this.#workers[i] = child;
  }

  async #kill(i: number): Promise<void> {
    const child = this.#workers[i];
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
    this.#kills++;
  }

  async #follow(from: string, signal: AbortSignal): Promise<void> {
    for await (const { events } of this.#store.watch([{ kind: 'WorkloadEndpoint' }], from, signal))
      for (const event of events) this.#see(event);
  }

  #see(event: WatchEvent): void {
    const entry = event.type === 'put' ? event.entry : event.previous;
    const name = entry.key.name;
    for (const [address, user] of this.#users) if (user === name) this.#users.delete(address);
    if (event.type === 'delete') return;
    for (const address of (entry.value as WorkloadEndpoint).spec.ipNetworks ?? []) {
      const user = this.#users.get(address);
      if (user !== undefined) this.#broken.push(`${address} was given to ${name} while ${user} had it`);
      this.#users.set(address, name);
    }
  }

  async #collectUntil(ended: AbortSignal): Promise<void> {
    const collector = this.#collector(GRACE_MS);
    while (!ended.aborted) {
      await sleep(LOOK_EVERY_MS);
      try {
        await this.#collect(collector);
      } catch (error) {
        // As an agent does: on a machine this busy it tries again.
        if (!isUnavailable(error)) throw error;
        this.#did.b++;
      }
    }
  }

  #collector(grace: number): Collector {
    return new Collector(this.#agentStore, this.#clock, Math.random, { grace, longestGap: GRACE_MS });
  }

  /** @returns how much was found that could be acted upon */
  async #collect(collector: Collector): Promise<number> {
    const { due } = await collector.look({ confirmed: true });
    for (const { finding, outcome, error } of await collector.collect(due)) {
      if (outcome === 'failed') this.#broken.push(`${finding.id}: ${error ?? ''}`);
      if (outcome === 'done' && finding.kind === 'address') this.#collected++;
    }
    return due.length;
  }

  /** Nobody writes any more: what is found is garbage at once. */
  async #afterwards(): Promise<void> {
    await this.#collectAll('after the run');
    await (this.#options.nodes?.drop('n0') ?? drop(this.#store, 'Node', 'n0'));
    await this.#collectAll('after a node has left');
    const { entries } = await this.#store.list({ kind: 'BlockAffinity', scope: 'host:n0' });
    if (entries.length > 0) this.#broken.push(`n0 left and still has ${entries.length} blocks`);
    for (const { key } of (await this.#store.list({ kind: 'WorkloadEndpoint' })).entries)
      await drop(this.#store, key.kind, key.name, key.scope);
    await this.#collectAll('after the last workload');
    const left = (await this.#ipam.blocks()).reduce((sum, { allocations }) => sum + allocations.length, 0);
    const handles = (await this.#ipam.handles()).length;
    if (left + handles > 0) this.#broken.push(`${left} addresses and ${handles} handles are left of nobody`);
  }

  get #ipam(): Ipam {
    return new Ipam(this.#store, this.#clock, Math.random);
  }

  async #collectAll(when: string): Promise<void> {
    const collector = this.#collector(0);
    for (let round = 0; round < 10 && (await this.#collect(collector)) > 0; round++);
    const { findings } = await collector.look();
    this.#broken.push(...findings.map(({ id, why }) => `${when}, still found: ${id}: ${why}`));
    await this.#audit(when);
  }

  /** Independent of the collector: what endpoints have, against what blocks say, and IPAM's objects against each other. */
  async #audit(when: string): Promise<void> {
    const lists = await Promise.all(
      ['IPAMBlock', 'BlockAffinity', 'IPAMHandle'].map(async (kind) => this.#store.list({ kind })),
    );
    const { problems, blocks } = auditIpam(lists.flatMap(({ entries }) => entries));
    this.#broken.push(...problems.map(({ what, resource }) => `${when}: ${resource ?? ''} ${what}`));
    const held = new Map<string, string | undefined>();
    for (const { address, handle } of blocks.flatMap(({ allocations }) => allocations)) {
      if (held.has(address.toString())) this.#broken.push(`${when}: ${address.toString()} is in two blocks`);
      held.set(address.toString(), handle);
    }
    const { entries } = await this.#store.list({ kind: 'WorkloadEndpoint' });
    for (const { value } of entries) {
      const { spec } = value as WorkloadEndpoint;
      for (const network of spec.ipNetworks ?? []) {
        const address = network.slice(0, network.indexOf('/'));
        if (held.get(address) !== `net.${spec.containerID ?? ''}`)
          this.#broken.push(
            `${when}: ${address} of ${spec.containerID ?? ''} is held by ${held.get(address) ?? 'nobody'}`,
          );
        held.delete(address);
      }
    }
    for (const [address, handle] of held)
      this.#broken.push(`${when}: ${address} is held by ${handle ?? 'no handle'}, and nobody has it`);
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof PoplinError && error.problems.some(({ code }) => code === 'STORE_UNAVAILABLE');
}
