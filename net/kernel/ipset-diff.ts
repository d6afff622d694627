/** What has to be done so that the sets of one owner are as wanted. Pure. */
import { Address, Prefix } from '../addr/index.ts';
import type { IpsetStep, SavedSet } from './ipset-text.ts';

export interface WantedSet {
  /** `hash:net`, `hash:ip,port`, ... */
  readonly type: string;
  /** Of the addresses in it; default `inet`. Types without addresses have none. */
  readonly family?: 'inet' | 'inet6' | undefined;
  /** What it may hold; default: the kernel's 65536. One that is to hold more is made anew and exchanged. */
  readonly maxElements?: number | undefined;
  /** More options of `create`, e.g. `['counters']`, `['timeout', '0']`. Not compared. */
  readonly options?: readonly string[];
  /** As the ipset tool takes them: `10.0.0.0/8`, `192.0.2.1,tcp:80`. */
  readonly members: Iterable<string>;
}

export interface SetPlan {
  /** Before rules that look into the sets: made, filled, exchanged. Sets that stay are changed member by member. */
  readonly fill: readonly IpsetStep[];
  /** Once no rule looks into them: sets of ours that are not wanted. */
  readonly remove: readonly IpsetStep[];
}

/** The kernel's, where `create` says nothing. */
const DEFAULT_MAX_ELEMENTS = 65536;

/**
 * @param prefix  sets whose names begin with it and a hyphen are ours, all others are left alone
 * @param present  as `ipset.save` told them
 * @throws RangeError for a name that does not begin so
 */
export function diffSets(
  prefix: string,
  wanted: Readonly<Record<string, WantedSet>>,
  present: readonly SavedSet[],
): SetPlan {
  const held = new Map(present.map((set) => [set.name, set]));
  const foreign = Object.keys(wanted).find((name) => !name.startsWith(`${prefix}-`));
  if (foreign !== undefined)
    throw new RangeError(`a set of ours begins with ${prefix}-: ${JSON.stringify(foreign)}`);
  const made: IpsetStep[] = [];
  const changes: IpsetStep[] = [];
  const taken = new Set(Object.keys(wanted));
  for (const [name, set] of Object.entries(wanted)) {
    const there = held.get(name);
    if (there === undefined) {
      made.push(creation(name, set));
      for (const member of set.members) changes.push({ op: 'add', name, member });
    } else if (sameMake(set, there)) changes.push(...memberSteps(name, set, there));
    else {
      const aside = freeName(prefix, held, taken);
      made.push(creation(aside, set));
      for (const member of set.members) changes.push({ op: 'add', name: aside, member });
      changes.push(...exchange(aside, name, sameType(set, there)));
    }
  }
  const remove = present
    .filter(({ name }) => name.startsWith(`${prefix}-`) && !(name in wanted))
    .map(({ name }): IpsetStep => ({ op: 'destroy', name }));
  return { fill: [...made, ...changes], remove };
}

function creation(name: string, { type, family, maxElements, options }: WantedSet): IpsetStep {
  return {
    op: 'create',
    name,
    type,
    ...(family === undefined ? {} : { family }),
    ...(maxElements === undefined ? {} : { maxElements }),
    ...(options === undefined ? {} : { options }),
  };
}

/**
 * At once, where the kernel exchanges them: sets of one type and family alone. Else no rule may look into the old one, or it
 * is refused.
 */
function exchange(aside: string, name: string, atOnce: boolean): readonly IpsetStep[] {
  return atOnce
    ? [
        { op: 'swap', name: aside, with: name },
        { op: 'destroy', name: aside },
      ]
    : [
        { op: 'destroy', name },
        { op: 'rename', name: aside, to: name },
      ];
}

function sameType({ type, family = 'inet' }: WantedSet, there: SavedSet): boolean {
  return there.type === type && (there.options['family'] ?? family) === family;
}

function sameMake(set: WantedSet, there: SavedSet): boolean {
  const holds = Number(there.options['maxelem'] ?? DEFAULT_MAX_ELEMENTS);
  return sameType(set, there) && (set.maxElements ?? DEFAULT_MAX_ELEMENTS) <= holds;
}

function memberSteps(name: string, { members }: WantedSet, there: SavedSet): readonly IpsetStep[] {
  const gone = new Map(there.members.map((member) => [keyOf(member), member]));
  const steps: IpsetStep[] = [];
  const seen = new Set<string>();
  for (const member of members) {
    const key = keyOf(member);
    if (!gone.delete(key) && !seen.has(key)) steps.push({ op: 'add', name, member });
    seen.add(key);
  }
  for (const member of gone.values())
    steps.push({ op: 'delete', name, member: member.split(' ', 1)[0] ?? member });
  return steps;
}

/** Equal for one member, however it is written. An entry's timeout and counters run on, and say nothing of it. */
function keyOf(member: string): string {
  const [entry = '', ...options] = member.split(' ');
  const parts = entry.split(',').map((part) => Address.parse(part)?.toString() ?? prefixText(part));
  const kept = options.filter((_, at) => !RUNNING.has(options[at - (at % 2)] ?? ''));
  return [parts.join(','), ...kept].join(' ');
}

const RUNNING = new Set(['timeout', 'packets', 'bytes']);

/** The kernel masks a prefix, and prints one of full length as its address. */
function prefixText(part: string): string {
  const prefix = Prefix.parse(part, { hostBits: 'mask' });
  if (prefix === undefined) return part;
  return prefix.length === prefix.address.bits ? prefix.address.toString() : prefix.toString();
}

function freeName(prefix: string, held: ReadonlyMap<string, SavedSet>, taken: Set<string>): string {
  let index = 0;
  while (held.has(`${prefix}-.${index}`) || taken.has(`${prefix}-.${index}`)) index++;
  const name = `${prefix}-.${index}`;
  taken.add(name);
  return name;
}
