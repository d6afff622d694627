/**
 * Sets that no policy asks for: addresses of all nodes, pools, pools whose packets are masqueraded on their way out. With
 * Calico's names, so that a node that changes over finds them. Pure.
 */
import type { IPPool, Node } from '../../api/index.ts';
import { parseInterfaceAddress } from '../../net/addr/index.ts';
import type { Member, SetChange, SetId } from './model.ts';

export const ALL_HOSTS = 'all-hosts-net';
export const ALL_POOLS = 'all-ipam-pools';
export const MASQUERADED_POOLS = 'masq-ipam-pools';
const IDS = [ALL_HOSTS, ALL_POOLS, MASQUERADED_POOLS] as const;
type FixedId = (typeof IDS)[number];

const HALVES: Readonly<Record<string, readonly string[]>> = {
  '0.0.0.0/0': ['0.0.0.0/1', '128.0.0.0/1'],
  '::/0': ['::/1', '8000::/1'],
};

export class FixedSets {
  /** What each resource puts into each set. */
  readonly #parts = new Map<string, ReadonlyMap<FixedId, readonly Member[]>>();
  readonly #told = new Map<FixedId, ReadonlySet<Member>>();
  #changed = false;

  /** @param externalNodes  prefixes whose machines count as nodes */
  constructor(externalNodes: readonly string[] = []) {
    const members = externalNodes.map((text) => text.replace(/\/(?:32|128)$/, ''));
    // The set cannot hold everything in one.
    const halves = members.flatMap((net) => HALVES[net] ?? [net]);
    if (halves.length > 0) this.#parts.set('external', new Map([[ALL_HOSTS, halves]]));
  }

  putNode(name: string, node: Node | undefined): void {
    const { bgp, addresses = [] } = node?.spec ?? {};
    const texts = [bgp?.ipv4Address, bgp?.ipv6Address, ...addresses.map(({ address }) => address)];
    const members = texts.flatMap((text) => {
      const parsed = text === undefined ? undefined : parseInterfaceAddress(text);
      return parsed === undefined ? [] : [parsed.address.toString()];
    });
    this.#put(`Node/${name}`, node === undefined ? undefined : new Map([[ALL_HOSTS, members]]));
  }

  putPool(name: string, pool: IPPool | undefined): void {
    if (pool === undefined) return this.#put(`IPPool/${name}`, undefined);
    const { cidr, natOutgoing } = pool.spec;
    const parts: [FixedId, Member[]][] = [
      [ALL_POOLS, [cidr]],
      [MASQUERADED_POOLS, natOutgoing === true ? [cidr] : []],
    ];
    this.#put(`IPPool/${name}`, new Map(parts));
  }

  /** Nothing before the first node or pool; then all of them, empty or not, for rules name them. */
  takeChanges(): ReadonlyMap<SetId, SetChange> {
    if (!this.#changed) return new Map();
    this.#changed = false;
    const changes = new Map<SetId, SetChange>();
    for (const id of IDS) {
      const members = new Set([...this.#parts.values()].flatMap((part) => part.get(id) ?? []));
      const before = this.#told.get(id);
      this.#told.set(id, members);
      if (before === undefined)
        changes.set(id, { type: 'whole', definition: { id, of: { fixed: id } }, members });
      else {
        const added = [...members].filter((member) => !before.has(member));
        const removed = [...before].filter((member) => !members.has(member));
        if (added.length + removed.length > 0) changes.set(id, { type: 'delta', added, removed });
      }
    }
    return changes;
  }

  #put(key: string, part: ReadonlyMap<FixedId, readonly Member[]> | undefined): void {
    if (part === undefined) this.#parts.delete(key);
    else this.#parts.set(key, part);
    this.#changed = true;
  }
}
