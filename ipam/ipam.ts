/**
 * Addresses for workloads, out of blocks that hosts hold: Calico's IPAM on any {@link Store}. Every write is one
 * compare-and-swap on one key, so it runs on engines without transactions, beside other writers (Calico's too), and
 * survives a writer that dies between any two writes: no address is ever given twice, and none is lost to its handle.
 */
import { fail, type IPPool, type Labels, ok, type Problem, type Result } from '../api/index.ts';
import type { Clock } from '../clock/clock.ts';
import type { Store } from '../datastore/index.ts';
import { type Address, type IpVersion, Prefix } from '../net/addr/index.ts';
import { Assigner, type ReadBlock } from './assigner.ts';
import { affinityOf, allocationAt, type IPAMBlock, type Owner, ordinalOf, prefixOf } from './block.ts';
import { BlockClaims } from './claims.ts';
import { HandleCounts } from './counts.ts';
import { choosePools, type Pool, poolOf, type Use } from './pools.ts';
import { Records } from './records.ts';
import { Releaser } from './releaser.ts';
import { Retries } from './retry.ts';
import { AddressSearch, type SearchRequest } from './search.ts';
import { Serial } from './serial.ts';
import {
  changeSettings,
  type IpamSettings,
  readSettings,
  Reservations,
  type SettingsChange,
} from './settings.ts';
import { type BlockView, type HandleView, holderOf, type Holder, viewBlocks, viewHandles } from './view.ts';

/** Who asks, and which pools are open to them. */
export interface PoolSelection {
  /** Name of the node; its blocks belong to `host:<node>`. */
  readonly host: string;
  /** Names or CIDRs, in order; instead of what the pools' selectors say. */
  readonly v4Pools?: readonly string[];
  readonly v6Pools?: readonly string[];
  readonly nodeLabels?: Labels;
  readonly namespaceLabels?: Labels;
  /** Default `Workload`. */
  readonly use?: Use;
}

export interface AutoAssignRequest extends PoolSelection {
  /** Under which the addresses are found again to be released. */
  readonly handle: string;
  /** What is stored beside the addresses, see the keys in the data model: pod, namespace, node, type... */
  readonly attributes?: Readonly<Record<string, string>>;
  /** How many of each. */
  readonly v4: number;
  readonly v6: number;
}

export interface AssignRequest {
  readonly address: Address;
  readonly host: string;
  readonly handle: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** An address to release, only if it is still held as the caller believes. */
export interface ReleaseRequest {
  readonly address: Address;
  readonly handle?: string;
  readonly sequence?: bigint;
}

export class Ipam {
  readonly #records: Records;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #claims: BlockClaims;
  readonly #assigner: Assigner;
  readonly #releaser: Releaser;
  /** Requests of one host in this process follow one another: side by side they would each claim a block. */
  readonly #serial = new Serial();

  constructor(store: Store, clock: Clock, random: () => number) {
    this.#records = new Records(store);
    this.#clock = clock;
    this.#random = random;
    const retries = new Retries(clock, random);
    const counts = new HandleCounts(this.#records, retries);
    this.#claims = new BlockClaims(this.#records, clock, retries);
    this.#assigner = new Assigner(this.#records, counts, retries);
    this.#releaser = new Releaser(this.#records, counts, retries);
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
    const given: Record<IpVersion, Address[]> = { 4: [], 6: [] };
    for (const [version, count] of [
      [4, request.v4],
      [6, request.v6],
    ] as const) {
      if (count === 0) continue;
      const owner: Owner = { handle: request.handle, attributes: request.attributes ?? {} };
      const found = await this.#search(version, count, owner, request);
      if (found.ok) given[version].push(...found.value);
      if (found.ok && found.value.length === count) continue;
      await this.release([...given[4], ...given[6]].map((address) => ({ address, handle: request.handle })));
      return found.ok ? fail(await this.#exhausted(version, count, found.value.length, request)) : found;
    }
    return ok({ v4: given[4], v6: given[6] });
  }

  /** Gives one particular address, reserved or not; the block is claimed for the host when nobody has it. */
  async assign({ address, host, handle, attributes = {} }: AssignRequest): Promise<Result<Address>> {
    const pool = poolOf(await this.#pools(), address);
    if (pool === undefined) return fail(outsidePools(address));
    const claimant = hostOwner(host);
    const { strictAffinity } = await readSettings(this.#records);
    const existing = await this.#blockOf(address);
    const cidr = existing === undefined ? Prefix.of(address, pool.blockLength) : prefixOf(existing);
    const read: ReadBlock = async () => {
      const found =
        (await this.#records.block(cidr.toString())) ?? (await this.#claims.claim(claimant, cidr));
      const block = found ?? (await this.#records.block(cidr.toString()));
      return block !== undefined && strictAffinity && affinityOf(block.value) !== claimant
        ? undefined
        : block;
    };
    if (await this.#assigner.one(read, address, { handle, attributes })) return ok(address);
    return fail(await this.#refusal(address, cidr));
  }

  /** Frees all that the handle holds; nothing, when it holds nothing. @returns the addresses freed */
  async releaseByHandle(handle: string): Promise<Address[]> {
    return this.#releaser.handle(handle);
  }

  /**
   * Frees addresses. One that is not held is passed over; one that is held otherwise than the caller believes is a
   * problem, and stays.
   *
   * @returns the addresses freed
   */
  async release(requests: readonly (Address | ReleaseRequest)[]): Promise<Result<Address[]>> {
    const wanted = requests.map((request) => ('address' in request ? request : { address: request }));
    const problems: Problem[] = [];
    const freed: Address[] = [];
    for (const [cidr, group] of await this.#byBlock(wanted)) {
      const conflicts = new Map<ReleaseRequest, Problem>();
      const choose = (block: IPAMBlock): number[] => {
        conflicts.clear();
        return group.flatMap((request) => {
          const held = allocationAt(block, ordinalOf(prefixOf(cidr), request.address));
          if (held === undefined) return [];
          const handleFits = request.handle === undefined || request.handle === held.handle;
          const sequenceFits = request.sequence === undefined || request.sequence === held.sequence;
          if (handleFits && sequenceFits) return [held.ordinal];
          conflicts.set(request, heldOtherwise(request, held.handle));
          return [];
        });
      };
      freed.push(...(await this.#releaser.inBlock(cidr, choose)));
      problems.push(...conflicts.values());
    }
    return problems.length > 0 ? fail(...problems) : ok(freed);
  }

  /** Makes sure that the host has a block of this version, so that it is advertised before the first workload comes. */
  async ensureAffinity(version: IpVersion, selection: PoolSelection): Promise<Result<Prefix>> {
    const claimant = hostOwner(selection.host);
    return this.#serial.run(`${claimant} ${version}`, async () => {
      const search = await this.#prepare(version, 0, { handle: '', attributes: {} }, selection);
      if (!search.ok) return search;
      const block = await search.value.anyBlock();
      return block === undefined ? fail(await this.#exhausted(version, 1, 0, selection)) : ok(block);
    });
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

  async #search(
    version: IpVersion,
    count: number,
    owner: Owner,
    selection: PoolSelection,
  ): Promise<Result<Address[]>> {
    return this.#serial.run(`${hostOwner(selection.host)} ${version}`, async () => {
      const search = await this.#prepare(version, count, owner, selection);
      return search.ok ? ok(await search.value.run()) : search;
    });
  }

  async #prepare(
    version: IpVersion,
    count: number,
    owner: Owner,
    selection: PoolSelection,
  ): Promise<Result<AddressSearch>> {
    const pools = await this.#choose(version, selection);
    if (!pools.ok) return pools;
    const request: SearchRequest = {
      claimant: hostOwner(selection.host),
      owner,
      count,
      pools: pools.value,
      settings: await readSettings(this.#records),
      reservations: await Reservations.read(this.#records),
    };
    const parts = {
      records: this.#records,
      claims: this.#claims,
      assigner: this.#assigner,
      clock: this.#clock,
      random: this.#random,
    };
    return ok(new AddressSearch(parts, request));
  }

  async #choose(version: IpVersion, selection: PoolSelection): Promise<Result<Pool[]>> {
    return choosePools(await this.#pools(), {
      version,
      use: selection.use ?? 'Workload',
      nodeLabels: selection.nodeLabels ?? {},
      namespaceLabels: selection.namespaceLabels,
      requested: version === 4 ? selection.v4Pools : selection.v6Pools,
    });
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
    const blocks = await this.#records.blocks();
    return blocks.find(({ value }) => prefixOf(value.cidr).contains(address))?.value.cidr;
  }

  async #byBlock(requests: readonly ReleaseRequest[]): Promise<Map<string, ReleaseRequest[]>> {
    const groups = new Map<string, ReleaseRequest[]>();
    for (const request of requests) {
      const cidr = await this.#blockOf(request.address);
      if (cidr === undefined) continue;
      const group = groups.get(cidr);
      if (group === undefined) groups.set(cidr, [request]);
      else group.push(request);
    }
    return groups;
  }

  async #exhausted(
    version: IpVersion,
    wanted: number,
    found: number,
    selection: PoolSelection,
  ): Promise<Problem> {
    const pools = await this.#choose(version, selection);
    const names = pools.ok
      ? pools.value.map(({ name, cidr }) => `${name} (${cidr.toString()})`).join(', ')
      : '';
    return {
      code: 'POOL_FULL',
      what: `${wanted} IPv${version} ${wanted === 1 ? 'address was' : 'addresses were'} asked for on ${selection.host}, ${found} could be had from ${names}`,
      remedy: 'add an IPPool, raise maxBlocksPerHost, or find leaked addresses with: poplin ipam check',
    };
  }

  async #refusal(address: Address, cidr: Prefix): Promise<Problem> {
    const block = await this.#records.block(cidr.toString());
    const holder = block && holderOf(block.value, address, undefined);
    if (holder !== undefined) {
      return {
        code: 'ADDRESS_TAKEN',
        what: `${address.toString()} is held by ${holder.handle ?? 'an owner without handle'}`,
        remedy: `ask for another address, or see who that is with: poplin ipam show --ip ${address.toString()}`,
        value: address.toString(),
      };
    }
    return {
      code: 'BLOCK_OF_OTHER',
      what: `${address.toString()} lies in block ${cidr.toString()} of ${(block && affinityOf(block.value)) ?? 'nobody'}, and affinity is strict`,
      remedy: 'ask for an address of this host, or set strictAffinity to false',
      value: address.toString(),
    };
  }
}

export function hostOwner(host: string): string {
  return `host:${host}`;
}

function outsidePools(address: Address): Problem {
  return {
    code: 'ADDRESS_OUTSIDE_POOLS',
    what: `${address.toString()} lies in no enabled IPPool`,
    remedy: 'ask for an address inside a pool that poplin get ippools shows',
    value: address.toString(),
  };
}

function heldOtherwise({ address, handle }: ReleaseRequest, holder: string | undefined): Problem {
  return {
    code: 'ADDRESS_HELD_OTHERWISE',
    what: `${address.toString()} is held by ${holder ?? 'an owner without handle'}${handle === holder ? ' anew' : `, not by ${handle ?? 'nobody'}`}`,
    remedy: 'leave it: it has been given to someone else in the meantime',
    value: address.toString(),
  };
}
