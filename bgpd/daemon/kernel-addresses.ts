/**
 * Which addresses stand on the same interface, as the kernel has it: next hop self towards a peer that is spoken with over
 * the other version of IP is an address of the link that the peer is on.
 */
import type { Cancel } from '../../clock/clock.ts';
import type { Address } from '../../net/addr/index.ts';
import type { KernelEvent, LinkAddress, Netlink } from '../../net/kernel/index.ts';
import type { LinkAddresses } from '../speaker/ports.ts';

type AddressSocket = Pick<Netlink, 'listAddresses' | 'subscribe'>;

const SCOPE_UNIVERSE = 0;

export class KernelAddresses implements LinkAddresses {
  readonly #socket: AddressSocket;
  readonly #failed: (error: unknown) => void;
  #known = new Map<string, LinkAddress>();
  #changed: (() => void) | undefined;
  readonly #stop: Cancel;

  /** @throws PoplinError where the kernel cannot be read */
  static async open(socket: AddressSocket, failed: (error: unknown) => void): Promise<KernelAddresses> {
    const addresses = new KernelAddresses(socket, failed);
    try {
      await addresses.#list();
    } catch (error) {
      addresses.close();
      throw error;
    }
    return addresses;
  }

  private constructor(socket: AddressSocket, failed: (error: unknown) => void) {
    this.#socket = socket;
    this.#failed = failed;
    this.#stop = socket.subscribe(['address'], (event) => this.#observe(event));
  }

  beside(local: Address): readonly Address[] {
    const all = [...this.#known.values()];
    const links = new Set(all.filter(({ address }) => address.equals(local)).map(({ link }) => link));
    return (
      all
        .filter((each) => links.has(each.link) && isUsable(each))
        // Those that somebody gave before those that come and go with router advertisements.
        .sort((a, b) => Number(b.permanent) - Number(a.permanent) || a.address.compare(b.address))
        .map(({ address }) => address)
    );
  }

  watch(changed: () => void): Cancel {
    this.#changed = changed;
    return () => (this.#changed = undefined);
  }

  close(): void {
    this.#changed = undefined;
    this.#stop();
  }

  async #list(): Promise<void> {
    this.#known = new Map((await this.#socket.listAddresses()).map((each) => [keyOf(each), each]));
  }

  #observe(event: KernelEvent): void {
    if (event.type === 'resync')
      void this.#list().then(
        () => this.#changed?.(),
        (error: unknown) => this.#failed(error),
      );
    if (event.type !== 'address') return;
    const { address, change } = event;
    const before = this.#known.get(keyOf(address));
    if (change === 'new') this.#known.set(keyOf(address), address);
    else this.#known.delete(keyOf(address));
    // The link-local addresses of workloads' interfaces come and go all day; nobody is told those.
    const was = before !== undefined && isUsable(before);
    const is = change === 'new' && isUsable(address);
    if (was !== is) this.#changed?.();
  }
}

function isUsable({ scope, tentative }: LinkAddress): boolean {
  return scope === SCOPE_UNIVERSE && !tentative;
}

function keyOf({ link, address, prefixLength }: LinkAddress): string {
  return `${link} ${address.toString()}/${prefixLength}`;
}
