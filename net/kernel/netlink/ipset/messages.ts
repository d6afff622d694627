/** Commands of ipset's netlink as messages. Pure. Attribute numbers from linux/netfilter/ipset/ip_set.h. */
import { eachAttribute, type Message, type MessageWriter, readString } from '../message.ts';
import { beginNetfilter, messageType, NFGENMSG, NFPROTO, SUBSYSTEM } from '../nfnetlink.ts';
import { DATA, type Dimension, dimensionsOf, readMember, writeMember } from './members.ts';

const COMMAND = {
  create: 2,
  destroy: 3,
  flush: 4,
  rename: 5,
  swap: 6,
  list: 7,
  add: 9,
  delete: 10,
  type: 13,
} as const;
export const LIST_MESSAGE = messageType(SUBSYSTEM.ipset, COMMAND.list);
export const TYPE_MESSAGE = messageType(SUBSYSTEM.ipset, COMMAND.type);

const ATTRIBUTE = {
  protocol: 1,
  name: 2,
  typeName: 3,
  /** Of swap and rename: the other name. */
  otherName: 3,
  revision: 4,
  family: 5,
  flags: 6,
  data: 7,
  members: 8,
  line: 9,
} as const;

/** Linux 4.2 and later speak 7; 6 has all that is used here and every kernel speaks it. */
const PROTOCOL = 6;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const LIST_NAMES_ONLY = 1 << 1;
const LIST_HEADERS_ONLY = 1 << 2;

function begin(w: MessageWriter, command: number, exist: boolean, family: number, flags = 0): void {
  beginNetfilter(w, messageType(SUBSYSTEM.ipset, command), flags | (exist ? 0 : NLM_F_EXCL), family);
  w.attributeU8(ATTRIBUTE.protocol, PROTOCOL);
}

export interface NewSet {
  readonly name: string;
  readonly type: string;
  /** Of the type, as this kernel has it: see {@link encodeTypeQuery}. */
  readonly revision: number;
  readonly family: 'inet' | 'inet6' | undefined;
  readonly maxElements: number | undefined;
  /** Of `bitmap:port`: first and last. */
  readonly ports?: readonly [number, number] | undefined;
}

/** @param exist  a set of that name and make is no failure */
export function encodeCreate(w: MessageWriter, set: NewSet, exist: boolean): void {
  begin(w, COMMAND.create, exist, NFPROTO.ipv4, NLM_F_CREATE);
  w.attributeString(ATTRIBUTE.name, set.name);
  w.attributeString(ATTRIBUTE.typeName, set.type);
  w.attributeU8(ATTRIBUTE.revision, set.revision);
  w.attributeU8(ATTRIBUTE.family, familyOf(set));
  w.nested(ATTRIBUTE.data, () => {
    if (set.maxElements !== undefined) w.attributeBE32(DATA.maxElements, set.maxElements, true);
    if (set.ports !== undefined) {
      w.attributeBE16(DATA.port, set.ports[0], true);
      w.attributeBE16(DATA.portTo, set.ports[1], true);
    }
  });
  w.end();
}

export function familyOf({ type, family }: Pick<NewSet, 'type' | 'family'>): number {
  if (type.startsWith('bitmap:')) return NFPROTO.unspecified;
  return family === 'inet6' ? NFPROTO.ipv6 : NFPROTO.ipv4;
}

/** Destroys or empties one set. */
export function encodeSimple(w: MessageWriter, op: 'destroy' | 'flush', name: string): void {
  begin(w, COMMAND[op], true, NFPROTO.ipv4);
  w.attributeString(ATTRIBUTE.name, name);
  w.end();
}

/** `swap` exchanges the contents under two names; `rename` wants the second one free. */
export function encodePair(w: MessageWriter, op: 'swap' | 'rename', name: string, other: string): void {
  begin(w, COMMAND[op], true, NFPROTO.ipv4);
  w.attributeString(ATTRIBUTE.name, name);
  w.attributeString(ATTRIBUTE.otherName, other);
  w.end();
}

/**
 * Adds or deletes members of one set, in order; a refusal ends the message at that member.
 *
 * @param firstLine  of the first member, not 0; the others are counted from it, and one comes back in the kernel's refusal
 * @param exist  a member that is there already, or is gone already, is no failure
 * @throws RangeError on text that is no member of such a set; the message is then to be discarded
 */
export function encodeMembers(
  w: MessageWriter,
  op: 'add' | 'delete',
  name: string,
  dimensions: readonly Dimension[],
  members: readonly string[],
  firstLine: number,
  exist: boolean,
): void {
  begin(w, COMMAND[op], exist, NFPROTO.ipv4);
  w.attributeString(ATTRIBUTE.name, name);
  w.attributeBE32(ATTRIBUTE.line, 0, true);
  const list = w.openNested(ATTRIBUTE.members);
  let line = firstLine;
  for (const member of members) {
    const data = w.openNested(ATTRIBUTE.data);
    writeMember(w, dimensions, member);
    w.attributeBE32(DATA.line, line++, true);
    w.closeAttribute(data);
  }
  w.closeAttribute(list);
  w.end();
}

/** The line number that the kernel writes into the copy of a refused message of {@link encodeMembers}. */
export function readRefusedLine(bytes: Buffer, { start, end }: Message): number | undefined {
  const copy = start + 4;
  const attributes = copy + 16 + NFGENMSG;
  if (attributes > end) return undefined;
  let line: number | undefined;
  eachAttribute(bytes, attributes, end, (type, from) => {
    if (type === ATTRIBUTE.line) line = bytes.readUInt32BE(from);
  });
  return line === 0 ? undefined : line;
}

/** Asks which revisions of a type the kernel has. */
export function encodeTypeQuery(w: MessageWriter, type: string, family: number): void {
  begin(w, COMMAND.type, true, family);
  w.attributeString(ATTRIBUTE.typeName, type);
  w.attributeU8(ATTRIBUTE.family, family);
  w.end();
}

/** The newest revision, out of the answer to {@link encodeTypeQuery}. */
export function decodeRevision(bytes: Buffer, { start, end }: Message): number | undefined {
  let revision: number | undefined;
  eachAttribute(bytes, start + NFGENMSG, end, (type, from) => {
    if (type === ATTRIBUTE.revision) revision = bytes.readUInt8(from);
  });
  return revision;
}

export type ListDetail = 'members' | 'headers' | 'names';

/** Asks for one set or all; what comes is read by {@link decodeListed}. */
export function encodeList(w: MessageWriter, name: string | undefined, detail: ListDetail): void {
  const NLM_F_DUMP = 0x300;
  begin(w, COMMAND.list, true, NFPROTO.ipv4, NLM_F_DUMP);
  if (name !== undefined) w.attributeString(ATTRIBUTE.name, name);
  if (detail !== 'members')
    w.attributeBE32(ATTRIBUTE.flags, detail === 'names' ? LIST_NAMES_ONLY : LIST_HEADERS_ONLY, true);
  w.end();
}

/** One message of a list. A large set comes in several, of which the first alone has the header. */
export interface ListedPart {
  readonly name: string;
  readonly header:
    | { readonly type: string; readonly family: number; readonly maxElements: number | undefined }
    | undefined;
  /** Members with more to them than their dimensions are left out and counted. */
  readonly members: string[];
  readonly unreadable: number;
}

/** @param typeOf  the type of a set whose header came in an earlier message */
export function decodeListed(
  bytes: Buffer,
  { start, end }: Message,
  typeOf: (name: string) => string | undefined,
): ListedPart {
  let name = '';
  let type: string | undefined;
  let family = 0;
  let maxElements: number | undefined;
  const lists: [number, number][] = [];
  eachAttribute(bytes, start + NFGENMSG, end, (attribute, from, to) => {
    if (attribute === ATTRIBUTE.name) name = readString(bytes, from, to);
    else if (attribute === ATTRIBUTE.typeName) type = readString(bytes, from, to);
    else if (attribute === ATTRIBUTE.family) family = bytes.readUInt8(from);
    else if (attribute === ATTRIBUTE.members) lists.push([from, to]);
    else if (attribute === ATTRIBUTE.data)
      eachAttribute(bytes, from, to, (option, at) => {
        if (option === DATA.maxElements) maxElements = bytes.readUInt32BE(at);
      });
  });
  const dimensions = dimensionsOf(type ?? typeOf(name) ?? '');
  const members: string[] = [];
  let unreadable = 0;
  for (const [first, last] of lists)
    eachAttribute(bytes, first, last, (_, from, to) => {
      const member = dimensions === undefined ? undefined : readMember(bytes, from, to, dimensions);
      if (member === undefined) unreadable++;
      else members.push(member);
    });
  const header = type === undefined ? undefined : { type, family, maxElements };
  return { name, header, members, unreadable };
}
