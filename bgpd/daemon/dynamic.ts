/**
 * Peers that come by themselves (`dynamicPeers`): let in when they connect, forgotten some time after they have gone and
 * nothing is kept for them any more.
 */
import { type Cancel, type Clock, seconds } from '../../clock/clock.ts';
import { Address } from '../../net/addr/index.ts';
import type { DynamicRange } from '../config/index.ts';
import type { PeerConfig } from '../speaker/config.ts';

/** So long a peer that is gone is remembered, in case it is only restarting its session. */
const REMEMBERED = seconds(30);

export interface DynamicOptions {
  readonly clock: Clock;
  /** The peer is not connected, and no routes are kept for it. */
  readonly idle: (name: string) => boolean;
  /** The set of peers has changed. */
  readonly changed: () => void;
  readonly refused: (address: string, why: string) => void;
}

interface Guest {
  readonly address: Address;
  readonly range: DynamicRange;
  readonly config: PeerConfig;
}

export class DynamicPeers {
  readonly #options: DynamicOptions;
  #ranges: readonly DynamicRange[] = [];
  /** By name, which is the address. */
  readonly #guests = new Map<string, Guest>();
  readonly #farewells = new Map<string, Cancel>();

  constructor(options: DynamicOptions) {
    this.#options = options;
  }

  get peers(): readonly PeerConfig[] {
    return [...this.#guests.values()].map(({ config }) => config);
  }

  /** Guests stay where a range still holds them, configured as it says now; `configured` are no guests any more. */
  setRanges(ranges: readonly DynamicRange[], configured: ReadonlySet<string>): void {
    const same = this.#ranges === ranges;
    this.#ranges = ranges;
    for (const [name, { address }] of this.#guests) {
      const range = rangeOf(address, ranges);
      if (range === undefined || configured.has(name)) this.#guests.delete(name);
      else if (!same) this.#guests.set(name, { address, range, config: range.peerAt(address) });
    }
  }

  /** The guests as they would be under these ranges. */
  under(ranges: readonly DynamicRange[], configured: ReadonlySet<string>): readonly PeerConfig[] {
    return [...this.#guests].flatMap(([name, { address }]) => {
      const range = configured.has(name) ? undefined : rangeOf(address, ranges);
      return range === undefined ? [] : [range.peerAt(address)];
    });
  }

  /** Somebody who is nobody's peer has connected. */
  connected(text: string): void {
    const address = Address.parse(text);
    const range = address === undefined ? undefined : rangeOf(address, this.#ranges);
    if (address === undefined || range === undefined) return;
    const others = [...this.#guests.values()].filter((guest) => guest.range === range).length;
    if (others >= range.limit) {
      this.#options.refused(text, `${range.prefix.toString()} has its ${range.limit} peers`);
      return;
    }
    const name = address.toString();
    this.#guests.set(name, { address, range, config: range.peerAt(address) });
    this.#watch(name);
    this.#options.changed();
  }

  stop(): void {
    for (const cancel of this.#farewells.values()) cancel();
  }

  #watch(name: string): void {
    this.#farewells.get(name)?.();
    const cancel = this.#options.clock.after(REMEMBERED, `dynamic peer ${name}`, () => this.#look(name));
    this.#farewells.set(name, cancel);
  }

  #look(name: string): void {
    this.#farewells.delete(name);
    if (!this.#guests.has(name)) return;
    if (!this.#options.idle(name)) return this.#watch(name);
    this.#guests.delete(name);
    this.#options.changed();
  }
}

/** The longest prefix decides. */
function rangeOf(address: Address, ranges: readonly DynamicRange[]): DynamicRange | undefined {
  return ranges
    .filter(({ prefix }) => prefix.version === address.version && prefix.contains(address))
    .toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
}
