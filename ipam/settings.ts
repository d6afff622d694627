/** Cluster-wide settings of IPAM. */
import {
  fail,
  type IPAMConfiguration,
  type IPReservation,
  ok,
  type Problem,
  type Result,
} from '../api/index.ts';
import type { Key } from '../datastore/index.ts';
import { sameForCalico } from '../datastore/etcd/go-json.ts';
import { Address, Prefix } from '../net/addr/index.ts';
import type { Records } from './records.ts';

export interface IpamSettings {
  /** Never take single addresses from another host's block. */
  readonly strictAffinity: boolean;
  /** Claim new blocks as needed. */
  readonly autoAllocateBlocks: boolean;
  /** Per IP version. */
  readonly maxBlocksPerHost: number;
  /** How long a released address rests before it is given again. */
  readonly ipCooldownSeconds: number;
}

/** The object that Calico's IPAM reads. A stored one without `auto_allocate_blocks` means false. */
export interface IPAMConfig {
  readonly strict_affinity?: boolean;
  readonly auto_allocate_blocks?: boolean;
  readonly maxBlocksPerHost?: number;
  readonly ipCooldownSeconds?: number;
}

const CONFIG: Key = { kind: 'IPAMConfig', scope: '', name: 'default' };
const ATTEMPTS = 20;

/** As in Calico where nothing is configured. */
const MAX_BLOCKS = 20;

/** In seconds; Calico's definition of the resource lets no longer one through. */
export const LONGEST_COOLDOWN = 1200;

/**
 * Settings have two homes: `IPAMConfig`, which Calico's IPAM reads and `ipam configure` writes, and the resource
 * IPAMConfiguration that users apply. The first wins where both exist, so that Calico and Poplin act alike.
 */
export async function readSettings(records: Records): Promise<IpamSettings> {
  const config = await records.get<IPAMConfig>('IPAMConfig', 'default');
  return settingsOf(
    config,
    config === undefined ? await records.get<IPAMConfiguration>('IPAMConfiguration', 'default') : undefined,
  );
}

export function settingsOf(
  config: IPAMConfig | undefined,
  resource: IPAMConfiguration | undefined,
): IpamSettings {
  if (config !== undefined) {
    return {
      strictAffinity: config.strict_affinity ?? false,
      autoAllocateBlocks: config.auto_allocate_blocks ?? false,
      maxBlocksPerHost: config.maxBlocksPerHost || MAX_BLOCKS,
      ipCooldownSeconds: config.ipCooldownSeconds ?? 0,
    };
  }
  return {
    strictAffinity: resource?.spec.strictAffinity ?? false,
    autoAllocateBlocks: resource?.spec.autoAllocateBlocks ?? true,
    maxBlocksPerHost: resource?.spec.maxBlocksPerHost || MAX_BLOCKS,
    ipCooldownSeconds: resource?.spec.ipCooldownSeconds ?? 0,
  };
}

export interface SettingsChange {
  readonly strictAffinity?: boolean;
  /** 0 means no limit of its own. */
  readonly maxBlocksPerHost?: number;
  /** 0 to {@link LONGEST_COOLDOWN}. */
  readonly ipCooldownSeconds?: number;
}

/**
 * Writes `IPAMConfig`, as `calicoctl ipam configure` does. What is not changed stays, or comes from IPAMConfiguration when
 * there was no `IPAMConfig` yet; fields that this release does not know stay as they are.
 */
export async function changeSettings(
  records: Records,
  change: SettingsChange,
): Promise<Result<IpamSettings>> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await records.entry<IPAMConfig>(CONFIG);
    const before = entry?.value ?? toConfig(await readSettings(records), await limitSaid(records));
    const after: IPAMConfig = {
      ...before,
      ...(change.strictAffinity === undefined ? {} : { strict_affinity: change.strictAffinity }),
      ...(change.maxBlocksPerHost === undefined ? {} : { maxBlocksPerHost: change.maxBlocksPerHost }),
      ...(change.ipCooldownSeconds === undefined ? {} : { ipCooldownSeconds: change.ipCooldownSeconds }),
    };
    const problem = contradictionIn(after);
    if (problem !== undefined) return fail(problem);
    const written =
      entry === undefined
        ? await records.create(CONFIG, after)
        : sameForCalico(before, after) || (await records.replace(entry, after));
    if (written !== undefined) return ok(await readSettings(records));
  }
  return fail({
    code: 'IPAM_BUSY',
    what: `others changed the settings of IPAM ${ATTEMPTS} times in a row`,
    remedy: 'try again; if this persists, look for a program that rewrites them in a loop',
  });
}

function toConfig(
  { strictAffinity, autoAllocateBlocks, ipCooldownSeconds }: IpamSettings,
  maxBlocksPerHost: number,
): IPAMConfig {
  return {
    strict_affinity: strictAffinity,
    auto_allocate_blocks: autoAllocateBlocks,
    maxBlocksPerHost,
    ...(ipCooldownSeconds > 0 ? { ipCooldownSeconds } : {}),
  };
}

/** 0 when no one has set a limit: the default is not to be written down as if someone had. */
async function limitSaid(records: Records): Promise<number> {
  return (await records.get<IPAMConfiguration>('IPAMConfiguration', 'default'))?.spec.maxBlocksPerHost ?? 0;
}

/** What Calico refuses, too. */
function contradictionIn(config: IPAMConfig): Problem | undefined {
  const strict = config.strict_affinity === true;
  if (!strict && config.auto_allocate_blocks !== true) {
    return {
      code: 'IPAM_SETTINGS',
      field: 'strictAffinity',
      what: 'cannot be false while blocks are not allocated automatically: no node could get an address',
      remedy: 'leave strict affinity on, or set autoAllocateBlocks to true',
    };
  }
  if (!strict && (config.maxBlocksPerHost ?? 0) > 0) {
    return {
      code: 'IPAM_SETTINGS',
      field: 'maxBlocksPerHost',
      what: 'a limit on blocks means nothing while nodes borrow single addresses from others',
      remedy: 'turn strict affinity on, too, or set the limit to 0',
    };
  }
  return undefined;
}

/** Addresses that are never given out by themselves; asking for one by name is allowed, as in Calico. */
export class Reservations {
  readonly #prefixes: readonly Prefix[];

  constructor(reservations: readonly IPReservation[]) {
    this.#prefixes = reservations.flatMap(({ spec }) =>
      // A bare address is one, too; blanks around it are forgiven, as in Calico.
      (spec.reservedCIDRs ?? []).flatMap((text) => {
        const address = Address.parse(text.trim());
        return address === undefined
          ? (Prefix.parse(text.trim(), { hostBits: 'mask' }) ?? [])
          : Prefix.host(address);
      }),
    );
  }

  static async read(records: Records): Promise<Reservations> {
    return new Reservations(await records.resources<IPReservation>('IPReservation'));
  }

  has(address: Address): boolean {
    return this.#prefixes.some((prefix) => prefix.contains(address));
  }

  /** How many addresses of a prefix are reserved. */
  countIn(prefix: Prefix): bigint {
    if (this.covers(prefix)) return prefix.size;
    const within = this.#prefixes.filter((one) => prefix.contains(one));
    return within
      .filter((one, i) => !within.some((other, j) => other.contains(one) && (!one.contains(other) || j < i)))
      .reduce((sum, { size }) => sum + size, 0n);
  }

  covers(block: Prefix): boolean {
    return this.#prefixes.some((prefix) => prefix.contains(block));
  }
}
