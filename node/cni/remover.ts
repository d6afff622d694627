/**
 * Takes cables out. The kernel waits for its readers before an interface is gone, 24 ms a time however many go together;
 * so whoever comes while it waits joins the next time. A socket of its own keeps that wait away from those who plug in.
 */
import { Netlink } from '../../net/kernel/index.ts';
import { shaperOf } from './shaper.ts';

interface Leaving {
  readonly name: string;
  readonly resolve: (wasThere: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class CableRemover {
  readonly #netlink: Netlink;
  #leaving: Leaving[] = [];
  #isBusy = false;

  /** @param netns  path of the host's namespace; undefined: this process's */
  constructor(netns: string | undefined) {
    this.#netlink = Netlink.open({ netns });
  }

  /** @returns false when there was no interface of that name. @throws KernelError */
  remove(name: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#leaving.push({ name, resolve, reject });
      if (!this.#isBusy) void this.#work();
    });
  }

  /** Those that leave still do. */
  close(): void {
    this.#netlink.close();
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    while (this.#leaving.length > 0) {
      const together = this.#leaving;
      this.#leaving = [];
      try {
        // Most have no shaper; to ask for one costs less than to remember who has.
        const names = together.flatMap(({ name }) => [name, shaperOf(name)]);
        const there = await this.#netlink.deleteLinks(names);
        for (const [i, { resolve }] of together.entries()) resolve(there[2 * i] ?? false);
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    this.#isBusy = false;
  }
}
