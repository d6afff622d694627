/** Cluster-wide settings of IPAM. */
import type { IPAMConfiguration, IPReservation } from '../api/index.ts';
import { type Address, Prefix } from '../net/addr/index.ts';
import type { Records } from './records.ts';

export interface IpamSettings {
  /** Never take single addresses from another host's block. */
  readonly strictAffinity: boolean;
  /** Claim new blocks as needed. */
  readonly autoAllocateBlocks: boolean;
  /** Per IP version. */
  readonly maxBlocksPerHost: number;
}

/** The object that Calico's IPAM reads. A stored one without `auto_allocate_blocks` means false. */
interface IPAMConfig {
  readonly strict_affinity?: boolean;
  readonly auto_allocate_blocks?: boolean;
  readonly maxBlocksPerHost?: number;
}

/** As in Calico where nothing is configured. */
const MAX_BLOCKS = 20;

/**
 * Settings have two homes: `IPAMConfig`, which Calico's IPAM reads and `ipam configure` writes, and the resource
 * IPAMConfiguration that users apply. The first wins where both exist, so that Calico and Poplin act alike.
 */
export async function readSettings(records: Records): Promise<IpamSettings> {
  const config = await records.get<IPAMConfig>('IPAMConfig', 'default');
  if (config !== undefined) {
    return {
      strictAffinity: config.strict_affinity ?? false,
      autoAllocateBlocks: config.auto_allocate_blocks ?? false,
      maxBlocksPerHost: config.maxBlocksPerHost || MAX_BLOCKS,
    };
  }
  const resource = await records.get<IPAMConfiguration>('IPAMConfiguration', 'default');
  return {
    strictAffinity: resource?.spec.strictAffinity ?? false,
    autoAllocateBlocks: resource?.spec.autoAllocateBlocks ?? true,
    maxBlocksPerHost: resource?.spec.maxBlocksPerHost || MAX_BLOCKS,
  };
}

/** Addresses that are never given out by themselves; asking for one by name is allowed, as in Calico. */
export class Reservations {
  readonly #prefixes: readonly Prefix[];

  constructor(reservations: readonly IPReservation[]) {
    this.#prefixes = reservations.flatMap(({ spec }) =>
      (spec.reservedCIDRs ?? []).flatMap((text) => Prefix.parse(text, { hostBits: 'mask' }) ?? []),
    );
  }

  static async read(records: Records): Promise<Reservations> {
    return new Reservations(await records.resources<IPReservation>('IPReservation'));
  }

  has(address: Address): boolean {
    return this.#prefixes.some((prefix) => prefix.contains(address));
  }

  covers(block: Prefix): boolean {
    return this.#prefixes.some((prefix) => prefix.contains(block));
  }
}
