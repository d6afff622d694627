/**
 * Addresses for workloads, out of blocks that hosts hold: Calico's IPAM on any {@link Store}. Every write is a
 * compare-and-swap, of several keys at once where the engine can and else of one after the other in an order that is
 * safe; beside other writers (Calico's too), and with writers that die between any two writes: no address is ever given
 * twice, and none is lost to its handle. Requests that come while others are being written are written together
 * (`group.ts`).
 */
import { fail, type IPPool, ok, type Problem, type Result } from '../api/index.ts';
import type { Clock } from '../clock/clock.ts';
import type { Store } from '../datastore/index.ts';
import { type Address, type IpVersion, Prefix } from '../net/addr/index.ts';
import { allocationAt, type IPAMBlock, type Owner, ordinalOf, prefixOf } from './block.ts';
import { BlockClaims } from './claims.ts';
import { HandleCounts } from './counts.ts';
import { cooldownBy, type FactsSource, StoredFacts } from './facts.ts';
import { Group } from './group.ts';
import { FreeJob, TakeJob, type Want } from './jobs.ts';
import { type PoolSelection, poolOf, type Use } from './pools.ts';
import { heldOtherwise } from './problems.ts';
import { Records } from './records.ts';
import { Releaser } from './releaser.ts';
import { Retries } from './retry.ts';
import { changeSettings, type IpamSettings, readSettings, type SettingsChange } from './settings.ts';
import { type BlockView, type HandleView, type Holder, holderOf, viewBlocks, viewHandles } from './view.ts';

/** Owner of the blocks that addresses of services come from. */
const LOAD_BALANCERS = 'virtual:load-balancer';

export interface AutoAssignRequest extends PoolSelection {
  /** Under which the addresses are found again to be released. */
  readonly handle: string;
  /** What is stored beside the addresses, see the keys in the data model: pod, namespace, node, type... */
  readonly attributes?: Readonly<Record<string, string>>;
  /** How many of each, any will do. */
  readonly v4: number;
  readonly v6: number;
  /** These besides, reserved or not. */
  readonly addresses?: readonly Address[];
}

export interface AssignRequest {
  readonly address: Address;
  readonly host: string;
  readonly handle: string;
  readonly attributes?: Readonly<Record<string, string>>;
  /** That the pool must allow; default any. */
  readonly use?: Use;
}

/** An address to release, only if it is still held as the caller believes. */
export interface ReleaseRequest {
  readonly address: Address;
  readonly handle?: string;
  readonly sequence?: bigint;
}

export class Ipam {
  readonly #records: Records;
  readonly #claims: BlockClaims;
  readonly #releaser: Releaser;
  readonly #group: Group;

  /** @param facts  for daemons, so that pools, reservations and settings are not asked for each time */
  constructor(store: Store, clock: Clock, random: () => number, facts?: FactsSource) {
    const source = facts ?? new StoredFacts(new Records(store));
    const records = new Records(store, cooldownBy(source, clock));
    const retries = new Retries(clock, random);
    const counts = new HandleCounts(records, retries);
    const claims = new BlockClaims(records, clock, retries);
    this.#records = records;
    this.#claims = claims;
    this.#releaser = new Releaser(records, counts, retries);
    const parts = { records, claims, clock, random };
    this.#group = new Group(parts, source, counts, retries);
  }

  /**
   * Gives the asked number of addresses of each version, or none at all.
   *
   * Not idempotent: asked again with the same handle it gives more. When the process dies on the way, what was taken is
   * held by the handle, and {@link releaseByHandle} frees it.
   */
  async autoAssign(
    request: AutoAssignRequest,
  ): Promise<Result<{ readonly v4: Address[]; readonly v6: Address[] }>> {
    const { handle, attributes = {} } = request;
    const v4: Want = { version: 4, count: request.v4, found: [] };
    const v6: Want = { version: 6, count: request.v6, found: [] };
    const asked = (request.addresses ?? []).map(
      (address): Want => ({ version: address.version, count: 1, found: [], address }),
    );
    const wants = [...asked, ...[v4, v6].filter(({ count }) => count > 0)];
    const outcome = await this.#take(
      new TakeJob(claimantOf(request), { handle, attributes }, request, wants),
    );
    if (!outcome.ok) return outcome;
    const found = wants.flatMap((want) => want.found);
    return ok({
      v4: found.filter(({ version }) => version === 4),
      v6: found.filter(({ version }) => version === 6),
    });
  }

  /** Gives one particular address, reserved or not; the block is claimed for the host when nobody has it. */
  async assign(request: AssignRequest): Promise<Result<Address>> {
    const { address, handle, attributes = {} } = request;
    const want: Want = { version: address.version, count: 1, found: [], address };
    const job = new TakeJob(claimantOf(request), { handle, attributes }, request, [want]);
    const outcome = await this.#take(job);
    return outcome.ok ? ok(address) : outcome;
  }

  /** All of it or none: what was found before something was refused goes back. */
  async #take(job: TakeJob): Promise<Result<void>> {
    const outcome = await this.#group.run(job);
    const found = outcome.ok ? [] : job.wants.flatMap((want) => want.found);
    if (found.length > 0) await this.release(found.map((address) => ({ address, handle: job.handle })));
    return outcome;
  }

  /** Frees all that the handle holds; nothing, when it holds nothing. @returns the addresses freed */
  async releaseByHandle(handle: string): Promise<Address[]> {
    return this.#group.run(new FreeJob(handle));
  }

  /**
   * Frees addresses. One that is not held is passed over; one that is held otherwise than the caller believes is a
   * problem, and stays.
   *
   * @returns the addresses freed
   */
  async release(requests: readonly (Address | ReleaseRequest)[]): Promise<Result<Address[]>> {
    const { freed, problems } = await this.releaseEach(requests);
    return problems.length > 0 ? fail(...problems) : ok([...freed]);
  }

  /** As {@link release}, of many: those of a block in one write, and what was freed besides what was not. */
  async releaseEach(
    requests: readonly (Address | ReleaseRequest)[],
  ): Promise<{ readonly freed: readonly Address[]; readonly problems: readonly Problem[] }> {
    const wanted = requests.map((request) => ('address' in request ? request : { address: request }));
    const problems: Problem[] = [];
    const freed: Address[] = [];
    for (const [cidr, group] of await this.#byBlock(wanted)) {
      const conflicts = new Map<ReleaseRequest, Problem>();
      const choose = (block: IPAMBlock): number[] => {
        conflicts.clear();
        return group.flatMap((request) => {
          const held = allocationAt(block, ordinalOf(prefixOf(cidr), request.address));
          // One that rests has been released before.
          if (held === undefined || held.isCooling) return [];
          const handleFits = request.handle === undefined || request.handle === held.handle;
          const sequenceFits = request.sequence === undefined || request.sequence === held.sequence;
          if (handleFits && sequenceFits) return [held.ordinal];
          conflicts.set(request, heldOtherwise(request.address, request.handle, held.handle));
          return [];
        });
      };
      freed.push(...(await this.#releaser.inBlock(cidr, choose)));
      problems.push(...conflicts.values());
    }
    return { freed, problems };
  }

  /** Makes sure that the host has a block of this version, so that it is advertised before the first workload comes. */
  async ensureAffinity(version: IpVersion, selection: PoolSelection): Promise<Result<Prefix>> {
    const block = { cidr: undefined as Prefix | undefined };
    const want: Want = { version, count: 0, found: [], block };
    const nobody: Owner = { handle: '', attributes: {} };
    const outcome = await this.#group.run(new TakeJob(claimantOf(selection), nobody, selection, [want]));
    if (!outcome.ok) return outcome;
    return ok(block.cidr!);
  }

  /**
   * Gives back a block that the host holds.
   *
   * @param options.keepIfUsed  leave it with the host while addresses in it are in use; otherwise it becomes nobody's
   * @returns false when it was kept
   */
  async releaseAffinity(
    host: string,
    cidr: Prefix,
    options: { readonly keepIfUsed: boolean },
  ): Promise<boolean> {
    return this.#claims.release(hostOwner(host), cidr.toString(), options.keepIfUsed);
  }

  /** Gives back all blocks of a host, for one that leaves the cluster. Addresses in use stay with their handles. */
  async releaseHost(host: string): Promise<void> {
    for (const { key } of await this.#records.affinities(hostOwner(host))) {
      await this.#claims.release(key.scope, key.name, false);
    }
  }

  /** All blocks, by version and address. */
  async blocks(): Promise<BlockView[]> {
    return viewBlocks(await this.#records.blocks(), await this.#records.affinities());
  }

  /** Those that the host has an affinity to, however many the others have. */
  async blocksOf(host: string): Promise<BlockView[]> {
    const affinities = await this.#records.affinities(hostOwner(host));
    const blocks = await Promise.all(affinities.map(async ({ key }) => this.#records.block(key.name)));
    return viewBlocks(
      blocks.flatMap((block) => block ?? []),
      affinities,
    );
  }

  async handles(): Promise<HandleView[]> {
    return viewHandles(await this.#records.handles());
  }

  async settings(): Promise<IpamSettings> {
    return readSettings(this.#records);
  }

  /** For the whole cluster. */
  async configure(change: SettingsChange): Promise<Result<IpamSettings>> {
    return changeSettings(this.#records, change);
  }

  /** Who holds the address; undefined when nobody does. */
  async whoHas(address: Address): Promise<Holder | undefined> {
    const cidr = await this.#blockOf(address);
    const block = cidr === undefined ? undefined : await this.#records.block(cidr);
    return block && holderOf(block.value, address, poolOf(await this.#pools(), address)?.name);
  }

  async #pools(): Promise<IPPool[]> {
    return this.#records.resources<IPPool>('IPPool');
  }

  /**
   * The block that holds the address, if there is one. Usually the pool knows its size; when the pool is gone, or was
   * made anew with another block size, only the blocks themselves do.
   */
  async #blockOf(address: Address): Promise<string | undefined> {
    const pool = poolOf(await this.#pools(), address);
    const usual = pool && (await this.#records.block(Prefix.of(address, pool.blockLength).toString()));
    if (usual !== undefined) return usual.value.cidr;
    return (await this.#records.blockNames()).find((cidr) => prefixOf(cidr).contains(address));
  }

  async #byBlock(requests: readonly ReleaseRequest[]): Promise<Map<string, ReleaseRequest[]>> {
    const groups = new Map<string, ReleaseRequest[]>();
    const blocks: Prefix[] = [];
    for (const request of requests) {
      // Those of one block come one after the other, mostly.
      const known = blocks.findLast((block) => block.contains(request.address))?.toString();
      const cidr = known ?? (await this.#blockOf(request.address));
      if (cidr === undefined) continue;
      if (known === undefined) blocks.push(prefixOf(cidr));
      const group = groups.get(cidr);
      if (group === undefined) groups.set(cidr, [request]);
      else group.push(request);
    }
    return groups;
  }
}

export function hostOwner(host: string): string {
  return `host:${host}`;
}

/** Addresses of services belong to no node: their blocks are held in common, as in Calico. */
function claimantOf({ host, use }: PoolSelection): string {
  return use === 'LoadBalancer' ? LOAD_BALANCERS : hostOwner(host);
}
