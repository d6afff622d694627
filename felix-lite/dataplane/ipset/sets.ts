/**
 * Address sets in the kernel. Two phases a pass: before the rules, sets are made and brought up to date; after
 * the rules, sets that nothing needs are removed. Ours are those named `cali40…`, `cali60…`, `cali4t…`, `cali6t…`.
 */
import { Address, type IpVersion, Prefix } from '../../../net/addr/index.ts';
import { type ipset, IpsetError, IpsetNetlink } from '../../../net/kernel/index.ts';
import { holdsPorts, type Member, type SetChange, type SetId } from '../../calc/model.ts';
import { isOurSet, setName, temporarySetName } from '../../rules/names.ts';

export interface IpsetIo {
  read(): Promise<readonly ipset.SavedSet[]>;
  write(steps: readonly ipset.IpsetStep[]): Promise<void>;
  close?(): void;
}

/** The sets of one namespace, over one netlink socket that stays open. */
export function kernelIpsets(options: ipset.IpsetOptions): IpsetIo & { close(): void } {
  const kernel = IpsetNetlink.open(options);
  return {
    read: () => kernel.save(),
    write: (steps) => kernel.apply(steps),
    close: () => kernel.close(),
  };
}

/** Calico's default of `maxIpsetSize`; doubled for a set that needs more. */
export const DEFAULT_MAX_ELEMENTS = 1 << 20;
/** Each removal costs the kernel some 40 ms, in which no other set can be changed. */
const REMOVALS_A_PASS = 10;

type SetType = 'hash:net' | 'hash:ip,port';

interface KernelSet {
  readonly name: string;
  readonly version: IpVersion;
  readonly type: SetType;
  readonly wanted: Set<Member>;
  /** As far as we know; undefined: the kernel has no such set, or one of another make. */
  actual: Set<Member> | undefined;
  maxElements: number;
  /** Members that may differ between wanted and actual. */
  readonly pending: Set<Member>;
}

/** A set that the kernel would not take. */
export interface RefusedSet {
  readonly version: IpVersion;
  /** What it said. */
  readonly said: string;
}

/** What the kernel holds under one of our names. */
interface Held {
  readonly type: string;
  readonly maxElements: number;
}

export class IpSets {
  readonly #io: IpsetIo;
  readonly #versions: readonly IpVersion[];
  readonly #maxElements: number;
  readonly #sets = new Map<string, KernelSet>();
  readonly #held = new Map<string, Held>();
  readonly #changed = new Set<KernelSet>();
  /** Temporary names taken in this pass. */
  readonly #aside = new Set<string>();
  /** Not in the kernel, or not as wanted: no rule may look into them. */
  readonly #refused = new Map<string, RefusedSet>();
  /** Refused ones that have had their second chance. */
  readonly #triedAgain = new Set<string>();
  #known = false;

  /** @param maxElements  what a set may hold at first; one that needs more is made anew, twice as large */
  constructor(io: IpsetIo, versions: readonly IpVersion[], maxElements: number = DEFAULT_MAX_ELEMENTS) {
    this.#io = io;
    this.#maxElements = maxElements;
    this.#versions = versions;
  }

  update(changes: ReadonlyMap<SetId, SetChange>): void {
    for (const [id, change] of changes) {
      for (const version of this.#versions) this.#change(setName(version, id), version, change);
    }
  }

  /**
   * Makes and fills what is wanted. Call before the rules that refer to it. Sets that the kernel would not take are in
   * {@link refused} then; all others are as wanted.
   * @param reread  look at the kernel first; the very first pass does so in any case
   * @returns the number of steps that it took
   * @throws what kept all sets from being written
   */
  async applyUpdates(reread: boolean): Promise<number> {
    if (reread || !this.#known) await this.#read();
    this.#aside.clear();
    const plans = [...this.#changed].map((set) => ({ set, steps: this.#steps(set) }));
    const steps = inRows(plans.map((plan) => plan.steps));
    if (steps.length > 0) {
      // Until it has succeeded, nobody knows how far it came.
      this.#known = false;
      try {
        await this.#io.write(steps);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return this.#apart();
      }
      this.#known = true;
    }
    for (const { set } of plans) this.#taken(set);
    this.#changed.clear();
    return steps.length;
  }

  /** Reads the kernel. @returns whether there is no set of ours */
  async look(): Promise<boolean> {
    await this.#read();
    return ![...this.#held.keys()].some(isOurSet);
  }

  /** By name. They are tried again when they change and when the kernel is looked at. */
  get refused(): ReadonlyMap<string, RefusedSet> {
    return this.#refused;
  }

  /** One set after the other, so that those which the kernel takes are taken. */
  async #apart(): Promise<number> {
    await this.#read();
    this.#aside.clear();
    let taken = 0;
    for (const set of this.#changed) {
      const steps = this.#steps(set);
      try {
        if (steps.length > 0) await this.#io.write(steps);
        taken += steps.length;
        this.#taken(set);
      } catch (error) {
        if (!isRefusal(error)) {
          this.#known = false;
          throw error;
        }
        this.#refused.set(set.name, { version: set.version, said: error.message });
        set.actual = undefined;
        for (const member of set.wanted) set.pending.add(member);
        // However far that came: it is cleared away when no rule looks into it any more, or exchanged if it stays.
        for (const step of steps)
          if (step.op === 'create') this.#held.set(step.name, { type: step.type, maxElements: 0 });
        const held = this.#held.get(set.name);
        if (held !== undefined) this.#held.set(set.name, { ...held, maxElements: 0 });
      }
    }
    this.#changed.clear();
    return taken;
  }

  #taken(set: KernelSet): void {
    const actual = (set.actual ??= new Set());
    for (const member of set.pending) {
      if (set.wanted.has(member)) actual.add(member);
      else actual.delete(member);
    }
    set.pending.clear();
    this.#held.set(set.name, { type: set.type, maxElements: set.maxElements });
    this.#forgive(set.name);
  }

  #forgive(name: string): void {
    this.#refused.delete(name);
    this.#triedAgain.delete(name);
  }

  /** What was in the way may have gone with the last rule that looked into it. */
  #tryAgain(): number {
    let count = 0;
    for (const name of this.#refused.keys()) {
      const set = this.#sets.get(name);
      if (set === undefined || this.#triedAgain.has(name)) continue;
      this.#triedAgain.add(name);
      this.#changed.add(set);
      count++;
    }
    return count;
  }

  /**
   * Removes what is ours and no longer wanted, or was refused. Call after the rules that referred to it are gone.
   * @returns names of sets that could not be removed, and how many wait for a later pass, be it to go or to be tried again
   */
  async applyRemovals(): Promise<{ readonly stuck: readonly string[]; readonly left: number }> {
    const gone = [...this.#held.keys()].filter(
      (name) => isOurSet(name) && (!this.#sets.has(name) || this.#refused.has(name)),
    );
    const stuck: string[] = [];
    for (const name of gone.slice(0, REMOVALS_A_PASS)) {
      try {
        await this.#io.write([{ op: 'destroy', name }]);
        this.#held.delete(name);
      } catch (error) {
        if (isRefusal(error) && 'code' in error && error.code === 'ENOENT') this.#held.delete(name);
        // A rule of a stranger uses it.
        else stuck.push(name);
      }
    }
    return { stuck, left: Math.max(0, gone.length - REMOVALS_A_PASS) + this.#tryAgain() };
  }

  get size(): number {
    return this.#sets.size;
  }

  #change(name: string, version: IpVersion, change: SetChange): void {
    const present = this.#sets.get(name);
    switch (change.type) {
      case 'gone':
        this.#sets.delete(name);
        this.#forgive(name);
        if (present !== undefined) this.#changed.delete(present);
        return;
      case 'delta': {
        if (present === undefined) return;
        for (const member of ofVersion(change.added, version)) mark(present, member, true);
        for (const member of ofVersion(change.removed, version)) mark(present, member, false);
        if (present.pending.size > 0) this.#changed.add(present);
        return;
      }
      case 'whole': {
        const set: KernelSet = {
          name,
          version,
          type: holdsPorts(change.definition) ? 'hash:ip,port' : 'hash:net',
          wanted: new Set(ofVersion(change.members, version)),
          actual: present?.actual,
          maxElements: present?.maxElements ?? this.#maxElements,
          pending: new Set(),
        };
        for (const member of [...set.wanted, ...(present?.wanted ?? []), ...(present?.actual ?? [])])
          set.pending.add(member);
        if (present !== undefined) this.#changed.delete(present);
        this.#sets.set(name, set);
        this.#changed.add(set);
      }
    }
  }

  #steps(set: KernelSet): readonly ipset.IpsetStep[] {
    while (set.wanted.size > set.maxElements) set.maxElements *= 2;
    const held = this.#held.get(set.name);
    if (held === undefined)
      return [create(set, set.name), ...[...set.wanted].map((member) => add(set.name, member))];
    if (held.type !== set.type || held.maxElements < set.maxElements) return this.#replace(set, held);
    const steps: ipset.IpsetStep[] = [];
    const removals: ipset.IpsetStep[] = [];
    for (const member of set.pending) {
      const [wanted, actual] = [set.wanted.has(member), set.actual?.has(member) ?? false];
      if (wanted && !actual) steps.push(add(set.name, member));
      if (!wanted && actual) removals.push({ op: 'delete', name: set.name, member });
    }
    return [...steps, ...removals];
  }

  /** Another make under the same name: filled aside, then exchanged in one step, so rules never miss it. */
  #replace(set: KernelSet, held: Held): readonly ipset.IpsetStep[] {
    let index = 0;
    while (
      this.#held.has(temporarySetName(set.version, index)) ||
      this.#aside.has(temporarySetName(set.version, index))
    )
      index++;
    const aside = temporarySetName(set.version, index);
    this.#aside.add(aside);
    const fill: readonly ipset.IpsetStep[] = [
      create(set, aside),
      ...[...set.wanted].map((member) => add(aside, member)),
    ];
    // The kernel exchanges only sets of one type. Ids say the type, so only a stranger's doing brings us here.
    const exchange: readonly ipset.IpsetStep[] =
      held.type === set.type
        ? [
            { op: 'swap', name: aside, with: set.name },
            { op: 'destroy', name: aside },
          ]
        : [
            { op: 'destroy', name: set.name },
            { op: 'rename', name: aside, to: set.name },
          ];
    return [...fill, ...exchange];
  }

  async #read(): Promise<void> {
    this.#known = false;
    this.#held.clear();
    for (const set of this.#sets.values()) {
      set.actual = undefined;
      set.pending.clear();
      for (const member of set.wanted) set.pending.add(member);
      this.#changed.add(set);
    }
    for (const { name, type, options, members } of await this.#io.read()) {
      if (!isOurSet(name)) continue;
      this.#held.set(name, { type, maxElements: Number(options.maxelem ?? 65536) });
      const set = this.#sets.get(name);
      if (set === undefined) continue;
      set.actual = new Set(members.map(canonical));
      for (const member of set.actual) {
        if (set.wanted.has(member)) set.pending.delete(member);
        else set.pending.add(member);
      }
    }
    this.#known = true;
  }
}

/** New sets first, all in a row: the kernel is asked for them at once. */
function inRows(plans: readonly (readonly ipset.IpsetStep[])[]): readonly ipset.IpsetStep[] {
  const steps = plans.flat();
  return steps.some(makesSet)
    ? [...steps.filter(makesSet), ...steps.filter((step) => !makesSet(step))]
    : steps;
}

function makesSet({ op }: ipset.IpsetStep): boolean {
  return op === 'create';
}

/** About what was to be written and not about whether anything can be. */
function isRefusal(error: unknown): error is IpsetError | RangeError {
  return error instanceof RangeError || (error instanceof IpsetError && error.code !== 'EPERM');
}

/**
 * The kernel prints some IPv6 addresses otherwise than we do (`::ffff:192.0.2.1`). An entry with options of its
 * own, which ours never have, stays as it is and is removed.
 */
function canonical(member: string): Member {
  const [address = '', port] = member.split(',', 2);
  const text = Address.parse(address)?.toString() ?? Prefix.parse(address)?.toString() ?? address;
  return port === undefined ? text : `${text},${port}`;
}

function mark(set: KernelSet, member: Member, wanted: boolean): void {
  if (wanted) set.wanted.add(member);
  else set.wanted.delete(member);
  set.pending.add(member);
}

function create(set: KernelSet, name: string): ipset.IpsetStep {
  const family = set.version === 4 ? 'inet' : 'inet6';
  return { op: 'create', name, type: set.type, family, maxElements: set.maxElements };
}

function add(name: string, member: Member): ipset.IpsetStep {
  return { op: 'add', name, member };
}

/** The address is what stands before a comma; only IPv6 addresses hold a colon. */
function ofVersion(members: Iterable<Member>, version: IpVersion): readonly Member[] {
  const wanted: Member[] = [];
  for (const member of members) {
    const colon = member.indexOf(':');
    const is6 = colon >= 0 && member.lastIndexOf(',', colon) < 0;
    if (is6 === (version === 6)) wanted.push(member);
  }
  return wanted;
}
