/**
 * Keeps workloads to their limits, the way Calico's Felix does: a token bucket on the host's end of the cable for what the
 * workload receives, and for what it sends one on a device (`ifb`) that all of it is led through, where the workload cannot
 * reach it.
 *
 * Ours is a bucket with the handle `706f:` and an `ifb` with our alias. A bucket of another handle is the `bandwidth`
 * plugin's or an administrator's: it stays, and is said.
 */
import { createHash } from 'node:crypto';
import type { Link, Netlink, TrafficControl } from '../../net/kernel/index.ts';
import { Serial } from '../../ipam/serial.ts';
import { limitsOf, type Limits, type QosControls } from './limits.ts';

/** "po" */
const HANDLE = 0x706f_0000;
const ALIAS = 'poplin-shaper:';

/** Calico's prefix; the rest of the 15 octets of a name follows from the cable's. */
export function shaperOf(hostInterface: string): string {
  return `bwcali${createHash('sha1').update(hostInterface).digest('hex').slice(0, 9)}`;
}

export class Shaper {
  readonly #netlink: Netlink;
  readonly #control: TrafficControl;
  readonly #serial = new Serial();
  /** What each cable was last told, to pass over what is no change. */
  readonly #told = new Map<string, string>();

  /** Both of the host's namespace. */
  constructor(netlink: Netlink, control: TrafficControl) {
    this.#netlink = netlink;
    this.#control = control;
  }

  close(): void {
    this.#control.close();
  }

  /**
   * Repeating it changes nothing. A cable that is not there needs nothing.
   *
   * @returns what could not be done because somebody else shapes there
   * @throws KernelError
   */
  apply(hostInterface: string, qos: QosControls): Promise<string[]> {
    return this.#serial.run(hostInterface, async () => {
      const link = await this.#netlink.getLink(hostInterface);
      if (link === undefined) return [];
      const limits = limitsOf(qos, link.mtu);
      const there = (await this.#control.disciplines()).filter((one) => one.link === link.index);
      const stranger = there.find(
        ({ isRoot, kind, handle }) => isRoot && kind === 'tbf' && handle !== HANDLE,
      );
      const left: string[] = [];
      if (limits.toWorkload !== undefined && stranger !== undefined)
        left.push(`${hostInterface} has a token bucket of somebody else already`);
      else if (limits.toWorkload !== undefined)
        await this.#control.shape(link.index, HANDLE, limits.toWorkload);
      else await this.#control.unshape(link.index, HANDLE);
      const isHooked = there.some(({ kind }) => kind === 'ingress' || kind === 'clsact');
      if (!(await this.#applyFrom(link, limits, isHooked)))
        left.push(`what comes in by ${hostInterface} is filtered by somebody else already`);
      this.#told.set(hostInterface, JSON.stringify(qos));
      return left;
    });
  }

  /** As {@link apply}, where it is not what the cable was told before. */
  async change(hostInterface: string, qos: QosControls): Promise<string[]> {
    const isNews = (this.#told.get(hostInterface) ?? '{}') !== JSON.stringify(qos);
    return isNews ? this.apply(hostInterface, qos) : [];
  }

  /** Whether somebody, not necessarily we, keeps the cable to all of these limits. Their numbers are not compared. */
  async shapes(hostInterface: string, qos: QosControls): Promise<boolean> {
    const link = await this.#netlink.getLink(hostInterface);
    if (link === undefined) return false;
    const { toWorkload, fromWorkload } = limitsOf(qos, link.mtu);
    const there = (await this.#control.disciplines()).filter((one) => one.link === link.index);
    const to = toWorkload === undefined || there.some(({ isRoot, kind }) => isRoot && kind === 'tbf');
    return to && (fromWorkload === undefined || there.some(({ kind }) => kind === 'ingress'));
  }

  /** Its cable is gone, or about to go. */
  forget(hostInterface: string): void {
    this.#told.delete(hostInterface);
  }

  /**
   * Makes the kernel have these limits and none of ours beside, whatever it has now.
   *
   * @returns as {@link apply}
   */
  async reconcile(wanted: ReadonlyMap<string, QosControls>): Promise<string[]> {
    const left: string[] = [];
    const links = await this.#netlink.listLinks();
    const names = new Set(links.map(({ name }) => name));
    const disciplines = await this.#control.disciplines();
    const ours = new Set(disciplines.flatMap(({ link, handle }) => (handle === HANDLE ? [link] : [])));
    for (const { name, kind, index } of links) {
      if (kind !== 'veth') continue;
      const qos = wanted.get(name) ?? {};
      const isTouched = Object.keys(qos).length > 0 || ours.has(index) || names.has(shaperOf(name));
      if (isTouched) left.push(...(await this.apply(name, qos)));
    }
    for (const { kind, name, alias } of links) {
      if (kind !== 'ifb' || alias?.startsWith(ALIAS) !== true) continue;
      const cable = alias.slice(ALIAS.length);
      if (!names.has(cable)) await this.#netlink.deleteLink(name);
    }
    return left;
  }

  /** @returns false when another's filters are in the way */
  async #applyFrom(link: Link, { fromWorkload }: Limits, isHooked: boolean): Promise<boolean> {
    const name = shaperOf(link.name);
    const before = await this.#netlink.getLink(name);
    if (fromWorkload === undefined) {
      if (before === undefined) return true;
      await this.#control.noRedirect(link.index);
      await this.#netlink.deleteLink(name);
      return true;
    }
    if (before === undefined && isHooked) return false;
    await this.#control.createIfb(name, link.mtu, ALIAS + link.name);
    const through = await this.#netlink.getLink(name);
    if (through === undefined) return true;
    // The bucket first: packets are led through it when it is there.
    await this.#control.shape(through.index, HANDLE, fromWorkload);
    await this.#control.redirect(link.index, through.index);
    return true;
  }
}
