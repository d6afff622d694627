/**
 * The sets of one family: what is wanted, and the operations that bring the kernel there. A change costs what it touches;
 * only after a look at the kernel are all members compared.
 */
import type { IpVersion } from '../../../net/addr/index.ts';
import { makeOf, type NftElement, type NftOperation, type NftSet } from '../../../net/kernel/index.ts';
import { holdsPorts, type Member, type SetChange, type SetId } from '../../calc/model.ts';
import { setName } from '../../rules/names.ts';
import { PrefixCover } from './cover.ts';
import { elementOf, elementText, setFor, type SetKind } from './elements.ts';
import { type Members, PlainMembers } from './members.ts';
import { ourTable, setOf } from './names.ts';
import type { PortSet } from './port-sets.ts';

interface WantedSet {
  /** What rules call it. */
  readonly name: string;
  kind: SetKind;
  /** What the kernel calls it, and how it is made: follows from kind. */
  make: NftSet;
  /** Undefined: the elements never change, and are {@link fixed}. */
  readonly members: Members | undefined;
  readonly fixed: readonly NftElement[];
  /** The kernel has the set. Its elements are as wanted but for what is pending. */
  made: boolean;
  /** Gone and back before the kernel was told: the set stands there with the members of before. */
  stale: boolean;
  /** Rested until now: no rule in the kernel looks into it that packets come to. */
  rested: boolean;
  /** What the kernel said when it would not take the set, which until it is tried again is not to be there. */
  refused?: string | undefined;
  /** Refused once, and again when it was tried soon after. */
  hopeless?: boolean;
  readonly appear: Map<string, NftElement>;
  readonly vanish: Map<string, NftElement>;
}

/** A set as the kernel holds it. */
export interface HeldSet {
  readonly make: string;
  readonly elements: readonly NftElement[];
}

/**
 * When packets meet new ranges of a transaction is not sure to be when they meet its new rules; with hashed elements it is
 * (see `net/kernel`). So ranges have transactions of their own around the rules', and the others come in the same one.
 */
export interface SetOperations {
  /** New ranges, which new rules may look into. */
  readonly before: readonly NftOperation[];
  /** In the transaction of the rules, in front of them and behind them. */
  readonly ahead: readonly NftOperation[];
  readonly behind: readonly NftOperation[];
  /** Ranges that old rules may still look into. */
  readonly after: readonly NftOperation[];
}

const NO_OPERATIONS: SetOperations = { before: [], ahead: [], behind: [], after: [] };

export class NftSets {
  readonly #version: IpVersion;
  readonly #sets = new Map<string, WantedSet>();
  readonly #users = new Map<string, number>();
  readonly #changed = new Set<WantedSet>();
  /**
   * In the kernel and no longer wanted, by the kernel's names; what it holds, where that is known. They rest there, since
   * they may be wanted again, until it is time to clear away.
   */
  readonly #doomed = new Map<string, WantedSet | undefined>();
  #clearing = false;
  /** Rules that look into these have to be written anew: the kernel's name is another one by now. */
  readonly #renamed = new Set<string>();
  readonly #refused = new Set<WantedSet>();

  constructor(version: IpVersion) {
    this.#version = version;
  }

  get size(): number {
    return this.#sets.size;
  }

  /** Sets that rest. */
  get resting(): number {
    return this.#doomed.size;
  }

  get hasChanges(): boolean {
    return this.#changed.size > 0;
  }

  update(changes: ReadonlyMap<SetId, SetChange>): void {
    for (const [id, change] of changes) this.#change(setOf(setName(this.#version, id)), change);
  }

  /** One more rule looks into the set of ports; it exists from the first on. */
  acquire({ make, elements }: PortSet): void {
    const { name } = make;
    const users = this.#users.get(name) ?? 0;
    this.#users.set(name, users + 1);
    if (users > 0) return;
    const kind = make.interval === true ? 'networks' : 'hosts';
    this.#create({ name, kind, make, members: undefined, fixed: elements });
  }

  release({ make: { name } }: PortSet): void {
    const users = (this.#users.get(name) ?? 0) - 1;
    if (users > 0) this.#users.set(name, users);
    else {
      this.#users.delete(name);
      this.#remove(name);
    }
  }

  /** The kernel's name of a set that a rule looks into. */
  nameOf(set: string): string {
    return this.#sets.get(set)?.make.name ?? set;
  }

  /** Sets with another name in the kernel than before; each is told once. */
  takeRenamed(): ReadonlySet<string> {
    const renamed = new Set(this.#renamed);
    this.#renamed.clear();
    return renamed;
  }

  /** What the kernel said of sets that it would not take, by the name that rules have for them. */
  get refused(): ReadonlyMap<string, string> {
    return new Map([...this.#refused].map(({ name, refused = '' }) => [name, refused]));
  }

  /** Goes without the set until it changes or {@link tryAgain} is said: no rule may look into it. */
  refuse(kernelName: string, said: string): void {
    const set = this.#byKernelName(kernelName);
    if (set === undefined || set.refused !== undefined) return;
    if (set.made || set.stale) this.#doomed.set(set.make.name, undefined);
    this.#reset(set, false);
    this.#changed.delete(set);
    set.refused = said;
    this.#refused.add(set);
  }

  /**
   * @param which  all: something may have changed in the kernel; new: what was in the way may have gone with the last rule
   *   that looked into it
   * @returns how many sets the kernel is going to be asked to take once more
   */
  tryAgain(which: 'all' | 'new'): number {
    const sets = [...this.#refused].filter((set) => which === 'all' || set.hopeless !== true);
    for (const set of sets) {
      set.hopeless = true;
      this.#accept(set);
    }
    return sets.length;
  }

  /** Whether rules are to look into the set that the kernel calls so. */
  isWanted(kernelName: string): boolean {
    return this.#byKernelName(kernelName) !== undefined;
  }

  #byKernelName(name: string): WantedSet | undefined {
    return [...this.#sets.values()].find(({ make }) => make.name === name);
  }

  #accept(set: WantedSet): void {
    set.refused = undefined;
    this.#refused.delete(set);
    set.stale = this.#doomed.delete(set.make.name);
    this.#changed.add(set);
  }

  /** @param clear  also remove what rests; no chain that looks into it may be left behind */
  operations(clear: boolean): SetOperations {
    this.#clearing = clear;
    const table = ourTable(this.#version);
    const changes = [...this.#changed].map((set) => this.#bring(set));
    const all = (when: keyof SetOperations): readonly NftOperation[] => changes.flatMap((each) => each[when]);
    const doomed = clear
      ? [...this.#doomed.keys()].map((set): NftOperation => ({ op: 'delete-set', table, set }))
      : [];
    return {
      before: all('before'),
      ahead: all('ahead'),
      behind: [...all('behind'), ...doomed],
      after: all('after'),
    };
  }

  /** The kernel has taken {@link operations}. */
  done(): void {
    for (const set of this.#changed) {
      set.made = true;
      set.stale = false;
      set.rested = false;
      set.hopeless = false;
      set.appear.clear();
      set.vanish.clear();
    }
    this.#changed.clear();
    if (this.#clearing) this.#doomed.clear();
  }

  /** Nothing is in the kernel. */
  nothingHeld(): void {
    this.#doomed.clear();
    for (const set of this.#sets.values()) this.#reset(set, false);
    for (const set of this.#refused) this.#changed.delete(set);
  }

  /**
   * Compares with what the kernel holds, by name. A set of another make stays until no rule looks into it any more: the one
   * that is wanted gets another name, so that its ranges can come before the rules that turn to it.
   */
  held(found: ReadonlyMap<string, HeldSet>): void {
    this.#changed.clear();
    this.#doomed.clear();
    const present = [...this.#sets.values()].filter(({ refused }) => refused === undefined);
    for (const set of present) {
      const there = found.get(set.make.name);
      const other = there !== undefined && there.make !== makeOf(set.make);
      if (other) this.#rename(set, found);
      this.#reset(set, there !== undefined && !other);
      if (there !== undefined && !other) this.#compare(set, there.elements);
    }
    const wanted = new Set(present.map(({ make }) => make.name));
    for (const name of found.keys()) if (!wanted.has(name)) this.#doomed.set(name, undefined);
  }

  #rename(set: WantedSet, found: ReadonlyMap<string, HeldSet>): void {
    let name = set.make.name;
    while (found.has(name)) name += '-anew';
    set.make = { ...set.make, name };
    this.#renamed.add(set.name);
  }

  #reset(set: WantedSet, made: boolean): void {
    set.made = made;
    set.stale = false;
    set.rested = false;
    set.appear.clear();
    set.vanish.clear();
    if (!made) this.#changed.add(set);
  }

  #compare(set: WantedSet, elements: readonly NftElement[]): void {
    for (const element of elements) set.vanish.set(elementText(element), element);
    for (const element of wantedElements(set)) {
      const text = elementText(element);
      if (!set.vanish.delete(text)) set.appear.set(text, element);
    }
    if (set.appear.size > 0 || set.vanish.size > 0) this.#changed.add(set);
  }

  #bring(set: WantedSet): SetOperations {
    const table = ourTable(this.#version);
    const { name } = set.make;
    const elements = (
      op: 'add-elements' | 'delete-elements',
      list: readonly NftElement[],
    ): readonly NftOperation[] => (list.length === 0 ? [] : [{ op, table, set: name, elements: list }]);
    if (!set.made) {
      const make: NftOperation = set.stale
        ? { op: 'flush-set', table, set: name }
        : { op: 'add-set', table, set: set.make };
      const fill = [make, ...elements('add-elements', [...wantedElements(set)])];
      return set.make.interval === true
        ? { ...NO_OPERATIONS, before: fill }
        : { ...NO_OPERATIONS, ahead: fill };
    }
    const gone = elements('delete-elements', [...set.vanish.values()]);
    const come = elements('add-elements', [...set.appear.values()]);
    if (set.make.interval !== true) return { ...NO_OPERATIONS, ahead: come, behind: gone };
    // Ranges may not overlap, not even for a moment: one that takes the place of others comes as they go. And what went
    // while the set rested must be gone before rules look into it again.
    const together = (gone.length > 0 && come.length > 0) || set.rested;
    return together
      ? { ...NO_OPERATIONS, before: [...gone, ...come] }
      : { ...NO_OPERATIONS, before: come, after: gone };
  }

  #change(name: string, change: SetChange): void {
    const present = this.#sets.get(name);
    switch (change.type) {
      case 'gone':
        this.#remove(name);
        return;
      case 'delta':
        if (present === undefined) return;
        for (const member of this.#ours(change.added)) this.#add(present, member);
        for (const member of this.#ours(change.removed)) this.#delete(present, member);
        this.#fit(present);
        return;
      case 'whole': {
        const set = present ?? this.#createFor(name, holdsPorts(change.definition));
        const wanted = new Set(this.#ours(change.members));
        for (const member of wanted) this.#add(set, member);
        for (const member of set.members?.members() ?? []) if (!wanted.has(member)) this.#delete(set, member);
        this.#fit(set);
      }
    }
  }

  #createFor(name: string, ports: boolean): WantedSet {
    for (const kind of ports ? (['ports'] as const) : (['networks', 'hosts'] as const)) {
      const rested = this.#revive(name, setFor(name, this.#version, kind).name);
      if (rested !== undefined) return rested;
    }
    const kind = ports ? 'ports' : 'hosts';
    const members = ports ? new PlainMembers() : new PrefixCover();
    return this.#create({ name, kind, make: setFor(name, this.#version, kind), members, fixed: [] });
  }

  #create(given: Pick<WantedSet, 'name' | 'kind' | 'make' | 'members' | 'fixed'>): WantedSet {
    const rested = this.#revive(given.name, given.make.name);
    if (rested !== undefined) return rested;
    const stale = this.#doomed.delete(given.make.name);
    const state = { made: false, stale, rested: false, appear: new Map(), vanish: new Map() };
    const set: WantedSet = { ...given, ...state };
    this.#sets.set(given.name, set);
    this.#changed.add(set);
    return set;
  }

  /** The set as it rests in the kernel, if it is known what it holds: only what differs has to be written. */
  #revive(name: string, kernelName: string): WantedSet | undefined {
    const set = this.#doomed.get(kernelName);
    if (set === undefined) return undefined;
    this.#doomed.delete(kernelName);
    set.rested = true;
    this.#sets.set(name, set);
    this.#changed.add(set);
    return set;
  }

  /** Another kind of set under another name, when the first network comes or the last goes. */
  #fit(set: WantedSet): void {
    // Another one by now, which the kernel may take.
    if (set.refused !== undefined) {
      set.hopeless = false;
      this.#accept(set);
    }
    if (set.kind === 'ports' || set.members === undefined) return;
    const kind = set.members.hasNetworks ? 'networks' : 'hosts';
    if (kind === set.kind) return;
    if (set.made || set.stale) this.#doomed.set(set.make.name, undefined);
    set.kind = kind;
    set.make = setFor(set.name, this.#version, kind);
    set.made = false;
    set.stale = this.#doomed.delete(set.make.name);
    set.appear.clear();
    set.vanish.clear();
    this.#changed.add(set);
    this.#renamed.add(set.name);
  }

  #remove(name: string): void {
    const present = this.#sets.get(name);
    if (present === undefined) return;
    this.#sets.delete(name);
    this.#refused.delete(present);
    this.#changed.delete(present);
    if (present.made || present.stale)
      this.#doomed.set(present.make.name, present.made ? present : undefined);
  }

  #add(set: WantedSet, member: Member): void {
    this.#note(set, set.members?.add(member));
  }

  #delete(set: WantedSet, member: Member): void {
    this.#note(set, set.members?.delete(member));
  }

  #note(set: WantedSet, change: ReturnType<Members['add']> | undefined): void {
    // One that is still to be made is written whole.
    if (!set.made || change === undefined) return;
    for (const member of change.vanish) move(set, member, set.appear, set.vanish);
    for (const member of change.appear) move(set, member, set.vanish, set.appear);
    this.#changed.add(set);
  }

  *#ours(members: Iterable<Member>): Generator<Member> {
    for (const member of members) {
      const comma = member.indexOf(',');
      const isV6 = (comma < 0 ? member : member.slice(0, comma)).includes(':');
      if (isV6 === (this.#version === 6)) yield member;
    }
  }
}

/** What was pending the one way no longer is; what was not is now pending the other way. */
function move(
  { kind }: WantedSet,
  member: Member,
  from: Map<string, NftElement>,
  to: Map<string, NftElement>,
): void {
  // A network among hosts: the set is about to be of another kind, and is then written whole.
  if (kind === 'hosts' && member.includes('/')) return;
  const element = elementOf(member, kind);
  const text = elementText(element);
  if (!from.delete(text)) to.set(text, element);
}

function* wantedElements({ members, fixed, kind }: WantedSet): Generator<NftElement> {
  yield* fixed;
  for (const member of members?.outermost() ?? []) yield elementOf(member, kind);
}
