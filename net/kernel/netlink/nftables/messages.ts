/** Objects of nf_tables as netlink messages, both ways. Pure. Numbers from linux/netfilter/nf_tables.h. */
import { eachAttribute, type Message, type MessageWriter, NLM_F_CREATE, readString } from '../message.ts';
import { beginNetfilter, messageType, NFGENMSG, NFPROTO, SUBSYSTEM } from '../nfnetlink.ts';
import { readData, readExpressions, writeExpressions, writeValue, writeVerdict } from './expression-codec.ts';
import type {
  BaseChain,
  KeyType,
  ListedRule,
  NftChain,
  NftElement,
  NftFamily,
  NftHook,
  NftRule,
  NftSet,
  TableRef,
} from './model.ts';

const COMMAND = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  deleteChain: 5,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  newSet: 9,
  getSet: 10,
  deleteSet: 11,
  newElement: 12,
  getElement: 13,
  deleteElement: 14,
  newGeneration: 15,
  getGeneration: 16,
} as const;

const typeOf = (command: keyof typeof COMMAND): number => messageType(SUBSYSTEM.nftables, COMMAND[command]);
export const MESSAGE = {
  table: typeOf('newTable'),
  chain: typeOf('newChain'),
  rule: typeOf('newRule'),
  set: typeOf('newSet'),
  elements: typeOf('newElement'),
  generation: typeOf('newGeneration'),
} as const;

const NLM_F_APPEND = 0x800;
export const NLM_F_ECHO = 0x8;
const NLM_F_DUMP = 0x300;
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;

const FAMILIES: Readonly<Record<NftFamily, number>> = {
  ip: NFPROTO.ipv4,
  ip6: NFPROTO.ipv6,
  inet: NFPROTO.inet,
};
const HOOKS: readonly NftHook[] = ['prerouting', 'input', 'forward', 'output', 'postrouting'];

/** Messages between these two are one transaction. */
export function encodeBatchBegin(w: MessageWriter): void {
  beginNetfilter(w, BATCH_BEGIN, 0, NFPROTO.unspecified, SUBSYSTEM.nftables);
  w.end();
}

export function encodeBatchEnd(w: MessageWriter): void {
  beginNetfilter(w, BATCH_END, 0, NFPROTO.unspecified, SUBSYSTEM.nftables);
  w.end();
}

function begin(
  w: MessageWriter,
  command: keyof typeof COMMAND,
  { family }: Pick<TableRef, 'family'>,
  flags = 0,
): void {
  beginNetfilter(w, typeOf(command), flags, FAMILIES[family]);
}

export function encodeTable(w: MessageWriter, op: 'add' | 'delete', table: TableRef): void {
  begin(w, op === 'add' ? 'newTable' : 'deleteTable', table, op === 'add' ? NLM_F_CREATE : 0);
  w.attributeString(1, table.name);
  if (op === 'add') w.attributeBE32(2, 0);
  w.end();
}

export function encodeChain(w: MessageWriter, table: TableRef, { name, base }: NftChain): void {
  begin(w, 'newChain', table, NLM_F_CREATE);
  w.attributeString(1, table.name);
  w.attributeString(3, name);
  if (base !== undefined) {
    w.nested(4, () => {
      w.attributeBE32(1, HOOKS.indexOf(base.hook));
      w.attributeBE32(2, base.priority);
    });
    w.attributeBE32(5, base.policy === 'drop' ? NF_DROP : NF_ACCEPT);
    w.attributeString(7, base.type);
  }
  w.end();
}

export function encodeChainDelete(w: MessageWriter, table: TableRef, chain: string): void {
  begin(w, 'deleteChain', table);
  w.attributeString(1, table.name);
  w.attributeString(3, chain);
  w.end();
}

/** @param echo  ask for the rule as it was taken, with its handle */
export function encodeRule(w: MessageWriter, table: TableRef, rule: NftRule, echo: boolean): void {
  begin(w, 'newRule', table, NLM_F_CREATE | NLM_F_APPEND | (echo ? NLM_F_ECHO : 0));
  w.attributeString(1, table.name);
  w.attributeString(2, rule.chain);
  const { written } = rule;
  if (written?.octets !== undefined) w.bytes(written.octets);
  else {
    const start = w.length;
    writeExpressions(w, 4, rule.expressions);
    if (written !== undefined) written.octets = w.since(start);
  }
  if (rule.comment !== undefined) writeComment(w, rule.comment);
  w.end();
}

/** NFTNL_UDATA_RULE_COMMENT: type, length, text with its NUL. The nft tool takes 128 octets. */
function writeComment(w: MessageWriter, comment: string): void {
  const start = w.openAttribute(7);
  w.u8(0);
  w.u8(0);
  const from = w.length;
  w.text(comment);
  w.u8(0);
  const size = w.length - from;
  if (size > 128) throw new RangeError(`nftables: a comment of more than 127 octets: ${comment}`);
  w.setU8(from - 1, size);
  w.closeAttribute(start);
}

const SET_FLAG = { anonymous: 1, interval: 4, map: 8 } as const;
/** As libnftables numbers them; the kernel only keeps these, for whoever lists the set. */
const KEY_TYPES: Readonly<Record<KeyType, { readonly number: number; readonly length: number }>> = {
  ipv4_addr: { number: 7, length: 4 },
  ipv6_addr: { number: 8, length: 16 },
  inet_proto: { number: 12, length: 1 },
  inet_service: { number: 13, length: 2 },
  ifname: { number: 41, length: 16 },
};
const POLICY_MEMORY = 1;
/** Verdicts, from linux/netfilter.h. */
const NF_DROP = 0;
const NF_ACCEPT = 1;
const TYPE_BITS = 6;
const HOST_ENDIAN = 1;
const VERDICT_DATA = 0xffff_ff00;

function keyOf(types: readonly KeyType[]): { readonly number: number; readonly length: number } {
  const [first] = types;
  if (types.length === 1 && first !== undefined) return KEY_TYPES[first];
  let [number, length] = [0, 0];
  for (const type of types) {
    number = number * 2 ** TYPE_BITS + KEY_TYPES[type].number;
    length += (KEY_TYPES[type].length + 3) & ~3;
  }
  return { number, length };
}

export function encodeSet(w: MessageWriter, table: TableRef, set: NftSet, id: number): void {
  const key = keyOf(set.key);
  const flags = (set.interval === true ? SET_FLAG.interval : 0) | (set.verdicts === true ? SET_FLAG.map : 0);
  beginSet(w, table, { name: set.name, id, flags, keyNumber: key.number, keyLength: key.length });
  if (set.verdicts === true) {
    w.attributeBE32(6, VERDICT_DATA);
    w.attributeBE32(7, 0);
  }
  if (set.frugal === true) w.attributeBE32(8, POLICY_MEMORY);
  if (set.size !== undefined) {
    const { size } = set;
    w.nested(9, () => w.attributeBE32(1, size));
  }
  // NFTNL_UDATA_SET_KEYBYTEORDER: without it the nft tool takes names of interfaces for numbers, and shows nothing.
  if (set.key.includes('ifname')) w.attribute(13, Buffer.from([0, 4, HOST_ENDIAN, 0, 0, 0]));
  w.end();
}

function beginSet(
  w: MessageWriter,
  table: TableRef,
  set: {
    readonly name: string;
    readonly id: number;
    readonly flags: number;
    readonly keyNumber: number;
    readonly keyLength: number;
  },
): void {
  begin(w, 'newSet', table, NLM_F_CREATE);
  w.attributeString(1, table.name);
  w.attributeString(2, set.name);
  w.attributeBE32(3, set.flags);
  w.attributeBE32(4, set.keyNumber);
  w.attributeBE32(5, set.keyLength);
  w.attributeBE32(10, set.id);
}

/** Elements of one message: its list may take 64 KiB, and an IPv6 range takes some 80 octets. */
const ELEMENTS_PER_MESSAGE = 600;
const INTERVAL_END = 1;

/** As many messages as it takes. */
export function encodeElements(
  w: MessageWriter,
  op: 'add' | 'delete',
  table: TableRef,
  set: string,
  elements: readonly NftElement[],
): void {
  for (let at = 0; at < elements.length; at += ELEMENTS_PER_MESSAGE) {
    begin(w, op === 'add' ? 'newElement' : 'deleteElement', table, op === 'add' ? NLM_F_CREATE : 0);
    w.attributeString(1, table.name);
    w.attributeString(2, set);
    const list = w.openNested(3);
    for (let index = at; index < Math.min(at + ELEMENTS_PER_MESSAGE, elements.length); index++) {
      const element = elements[index];
      if (element !== undefined) writeElement(w, element);
    }
    w.closeAttribute(list);
    w.end();
  }
}

function writeElement(w: MessageWriter, { key, end, verdict }: NftElement): void {
  const first = w.openNested(1);
  writeValue(w, 1, key);
  if (verdict !== undefined) writeVerdict(w, 2, verdict);
  w.closeAttribute(first);
  if (end === undefined) return;
  const behind = w.openNested(1);
  writeValue(w, 1, end);
  w.attributeBE32(3, INTERVAL_END);
  w.closeAttribute(behind);
}

export function encodeSetDelete(w: MessageWriter, table: TableRef, set: string): void {
  begin(w, 'deleteSet', table);
  w.attributeString(1, table.name);
  w.attributeString(2, set);
  w.end();
}

/** Takes all elements out. */
export function encodeSetFlush(w: MessageWriter, table: TableRef, set: string): void {
  begin(w, 'deleteElement', table);
  w.attributeString(1, table.name);
  w.attributeString(2, set);
  w.end();
}

/** One rule by its handle, or all rules of a chain. */
export function encodeRuleDelete(w: MessageWriter, table: TableRef, chain: string, handle?: bigint): void {
  begin(w, 'deleteRule', table);
  w.attributeString(1, table.name);
  w.attributeString(2, chain);
  if (handle !== undefined) w.attributeBE64(3, handle);
  w.end();
}

export function encodeDump(
  w: MessageWriter,
  what: 'chains' | 'rules' | 'sets' | 'elements' | 'tables',
  table: TableRef,
  object?: string,
): void {
  const command = {
    chains: 'getChain',
    rules: 'getRule',
    sets: 'getSet',
    elements: 'getElement',
    tables: 'getTable',
  } as const;
  begin(w, command[what], table, NLM_F_DUMP);
  if (what !== 'tables') w.attributeString(1, table.name);
  if (object !== undefined) w.attributeString(2, object);
  w.end();
}

export function encodeGenerationQuery(w: MessageWriter): void {
  begin(w, 'getGeneration', { family: 'inet' });
  w.end();
}

interface Attributes {
  readonly bytes: Buffer;
  readonly at: ReadonlyMap<number, readonly [number, number]>;
}

function attributes(bytes: Buffer, { start, end }: Message): Attributes {
  const at = new Map<number, readonly [number, number]>();
  eachAttribute(bytes, start + NFGENMSG, end, (type, from, to) => at.set(type, [from, to]));
  return { bytes, at };
}

function text({ bytes, at }: Attributes, type: number): string {
  const found = at.get(type);
  return found === undefined ? '' : readString(bytes, ...found);
}

function u32({ bytes, at }: Attributes, type: number): number {
  const found = at.get(type);
  return found === undefined ? 0 : bytes.readUInt32BE(found[0]);
}

/** Table, in any message about one of its objects, and the chain in those about chains and rules. */
export function decodePlace(
  bytes: Buffer,
  message: Message,
): { readonly family: number; readonly table: string; readonly chain: string | undefined } {
  const found = attributes(bytes, message);
  const command = message.type & 0xff;
  const isRule = command === COMMAND.newRule || command === COMMAND.deleteRule;
  const isChain = command === COMMAND.newChain || command === COMMAND.deleteChain;
  const chain = isRule ? text(found, 2) : isChain ? text(found, 3) : undefined;
  return { family: bytes.readUInt8(message.start), table: text(found, 1), chain };
}

export function isTable(table: TableRef, family: number, name: string): boolean {
  return name === table.name && family === FAMILIES[table.family];
}

export function decodeChain(
  bytes: Buffer,
  message: Message,
): { readonly table: string; readonly chain: NftChain } {
  const found = attributes(bytes, message);
  const name = text(found, 3);
  const hook = found.at.get(4);
  const table = text(found, 1);
  if (hook === undefined) return { table, chain: { name } };
  const base = decodeHook(bytes, hook, text(found, 7));
  const policy = found.at.get(5);
  const drops = policy !== undefined && bytes.readUInt32BE(policy[0]) === NF_DROP;
  return { table, chain: { name, base: drops ? { ...base, policy: 'drop' } : base } };
}

function decodeHook(bytes: Buffer, [start, end]: readonly [number, number], type: string): BaseChain {
  let [hook, priority] = [0, 0];
  eachAttribute(bytes, start, end, (attribute, from) => {
    if (attribute === 1) hook = bytes.readUInt32BE(from);
    if (attribute === 2) priority = bytes.readInt32BE(from);
  });
  return {
    type: type === 'nat' || type === 'route' ? type : 'filter',
    hook: HOOKS[hook] ?? 'prerouting',
    priority,
  };
}

export function decodeRule(
  bytes: Buffer,
  message: Message,
): { readonly table: string; readonly rule: ListedRule } {
  const found = attributes(bytes, message);
  const [handleAt] = found.at.get(3) ?? [];
  const list = found.at.get(4);
  const comment = decodeComment(bytes, found.at.get(7));
  const rule = {
    chain: text(found, 2),
    handle: handleAt === undefined ? 0n : bytes.readBigUInt64BE(handleAt),
    expressions: list === undefined ? [] : readExpressions(bytes, ...list),
    ...(comment === undefined ? {} : { comment }),
  };
  return { table: text(found, 1), rule };
}

/** The handle alone, out of an echo. */
export function decodeHandle(bytes: Buffer, message: Message): bigint {
  const [at] = attributes(bytes, message).at.get(3) ?? [];
  return at === undefined ? 0n : bytes.readBigUInt64BE(at);
}

function decodeComment(bytes: Buffer, userdata: readonly [number, number] | undefined): string | undefined {
  if (userdata === undefined) return undefined;
  const [start, end] = userdata;
  for (let at = start; at + 2 <= end; ) {
    const [type, length] = [bytes.readUInt8(at), bytes.readUInt8(at + 1)];
    if (type === 0) return readString(bytes, at + 2, Math.min(at + 2 + length, end));
    at += 2 + length;
  }
  return undefined;
}

export interface ListedSet extends NftSet {
  readonly anonymous: boolean;
  /** As the kernel has it: key type's number and length, flags. Equal for sets of one make. */
  readonly make: string;
}

export function decodeSet(bytes: Buffer, message: Message): ListedSet & { readonly table: string } {
  const found = attributes(bytes, message);
  const flags = u32(found, 3);
  const anonymous = (flags & SET_FLAG.anonymous) !== 0;
  return {
    table: text(found, 1),
    name: text(found, 2),
    key: [],
    interval: (flags & SET_FLAG.interval) !== 0,
    verdicts: (flags & SET_FLAG.map) !== 0,
    anonymous,
    make: [u32(found, 4), u32(found, 5), flags & (SET_FLAG.interval | SET_FLAG.map)].join(' '),
  };
}

/** What {@link decodeSet} says of a set that was made like this. */
export function makeOf(set: NftSet): string {
  const { number, length } = keyOf(set.key);
  const flags = (set.interval === true ? SET_FLAG.interval : 0) | (set.verdicts === true ? SET_FLAG.map : 0);
  return [number, length, flags].join(' ');
}

/** One half of a range where the set has ranges. */
export interface ListedKey extends NftElement {
  readonly isEnd: boolean;
}

export function decodeElements(bytes: Buffer, message: Message): ListedKey[] {
  const keys: ListedKey[] = [];
  const list = attributes(bytes, message).at.get(3);
  if (list === undefined) return keys;
  eachAttribute(bytes, list[0], list[1], (_, start, end) => {
    let key = '';
    let flags = 0;
    let verdict;
    eachAttribute(bytes, start, end, (type, from, to) => {
      if (type === 1) key = readData(bytes, from, to).value ?? '';
      else if (type === 2) ({ verdict } = readData(bytes, from, to));
      else if (type === 3) flags = bytes.readUInt32BE(from);
    });
    keys.push({ key, isEnd: (flags & INTERVAL_END) !== 0, ...(verdict === undefined ? {} : { verdict }) });
  });
  return keys;
}

/** Puts halves of ranges together. Keys of one set, in any order. */
export function joinElements(keys: readonly ListedKey[]): NftElement[] {
  // Where a range ends and the next begins with the same key, the end comes first.
  const sorted = keys.toSorted((a, b) =>
    a.key === b.key ? Number(b.isEnd) - Number(a.isEnd) : a.key < b.key ? -1 : 1,
  );
  const elements: NftElement[] = [];
  for (const [index, { key, isEnd, verdict }] of sorted.entries()) {
    if (isEnd) continue;
    const next = sorted[index + 1];
    const element = verdict === undefined ? { key } : { key, verdict };
    elements.push(next?.isEnd === true ? { ...element, end: next.key } : element);
  }
  return elements;
}

export interface Generation {
  readonly id: number;
  /** Thread that made it, and its name; of an event, not of an answer. */
  readonly pid: number;
  readonly program: string;
}

export function decodeGeneration(bytes: Buffer, message: Message): Generation {
  const found = attributes(bytes, message);
  return { id: u32(found, 1), pid: u32(found, 2), program: text(found, 3) };
}

/** Low 16 bits of the generation in which the event's transaction was made, in every message of nf_tables. */
export function eventGeneration(bytes: Buffer, { start }: Message): number {
  return bytes.readUInt16BE(start + 2);
}
