/** Members of address sets, asked by address. Pure. */
import { Prefix, type Address, type IpVersion } from '../../../net/addr/index.ts';
import type { Member, SetChange, SetId } from '../../calc/model.ts';
import { setName } from '../../rules/names.ts';

interface Members {
  readonly members: Set<Member>;
  /** How many members have each prefix length. */
  readonly lengths: Map<number, number>;
}

const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

export class MemberIndex {
  readonly #sets = new Map<string, Members>();

  update(changes: ReadonlyMap<SetId, SetChange>): void {
    for (const [id, change] of changes)
      for (const version of [4, 6] as const) this.#change(setName(version, id), version, change);
  }

  /** Undefined: there is no such set. */
  has(
    set: string,
    address: Address,
    port?: { readonly protocol: number; readonly port: number },
  ): boolean | undefined {
    const found = this.#sets.get(set);
    if (found === undefined) return undefined;
    if (port !== undefined) {
      const name = PROTOCOLS.get(port.protocol);
      return name !== undefined && found.members.has(`${address.toString()},${name}:${port.port}`);
    }
    if (found.members.has(address.toString())) return true;
    for (const length of found.lengths.keys())
      if (length < address.bits && found.members.has(Prefix.of(address, length).toString())) return true;
    return false;
  }

  #change(name: string, version: IpVersion, change: SetChange): void {
    if (change.type === 'gone') {
      this.#sets.delete(name);
      return;
    }
    if (change.type === 'whole') {
      const fresh: Members = { members: new Set(), lengths: new Map() };
      this.#sets.set(name, fresh);
      for (const member of change.members) if (isOf(member, version)) put(fresh, member, version);
      return;
    }
    const set = this.#sets.get(name);
    if (set === undefined) return;
    for (const member of change.added) if (isOf(member, version)) put(set, member, version);
    for (const member of change.removed) if (isOf(member, version)) take(set, member, version);
  }
}

function isOf(member: Member, version: IpVersion): boolean {
  const comma = member.indexOf(',');
  return (comma < 0 ? member : member.slice(0, comma)).includes(':') === (version === 6);
}

function lengthOf(member: Member, version: IpVersion): number {
  const slash = member.indexOf('/');
  return slash < 0 ? (version === 4 ? 32 : 128) : Number(member.slice(slash + 1));
}

function put(set: Members, member: Member, version: IpVersion): void {
  if (set.members.has(member)) return;
  set.members.add(member);
  const length = lengthOf(member, version);
  set.lengths.set(length, (set.lengths.get(length) ?? 0) + 1);
}

function take(set: Members, member: Member, version: IpVersion): void {
  if (!set.members.delete(member)) return;
  const length = lengthOf(member, version);
  const left = (set.lengths.get(length) ?? 1) - 1;
  if (left === 0) set.lengths.delete(length);
  else set.lengths.set(length, left);
}
