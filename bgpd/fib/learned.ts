/**
 * Our own routes, as ways to next hops further away: the address of a router's loopback or of a node behind other routers is
 * often itself learned by BGP (RFC 4271 §9.1.2.1: next hops are resolved recursively). Finding one costs a look per length
 * in use, and is done once for each next hop.
 */
import { type Address, type IpVersion, Prefix } from '../../net/addr/index.ts';
import type { ForwardingEntry } from '../speaker/ports.ts';

export interface LearnedRoute {
  readonly prefix: Prefix;
  readonly gateways: readonly Address[];
}

export class Learned {
  /** How many routes there are of each length. */
  readonly #lengths: Readonly<Record<IpVersion, number[]>> = {
    4: Array.from({ length: 33 }, () => 0),
    6: Array.from({ length: 129 }, () => 0),
  };
  readonly #wantedAt: (prefix: Prefix) => ForwardingEntry | undefined;

  /** @param wantedAt  what is wanted for a prefix; undefined also where it is no plain way */
  constructor(wantedAt: (prefix: Prefix) => ForwardingEntry | undefined) {
    this.#wantedAt = wantedAt;
  }

  count(
    { version, length }: Pick<Prefix, 'version' | 'length'>,
    before: ForwardingEntry | undefined,
    after: ForwardingEntry | undefined,
  ): void {
    const change = Number(after?.type === 'unicast') - Number(before?.type === 'unicast');
    if (change !== 0) this.#lengths[version][length] = (this.#lengths[version][length] ?? 0) + change;
  }

  /** Those that hold the address, the most specific first, down to but without the given length. */
  *covering(address: Address, aboveLength: number): Generator<LearnedRoute> {
    const lengths = this.#lengths[address.version];
    for (let length = address.bits; length > aboveLength; length--) {
      if ((lengths[length] ?? 0) === 0) continue;
      const prefix = Prefix.of(address, length);
      const entry = this.#wantedAt(prefix);
      if (entry?.type === 'unicast') yield { prefix, gateways: entry.gateways };
    }
  }
}
