/**
 * Who is in which address set. Endpoints and network sets contribute members; a set counts how many
 * contribute each, since two endpoints may share an address for a moment. Sets live while rules use them.
 */
import type { Labels } from '../../api/selector/index.ts';
import type { Prefix } from '../../net/addr/index.ts';
import { LabelIndex } from './label-index.ts';
import {
  type Member,
  type ServiceKey,
  type SetChange,
  type SetDefinition,
  type SetId,
  holdsPorts,
} from './model.ts';
import type { SliceContribution } from './services.ts';

export interface NamedPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

/** What one endpoint or network set brings into the sets that select it. */
export interface Contribution {
  readonly nets: readonly Prefix[];
  /** Of endpoints; the ports are those of each of its addresses. */
  readonly ports: readonly NamedPort[];
}

const NOTHING: Contribution = { nets: [], ports: [] };

interface ActiveSet {
  readonly definition: SetDefinition;
  users: number;
  readonly counts: Map<Member, number>;
  /** Told to nobody yet: all members are new. */
  fresh: boolean;
  readonly added: Set<Member>;
  readonly removed: Set<Member>;
}

export class SetMembers {
  readonly #index: LabelIndex<string>;
  readonly #contributions = new Map<string, Contribution>();
  readonly #sets = new Map<SetId, ActiveSet>();
  readonly #bySelector = new Map<string, Set<ActiveSet>>();
  readonly #slices = new Map<string, SliceContribution>();
  readonly #slicesOf = new Map<ServiceKey, Set<string>>();
  readonly #byService = new Map<ServiceKey, Set<ActiveSet>>();
  readonly #changed = new Set<SetId>();
  /** Sets that somebody was told of. */
  readonly #told = new Set<SetId>();

  constructor() {
    this.#index = new LabelIndex({
      matched: (item, selectorId) => this.#each(selectorId, item, 1),
      unmatched: (item, selectorId) => this.#each(selectorId, item, -1),
    });
  }

  putItem(item: string, labels: Labels, parents: readonly string[], contribution: Contribution): void {
    const before = this.#contributions.get(item) ?? NOTHING;
    this.#contributions.set(item, contribution);
    // The new before the old: a member that stays never drops to zero in between.
    for (const set of this.#setsOf(item)) {
      count(set, membersOf(set.definition, contribution), 1, this.#changed);
      count(set, membersOf(set.definition, before), -1, this.#changed);
    }
    this.#index.putItem(item, labels, parents);
  }

  deleteItem(item: string): void {
    this.#index.deleteItem(item);
    this.#contributions.delete(item);
  }

  putParent(parent: string, labels: Labels | undefined): void {
    this.#index.putParent(parent, labels);
  }

  /** Undefined: the slice is gone, or of no service. */
  putSlice(key: string, slice: SliceContribution | undefined): void {
    const before = this.#slices.get(key);
    // The new before the old: a member that stays never drops to zero in between.
    if (slice !== undefined) this.#eachOfService(slice, 1);
    if (before !== undefined) {
      this.#eachOfService(before, -1);
      removeFrom(this.#slicesOf, before.service, key);
    }
    if (slice === undefined) this.#slices.delete(key);
    else {
      this.#slices.set(key, slice);
      addTo(this.#slicesOf, slice.service, key);
    }
  }

  /** One more user of the set; it exists from the first on. */
  acquire(definition: SetDefinition): void {
    const present = this.#sets.get(definition.id);
    if (present !== undefined) {
      present.users++;
      return;
    }
    const { id, of } = definition;
    const set: ActiveSet = {
      definition,
      users: 1,
      counts: new Map(),
      fresh: true,
      added: new Set(),
      removed: new Set(),
    };
    this.#sets.set(id, set);
    this.#changed.add(id);
    if ('service' in of) {
      this.#acquireService(set, of.service);
      return;
    }
    const { selector } = of;
    const siblings = this.#bySelector.get(selector.id);
    if (siblings === undefined) {
      this.#bySelector.set(selector.id, new Set([set]));
      this.#index.putSelector(selector);
      return;
    }
    siblings.add(set);
    for (const item of this.#index.matching(selector.id)) {
      count(set, membersOf(definition, this.#contributions.get(item) ?? NOTHING), 1, this.#changed);
    }
  }

  release(id: SetId): void {
    const set = this.#sets.get(id);
    if (set === undefined || --set.users > 0) return;
    this.#sets.delete(id);
    this.#changed.add(id);
    const { of } = set.definition;
    if ('service' in of) {
      removeFrom(this.#byService, of.service, set);
      return;
    }
    const selectorId = of.selector.id;
    const siblings = this.#bySelector.get(selectorId);
    siblings?.delete(set);
    if (siblings?.size === 0) {
      this.#bySelector.delete(selectorId);
      this.#index.deleteSelector(selectorId);
    }
  }

  /** What has changed since the last call. */
  takeChanges(): ReadonlyMap<SetId, SetChange> {
    const changes = new Map<SetId, SetChange>();
    for (const id of this.#changed) {
      const set = this.#sets.get(id);
      if (set === undefined) {
        if (this.#told.delete(id)) changes.set(id, { type: 'gone' });
      } else if (set.fresh) {
        changes.set(id, { type: 'whole', definition: set.definition, members: new Set(set.counts.keys()) });
        this.#told.add(id);
      } else if (set.added.size + set.removed.size > 0) {
        changes.set(id, { type: 'delta', added: [...set.added], removed: [...set.removed] });
      }
      if (set === undefined) continue;
      set.fresh = false;
      set.added.clear();
      set.removed.clear();
    }
    this.#changed.clear();
    return changes;
  }

  get size(): number {
    return this.#sets.size;
  }

  #acquireService(set: ActiveSet, service: ServiceKey): void {
    addTo(this.#byService, service, set);
    for (const key of this.#slicesOf.get(service) ?? []) {
      const slice = this.#slices.get(key);
      if (slice !== undefined) count(set, serviceMembers(set, slice), 1, this.#changed);
    }
  }

  #eachOfService(slice: SliceContribution, by: 1 | -1): void {
    for (const set of this.#byService.get(slice.service) ?? [])
      count(set, serviceMembers(set, slice), by, this.#changed);
  }

  #each(selectorId: string, item: string, by: 1 | -1): void {
    const contribution = this.#contributions.get(item) ?? NOTHING;
    for (const set of this.#bySelector.get(selectorId) ?? []) {
      count(set, membersOf(set.definition, contribution), by, this.#changed);
    }
  }

  *#setsOf(item: string): Iterable<ActiveSet> {
    for (const selectorId of this.#index.selectorsOf(item)) yield* this.#bySelector.get(selectorId) ?? [];
  }
}

function count(set: ActiveSet, members: Iterable<Member>, by: 1 | -1, changed: Set<SetId>): void {
  for (const member of members) {
    const before = set.counts.get(member) ?? 0;
    const after = before + by;
    if (after === 0) set.counts.delete(member);
    else set.counts.set(member, after);
    if (before > 0 && after > 0) continue;
    const [mine, other] = after > 0 ? [set.added, set.removed] : [set.removed, set.added];
    if (!other.delete(member)) mine.add(member);
    changed.add(set.definition.id);
  }
}

function serviceMembers(
  { definition }: ActiveSet,
  { addresses, ends }: SliceContribution,
): readonly Member[] {
  return holdsPorts(definition) ? ends : addresses;
}

function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, new Set([value]));
  else values.add(value);
}

function removeFrom<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const values = map.get(key);
  if (values?.delete(value) === true && values.size === 0) map.delete(key);
}

function* membersOf({ of }: SetDefinition, { nets, ports }: Contribution): Iterable<Member> {
  const namedPort = 'service' in of ? undefined : of.namedPort;
  if (namedPort === undefined) {
    for (const net of nets) yield* netMembers(net);
    return;
  }
  for (const { name, protocol, port } of ports) {
    if (name !== namedPort.name || protocol !== namedPort.protocol) continue;
    for (const net of nets) yield `${net.address.toString()},${protocol}:${port}`;
  }
}

/** As the kernel prints them: a single address without its length, and everything as two halves (no /0 there). */
function netMembers(net: Prefix): readonly Member[] {
  if (net.isHost) return [net.address.toString()];
  if (net.length > 0) return [net.toString()];
  return net.version === 4 ? ['0.0.0.0/1', '128.0.0.0/1'] : ['::/1', '8000::/1'];
}
