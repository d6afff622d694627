/** Why an address is not given, or not released. */
import type { Problem } from '../api/index.ts';
import type { Address, IpVersion } from '../net/addr/index.ts';
import type { Pool } from './pools.ts';

export function exhausted(
  version: IpVersion,
  wanted: number,
  found: number,
  host: string,
  pools: readonly Pool[],
): Problem {
  const names = pools.map(({ name, cidr }) => `${name} (${cidr.toString()})`).join(', ');
  return {
    code: 'POOL_FULL',
    what: `${wanted} IPv${version} ${wanted === 1 ? 'address was' : 'addresses were'} asked for on ${host}, ${found} could be had from ${names}`,
    remedy: 'add an IPPool, raise maxBlocksPerHost, or find leaked addresses with: poplin ipam check',
  };
}

export function outsidePools(address: Address): Problem {
  return {
    code: 'ADDRESS_OUTSIDE_POOLS',
    what: `${address.toString()} lies in no enabled IPPool`,
    remedy: 'ask for an address inside a pool that poplin get ippools shows',
    value: address.toString(),
  };
}

/** @param released  when its last owner released it, where it rests since then */
export function addressTaken(address: Address, holder: string | undefined, released?: string): Problem {
  if (released !== undefined)
    return {
      code: 'ADDRESS_TAKEN',
      what: `${address.toString()} was released at ${released}, and rests before it is given again`,
      remedy:
        'ask for another address, or again later; how long it rests says: poplin ipam show --show-configuration',
      value: address.toString(),
    };
  return {
    code: 'ADDRESS_TAKEN',
    what: `${address.toString()} is held by ${holder ?? 'an owner without handle'}`,
    remedy: `ask for another address, or see who that is with: poplin ipam show --ip ${address.toString()}`,
    value: address.toString(),
  };
}

export function blockOfOther(address: Address, block: string, owner: string | undefined): Problem {
  return {
    code: 'BLOCK_OF_OTHER',
    what: `${address.toString()} lies in block ${block} of ${owner ?? 'nobody'}, and affinity is strict`,
    remedy: 'ask for an address of this host, or set strictAffinity to false',
    value: address.toString(),
  };
}

export function heldOtherwise(
  address: Address,
  handle: string | undefined,
  holder: string | undefined,
): Problem {
  return {
    code: 'ADDRESS_HELD_OTHERWISE',
    what: `${address.toString()} is held by ${holder ?? 'an owner without handle'}${handle === holder ? ' anew' : `, not by ${handle ?? 'nobody'}`}`,
    remedy: 'leave it: it has been given to someone else in the meantime',
    value: address.toString(),
  };
}
