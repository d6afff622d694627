/**
 * The kernel's own look at the way back of IPv4 packets (rp_filter), which knows nothing of prefixes: it is off on the
 * interfaces of workloads that may send from others than their own addresses, where our rules look instead, and on again
 * when they no longer may. The agent switches it on when it makes the interface; who switches it off otherwise, or died
 * with it off, is corrected once for each endpoint.
 */
import { readSysctl, writeSysctl } from '../../net/kernel/index.ts';

export class ReturnPaths {
  readonly #netns: string | undefined;
  /** Whether it is to be off, by interface. */
  readonly #wanted = new Map<string, boolean>();
  /** Interfaces that may not be as they should. */
  readonly #dirty = new Set<string>();

  constructor(netns: string | undefined) {
    this.#netns = netns;
  }

  put(interfaceName: string, off: boolean): void {
    if (this.#wanted.get(interfaceName) === off) return;
    this.#wanted.set(interfaceName, off);
    this.#dirty.add(interfaceName);
  }

  /** The interface is no workload's any more. */
  delete(interfaceName: string): void {
    this.#wanted.delete(interfaceName);
    this.#dirty.delete(interfaceName);
  }

  /** @param again  look once more at those where it is to be off: the agent may have made one anew */
  apply(again: boolean): void {
    if (again) for (const [name, off] of this.#wanted) if (off) this.#dirty.add(name);
    for (const name of this.#dirty) this.#bring(name, this.#wanted.get(name) === true);
    this.#dirty.clear();
  }

  /** Another value than ours (loose) is somebody's wish, but where it is to be off. */
  #bring(name: string, off: boolean): void {
    const parameter = `net.ipv4.conf.${name.replaceAll('.', '/')}.rp_filter`;
    try {
      const present = readSysctl(parameter, this.#netns);
      if (present === undefined) return;
      if (off ? present !== '0' : present === '0') writeSysctl(parameter, off ? 0 : 1, this.#netns);
    } catch {
      // The interface has just gone.
    }
  }
}
