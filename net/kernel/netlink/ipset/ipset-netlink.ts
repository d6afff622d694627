/**
 * Sets over ipset's own netlink: the steps and the results of the ipset tool, without its process. A member more
 * costs microseconds where the tool takes four milliseconds.
 *
 * As with the tool nothing is a transaction: steps before a refused one stay done, those behind it are not begun,
 * but for sets that are made in a row, and for members of other sets in a row, which share a send. For an exchange that
 * packets see at once, fill another set and swap.
 */
import type { IpsetStep, SavedSet } from '../../ipset-text.ts';
import { errnoName } from '../../errors.ts';
import { type Message, MessageWriter, NLMSG_ERROR, readVerdict } from '../message.ts';
import { NFPROTO } from '../nfnetlink.ts';
import { NETLINK_NETFILTER, RequestSocket } from '../socket.ts';
import { IpsetError } from './errors.ts';
import { type Dimension, dimensionsOf } from './members.ts';
import {
  decodeListed,
  decodeRevision,
  encodeCreate,
  encodeList,
  encodeMembers,
  encodePair,
  encodeSimple,
  encodeTypeQuery,
  familyOf,
  LIST_MESSAGE,
  type ListDetail,
  readRefusedLine,
  TYPE_MESSAGE,
} from './messages.ts';

/** Members that share a message; its list may take 64 KiB, and an IPv6 member with a port takes 52 octets. */
const MEMBERS_PER_MESSAGE = 1000;
/** Octets of one send. The kernel works through it in one go, in the thread pool. */
const SEND_SIZE = 512 * 1024;
/** Some hundred members, for which the kernel takes a millisecond. */
const AT_ONCE = 16 * 1024;

/**
 * Newest revision of each type that the ipset tool of Debian 12 (7.17) can list. Later ones add options that are not
 * used here, and would make a set that the tool on the machine refuses to show.
 */
const LISTABLE: Readonly<Record<string, number>> = {
  'hash:ip': 6,
  'hash:net': 7,
  'hash:ip,port': 6,
  'hash:net,port': 8,
  'hash:net,net': 3,
  'bitmap:port': 3,
};

export class IpsetNetlink {
  readonly #socket: RequestSocket;
  readonly #revisions = new Map<string, number>();
  /** Types of sets, as far as seen: what a member's text means depends on it. */
  readonly #types = new Map<string, string>();

  private constructor(netns: string | undefined) {
    this.#socket = new RequestSocket(netns, NETLINK_NETFILTER, { send: 2 * SEND_SIZE });
  }

  /** @throws KernelError without permission; the file system's error when the namespace is gone */
  static open(options: { readonly netns?: string | undefined } = {}): IpsetNetlink {
    return new IpsetNetlink(options.netns);
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The sets with their members; with `name` that one alone, or an empty list where there is none. */
  save(name?: string): Promise<SavedSet[]> {
    return this.#list(name, 'members');
  }

  /** Names, types and limits without members, which is quick however large the sets are. */
  headers(): Promise<SavedSet[]> {
    return this.#list(undefined, 'headers');
  }

  /**
   * Carries out the steps in order.
   *
   * @param options.exist  creating what is there, adding a member twice and deleting one that is gone succeed; default true
   * @throws IpsetError for the first step that was refused; RangeError for a member that is none, before anything is done
   *   that comes behind it
   */
  async apply(
    steps: readonly IpsetStep[],
    { exist = true }: { readonly exist?: boolean } = {},
  ): Promise<void> {
    await this.#prepare(steps);
    let pending: Pending | undefined;
    const flush = async () => {
      if (pending !== undefined) await this.#send(pending, steps);
      pending = undefined;
    };
    for (let from = 0; from < steps.length; ) {
      const step = steps[from];
      if (step === undefined) break;
      const kind = isMember(step) ? 'members' : step.op === 'create' ? 'sets' : 'single';
      // What comes behind must not happen where this is refused.
      if (pending !== undefined && (kind === 'single' || kind !== pending.kind)) await flush();
      const to = isMember(step) ? endOfGroup(steps, from, step) : from + 1;
      pending ??= { writer: new MessageWriter(4096), firstSteps: [], kind };
      pending.firstSteps.push(from);
      this.#encode(pending.writer, steps, from, to, exist);
      if (pending.writer.length > SEND_SIZE) await flush();
      from = to;
    }
    await flush();
  }

  #encode(w: MessageWriter, steps: readonly IpsetStep[], from: number, to: number, exist: boolean): void {
    const step = steps[from];
    switch (step?.op) {
      case undefined:
        return;
      case 'create': {
        const { name, type, family, maxElements } = step;
        const revision = this.#revisions.get(revisionKey(step)) ?? 0;
        const ports = type === 'bitmap:port' ? ([0, 0xffff] as const) : undefined;
        encodeCreate(w, { name, type, family, maxElements, revision, ports }, exist);
        this.#types.set(name, type);
        return;
      }
      case 'add':
      case 'delete': {
        const members: string[] = [];
        for (let index = from; index < to; index++) {
          const each = steps[index];
          if (each !== undefined && isMember(each)) members.push(each.member);
        }
        encodeMembers(w, step.op, step.name, this.#dimensions(step.name), members, from + 1, exist);
        return;
      }
      case 'swap':
        encodePair(w, 'swap', step.name, step.with);
        return;
      case 'rename': {
        encodePair(w, 'rename', step.name, step.to);
        const type = this.#types.get(step.name);
        if (type !== undefined) this.#types.set(step.to, type);
        return;
      }
      case 'flush':
      case 'destroy':
        encodeSimple(w, step.op, step.name);
    }
  }

  async #send({ writer, firstSteps, kind }: Pending, steps: readonly IpsetStep[]): Promise<void> {
    let refused: { errno: number; index: number } | undefined;
    const hear = (message: number, bytes: Buffer, answer: Message): void => {
      if (answer.type !== NLMSG_ERROR) return;
      const { errno } = readVerdict(bytes, answer);
      if (errno === 0 || refused !== undefined) return;
      const line = readRefusedLine(bytes, answer);
      refused = { errno, index: line === undefined ? (firstSteps[message] ?? 0) : line - 1 };
    };
    await this.#socket.burst(writer, hear, { atOnce: kind === 'members' ? AT_ONCE : 0 });
    if (refused === undefined) return;
    const step = steps[refused.index];
    throw new IpsetError(refused.errno, step === undefined ? '' : stepText(step), refused.index);
  }

  /** Learns what encoding needs: revisions of new types, and the types of sets that others made. */
  async #prepare(steps: readonly IpsetStep[]): Promise<void> {
    const made = new Set<string>();
    for (const step of steps) {
      if (step.op === 'create') {
        made.add(step.name);
        await this.#learnRevision(step);
      } else if ((step.op === 'add' || step.op === 'delete') && !made.has(step.name)) {
        if (!this.#types.has(step.name)) await this.headers();
        made.add(step.name);
      }
    }
  }

  async #learnRevision(step: IpsetStep & { readonly op: 'create' }): Promise<void> {
    const key = revisionKey(step);
    if (this.#revisions.has(key)) return;
    if (step.options !== undefined && step.options.length > 0)
      throw new RangeError(`ipset create ${step.name}: options are for the tool: ${step.options.join(' ')}`);
    const writer = new MessageWriter();
    encodeTypeQuery(writer, step.type, familyOf({ type: step.type, family: step.family }));
    let newest: number | undefined;
    let errno = 0;
    await this.#socket.burst(writer, (_, bytes, message) => {
      if (message.type === TYPE_MESSAGE) newest = decodeRevision(bytes, message);
      else if (message.type === NLMSG_ERROR) errno = readVerdict(bytes, message).errno;
    });
    if (newest === undefined) throw new IpsetError(errno, stepText(step), 0);
    this.#revisions.set(key, Math.min(newest, LISTABLE[step.type] ?? newest));
  }

  #dimensions(name: string): readonly Dimension[] {
    const type = this.#types.get(name);
    // The kernel's own word for it follows: there is no such set.
    if (type === undefined) return ['net'];
    const dimensions = dimensionsOf(type);
    if (dimensions === undefined)
      throw new RangeError(`members of a ${type} are for the ipset tool: ${name}`);
    return dimensions;
  }

  async #list(name: string | undefined, detail: ListDetail): Promise<SavedSet[]> {
    const sets = new Map<string, SavedSet & { members: string[]; options: Record<string, string> }>();
    try {
      await this.#socket.dump(
        'IPSET_CMD_LIST',
        (w) => encodeList(w, name, detail),
        (bytes, message) => {
          if (message.type !== LIST_MESSAGE) return undefined;
          const part = decodeListed(bytes, message, (each) => sets.get(each)?.type);
          let set = sets.get(part.name);
          if (set === undefined) {
            const { type = '', family = 0, maxElements } = part.header ?? {};
            const options: Record<string, string> = {};
            if (family !== NFPROTO.unspecified) options.family = family === NFPROTO.ipv6 ? 'inet6' : 'inet';
            if (maxElements !== undefined) options.maxelem = String(maxElements);
            set = { name: part.name, type, options, members: [] };
            sets.set(part.name, set);
            this.#types.set(part.name, type);
          }
          for (const member of part.members) set.members.push(member);
          // No member reads like this: who compares sees that something is there that should not be.
          for (let i = 0; i < part.unreadable; i++) set.members.push('?');
          return undefined;
        },
      );
    } catch (error) {
      if (name !== undefined && isMissing(error)) return [];
      throw error;
    }
    return [...sets.values()];
  }
}

interface Pending {
  readonly writer: MessageWriter;
  /** Of each message, the index of its first step. */
  readonly firstSteps: number[];
  /** For all but members the kernel may wait for its readers, or load a module. */
  readonly kind: 'members' | 'sets' | 'single';
}

type MemberStep = IpsetStep & { readonly op: 'add' | 'delete' };

function isMember(step: IpsetStep): step is MemberStep {
  return step.op === 'add' || step.op === 'delete';
}

/** Steps that share a message: adding to, or deleting from, one set in a row. */
function endOfGroup(steps: readonly IpsetStep[], from: number, { op, name }: MemberStep): number {
  let to = from + 1;
  const limit = Math.min(steps.length, from + MEMBERS_PER_MESSAGE);
  while (to < limit && steps[to]?.op === op && steps[to]?.name === name) to++;
  return to;
}

function revisionKey({ type, family }: IpsetStep & { readonly op: 'create' }): string {
  return `${type} ${family ?? 'inet'}`;
}

function stepText(step: IpsetStep): string {
  const more = 'member' in step ? ` ${step.member}` : '';
  return `${step.op} ${step.name}${more}`;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && errnoName(Number(error.errno)) === 'ENOENT';
}
