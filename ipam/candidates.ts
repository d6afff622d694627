/** In which order a host looks for a block that nobody has. Pure. */
import type { Prefix } from '../net/addr/index.ts';
import type { Pool } from './pools.ts';

/**
 * Every block of the pool once, from a place on. Lazy, as an IPv6 pool has more blocks than can be counted.
 *
 * @param place  from 0 to 1, see {@link placeOf}
 */
export function* blocksFrom(pool: Pool, place: number): Generator<Prefix> {
  const count = pool.cidr.subnetCount(pool.blockLength);
  const start = (BigInt(Math.floor(place * 2 ** 53)) * count) >> 53n;
  for (let i = 0n; i < count; i++) yield pool.cidr.subnet(pool.blockLength, (start + i) % count);
}

/** From 0 to 1, decided by the host's name: hosts that start together begin far apart and seldom meet. */
export function placeOf(host: string): number {
  return Number(hash64(host) >> 11n) / 2 ** 53;
}

/** FNV-1a, 64 bits, with the finalizer of MurmurHash3: by itself its bits differ too little between `node-1` and `node-2`. */
function hash64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const octet of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(octet)) * 0x100000001b3n);
  }
  for (const factor of [0xff51afd7ed558ccdn, 0xc4ceb9fe1a85ec53n]) {
    hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * factor);
  }
  return hash ^ (hash >> 33n);
}
