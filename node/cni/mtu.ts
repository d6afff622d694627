/** The MTU of the interface that packets leave this machine by; that of a workload is less what they may be wrapped in. */
import type { Clock, Millis } from '../../clock/clock.ts';
import type { Address } from '../../net/addr/index.ts';
import type { Netlink } from '../../net/kernel/index.ts';

const ETHERNET: number = 1500;

/** Fifty workloads that start together ask the same; an administrator who changes an MTU is slower than this. */
const FRESH_FOR: Millis = 1000;

export class UplinkMtu {
  readonly #host: Netlink;
  readonly #clock: Clock;
  #last: { readonly at: Millis; readonly of: string; readonly mtu: Promise<number> } | undefined;

  constructor(host: Netlink, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
  }

  /** See {@link uplinkMtu}; at most a second old. */
  of(nodeAddresses: readonly Address[], pattern?: string): Promise<number> {
    const of = `${nodeAddresses.join()} ${pattern ?? ''}`;
    const now = this.#clock.now();
    if (this.#last === undefined || this.#last.of !== of || now - this.#last.at > FRESH_FOR)
      this.#last = { at: now, of, mtu: uplinkMtu(this.#host, nodeAddresses, pattern) };
    return this.#last.mtu;
  }
}

/**
 * The smallest of the interfaces that `mtuIfacePattern` describes, where one does; else that of the interface with one of
 * the node's own addresses, else of the one that the default route leaves by, else the smallest of those that are up.
 */
export async function uplinkMtu(
  host: Netlink,
  nodeAddresses: readonly Address[],
  pattern?: string,
): Promise<number> {
  const links = await host.listLinks();
  const described = links.filter(({ name, up }) => up && matches(pattern, name));
  if (described.length > 0) return Math.min(...described.map(({ mtu }) => mtu));
  const mtuOf = (match: (link: (typeof links)[number]) => boolean): number | undefined =>
    links.find(match)?.mtu;
  const addresses = await host.listAddresses();
  const own = addresses.find(({ address }) => nodeAddresses.some((one) => one.equals(address)));
  if (own !== undefined) return mtuOf(({ index }) => index === own.link) ?? ETHERNET;
  const routes = await host.listRoutes({ table: 254 });
  const device = routes.find(({ destination }) => destination.isDefault)?.nextHops[0]?.interface;
  if (device !== undefined)
    return mtuOf(({ name, index }) => name === device || index === device) ?? ETHERNET;
  const candidates = links.filter(
    ({ up, loopback, name, kind }) => up && !loopback && !name.startsWith('cali') && kind !== 'ifb',
  );
  return candidates.length === 0 ? ETHERNET : Math.min(...candidates.map(({ mtu }) => mtu));
}

/** A pattern that is none describes nothing, as an empty one. */
function matches(pattern: string | undefined, name: string): boolean {
  if (pattern === undefined || pattern === '') return false;
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return false;
  }
}
