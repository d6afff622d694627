/** In which order a host looks for a block that nobody has. Pure. */
import type { Prefix } from '../net/addr/index.ts';
import type { Pool } from './pools.ts';

/**
 * Every block of the pool once, from a place that the host's name decides: hosts that start together begin far
 * apart and seldom meet. Lazy, as an IPv6 pool has more blocks than can be counted.
 */
export function* blocksFrom(pool: Pool, host: string): Generator<Prefix> {
  const count = pool.cidr.subnetCount(pool.blockLength);
  const start = hash64(host) % count;
  for (let i = 0n; i < count; i++) yield pool.cidr.subnet(pool.blockLength, (start + i) % count);
}

/** FNV-1a, 64 bits, finished by a multiplicative mix: its low bits alone differ too little between `node-1` and `node-2`. */
function hash64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const octet of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(octet)) * 0x100000001b3n);
  }
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn);
  return hash ^ (hash >> 33n);
}
