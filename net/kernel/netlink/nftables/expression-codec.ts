/** Expressions of nf_tables as netlink attributes, both ways. Pure. Numbers from linux/netfilter/nf_tables.h. */
import type { IpVersion } from '../../../addr/index.ts';
import { eachAttribute, type MessageWriter, readString } from '../message.ts';
import type { Expression, MetaKey, NftVerdict, VerdictCode } from './expression.ts';

const LIST_ELEMENT = 1;
const EXPRESSION_NAME = 1;
const EXPRESSION_DATA = 2;
export const DATA_VALUE = 1;
export const DATA_VERDICT = 2;
const VERDICT_CODE = 1;
const VERDICT_CHAIN = 2;

const VERDICTS: Readonly<Record<VerdictCode, number>> = {
  drop: 0,
  accept: 1,
  continue: 0xffff_ffff,
  jump: 0xffff_fffd,
  goto: 0xffff_fffc,
  return: 0xffff_fffb,
};
const VERDICT_NAMES = new Map(entriesOf(VERDICTS).map(([name, code]) => [code, name]));

const META_KEYS: Readonly<Record<MetaKey, number>> = {
  mark: 3,
  iifname: 6,
  oifname: 7,
  nfproto: 15,
  l4proto: 16,
};
const META_NAMES = new Map(entriesOf(META_KEYS).map(([name, key]) => [key, name]));

const PAYLOAD_BASE = { network: 1, transport: 2 } as const;
const CMP_OP = { eq: 0, neq: 1 } as const;
const CT_STATE = 0;
const CT_STATUS = 2;
const LOOKUP_INVERT = 1;
/** NFT_FIB_RESULT_OIF; source address, mark and incoming interface. */
const FIB_RESULT_OIF = 1;
const FIB_FLAGS = 1 | 4 | 8;

function entriesOf<K extends string>(record: Readonly<Record<K, number>>): readonly (readonly [K, number])[] {
  // Object.entries forgets the keys' type.
  return Object.entries<number>(record) as [K, number][];
}

/** Writes the list of expressions into the attribute that holds it. */
export function writeExpressions(
  w: MessageWriter,
  attribute: number,
  expressions: readonly Expression[],
): void {
  const list = w.openNested(attribute);
  for (const each of expressions) {
    const element = w.openNested(LIST_ELEMENT);
    w.attributeString(EXPRESSION_NAME, nameOf(each));
    const data = w.openNested(EXPRESSION_DATA);
    writeBody(w, each);
    w.closeAttribute(data);
    w.closeAttribute(element);
  }
  w.closeAttribute(list);
}

/** NFT_REJECT_ICMP_UNREACH, and the codes for ports of RFC 792 and RFC 4443. */
const REJECT_ICMP = 0;
const PORT_UNREACHABLE = { 4: 3, 6: 4 } as const;
const REJECTING: ReadonlyMap<number, IpVersion> = new Map([
  [PORT_UNREACHABLE[4], 4],
  [PORT_UNREACHABLE[6], 6],
]);
const NAT_TYPES = { snat: 0, dnat: 1 } as const;
/** NFPROTO_IPV4, NFPROTO_IPV6. */
const NAT_FAMILIES = { 4: 2, 6: 10 } as const;
/** NF_NAT_RANGE_PROTO_SPECIFIED. */
const PROTO_SPECIFIED = 2;
/** With NF_NAT_RANGE_MAP_IPS: what follows from what else is given. */
const NAT_SPECIFIED = 1 | PROTO_SPECIFIED;

function nameOf(each: Expression): string {
  switch (each.kind) {
    case 'meta-set':
      return 'meta';
    case 'ct-state':
    case 'ct-status':
      return 'ct';
    case 'verdict-map':
      return 'lookup';
    case 'fib-source-route':
      return 'fib';
    case 'masquerade':
      return 'masq';
    case 'load':
    case 'verdict':
      return 'immediate';
    case 'unknown':
      throw new RangeError(`nftables: cannot write what was not understood: ${each.name}`);
    default:
      return each.kind;
  }
}

function writeBody(w: MessageWriter, each: Expression): void {
  switch (each.kind) {
    case 'payload':
      w.attributeBE32(1, each.register);
      w.attributeBE32(2, PAYLOAD_BASE[each.base]);
      w.attributeBE32(3, each.offset);
      w.attributeBE32(4, each.length);
      return;
    case 'meta':
    case 'meta-set':
      w.attributeBE32(2, META_KEYS[each.key]);
      w.attributeBE32(each.kind === 'meta' ? 1 : 3, each.register);
      return;
    case 'ct-state':
    case 'ct-status':
      w.attributeBE32(2, each.kind === 'ct-state' ? CT_STATE : CT_STATUS);
      w.attributeBE32(1, each.register);
      return;
    case 'cmp':
      w.attributeBE32(1, each.register);
      w.attributeBE32(2, CMP_OP[each.op]);
      writeValue(w, 3, each.data);
      return;
    case 'range':
      w.attributeBE32(1, each.register);
      w.attributeBE32(2, CMP_OP[each.op]);
      writeValue(w, 3, each.from);
      writeValue(w, 4, each.to);
      return;
    case 'bitwise':
      w.attributeBE32(1, each.register);
      w.attributeBE32(2, each.register);
      w.attributeBE32(3, each.length);
      writeValue(w, 4, each.mask);
      writeValue(w, 5, each.xor);
      return;
    case 'lookup':
      w.attributeString(1, each.set);
      w.attributeBE32(2, each.register);
      if (each.invert) w.attributeBE32(5, LOOKUP_INVERT);
      return;
    case 'verdict-map':
      w.attributeString(1, each.map);
      w.attributeBE32(2, each.register);
      w.attributeBE32(3, 0);
      return;
    case 'fib-source-route':
      w.attributeBE32(1, each.register);
      w.attributeBE32(2, FIB_RESULT_OIF);
      w.attributeBE32(3, FIB_FLAGS);
      return;
    case 'counter':
      w.attributeBE64(1, each.bytes);
      w.attributeBE64(2, each.packets);
      return;
    case 'limit':
      w.attributeBE64(1, BigInt(each.rate));
      w.attributeBE64(2, BigInt(each.perSeconds));
      w.attributeBE32(3, each.burst);
      w.attributeBE32(4, 0);
      w.attributeBE32(5, 0);
      return;
    case 'log':
      w.attributeString(2, each.prefix);
      w.attributeBE32(5, each.level);
      return;
    case 'verdict':
      w.attributeBE32(1, 0);
      writeVerdict(w, 2, each.verdict);
      return;
    case 'load':
      w.attributeBE32(1, each.register);
      writeValue(w, 2, each.data);
      return;
    case 'match':
      w.attributeString(1, each.name);
      w.attributeBE32(2, each.revision);
      w.attribute(3, Buffer.from(each.info, 'hex'));
      return;
    case 'masquerade':
      if (each.ports === undefined) return;
      // Of a masquerade, the kernel does not draw this conclusion itself.
      w.attributeBE32(1, PROTO_SPECIFIED);
      w.attributeBE32(2, each.ports.from);
      w.attributeBE32(3, each.ports.to);
      return;
    case 'nat':
      w.attributeBE32(1, NAT_TYPES[each.type]);
      w.attributeBE32(2, NAT_FAMILIES[each.version]);
      w.attributeBE32(3, each.address);
      if (each.ports === undefined) return;
      w.attributeBE32(5, each.ports.from);
      w.attributeBE32(6, each.ports.to);
      return;
    case 'reject':
      w.attributeBE32(1, REJECT_ICMP);
      w.attributeU8(2, PORT_UNREACHABLE[each.version]);
      return;
    case 'notrack':
    case 'unknown':
  }
}

export function writeValue(w: MessageWriter, attribute: number, hex: string): void {
  const value = w.openNested(attribute);
  const data = w.openAttribute(DATA_VALUE);
  w.hex(hex);
  w.closeAttribute(data);
  w.closeAttribute(value);
}

export function writeVerdict(w: MessageWriter, attribute: number, { code, chain }: NftVerdict): void {
  const value = w.openNested(attribute);
  const data = w.openNested(DATA_VERDICT);
  w.attributeBE32(VERDICT_CODE, VERDICTS[code]);
  if (chain !== undefined) w.attributeString(VERDICT_CHAIN, chain);
  w.closeAttribute(data);
  w.closeAttribute(value);
}

/** Reads a list of expressions. */
export function readExpressions(bytes: Buffer, start: number, end: number): Expression[] {
  const expressions: Expression[] = [];
  eachAttribute(bytes, start, end, (_, from, to) => {
    let name = '';
    let body: Attributes = new Map();
    eachAttribute(bytes, from, to, (type, at, until) => {
      if (type === EXPRESSION_NAME) name = readString(bytes, at, until);
      else if (type === EXPRESSION_DATA) body = attributesOf(bytes, at, until);
    });
    expressions.push(readBody(bytes, name, body) ?? { kind: 'unknown', name });
  });
  return expressions;
}

type Attributes = ReadonlyMap<number, readonly [number, number]>;

function attributesOf(bytes: Buffer, start: number, end: number): Attributes {
  const found = new Map<number, readonly [number, number]>();
  eachAttribute(bytes, start, end, (type, from, to) => found.set(type, [from, to]));
  return found;
}

/** Undefined for one that could not have been written here. */
function readBody(bytes: Buffer, name: string, body: Attributes): Expression | undefined {
  const u32 = (type: number): number => {
    const found = body.get(type);
    return found === undefined ? 0 : bytes.readUInt32BE(found[0]);
  };
  const u64 = (type: number): bigint => {
    const found = body.get(type);
    return found === undefined ? 0n : bytes.readBigUInt64BE(found[0]);
  };
  const text = (type: number): string => {
    const found = body.get(type);
    return found === undefined ? '' : readString(bytes, ...found);
  };
  const value = (type: number): string => {
    const found = body.get(type);
    return found === undefined ? '' : (readData(bytes, ...found).value ?? '');
  };
  const only = (...types: readonly number[]): boolean =>
    [...body.keys()].every((each) => types.includes(each));
  switch (name) {
    case 'payload': {
      const base = u32(2) === PAYLOAD_BASE.network ? 'network' : 'transport';
      if (!only(1, 2, 3, 4) || u32(2) === 0) return undefined;
      return { kind: 'payload', base, offset: u32(3), length: u32(4), register: u32(1) };
    }
    case 'meta': {
      const key = META_NAMES.get(u32(2));
      if (key === undefined) return undefined;
      return body.has(3)
        ? { kind: 'meta-set', key, register: u32(3) }
        : { kind: 'meta', key, register: u32(1) };
    }
    case 'ct':
      if (!only(1, 2)) return undefined;
      if (u32(2) === CT_STATUS) return { kind: 'ct-status', register: u32(1) };
      return u32(2) === CT_STATE ? { kind: 'ct-state', register: u32(1) } : undefined;
    case 'cmp':
      return u32(2) > 1
        ? undefined
        : { kind: 'cmp', op: u32(2) === 0 ? 'eq' : 'neq', register: u32(1), data: value(3) };
    case 'range':
      return {
        kind: 'range',
        op: u32(2) === 0 ? 'eq' : 'neq',
        register: u32(1),
        from: value(3),
        to: value(4),
      };
    case 'bitwise':
      // Operations beyond the boolean one (6) are shifts.
      if (u32(1) !== u32(2) || u32(6) !== 0) return undefined;
      return { kind: 'bitwise', register: u32(1), length: u32(3), mask: value(4), xor: value(5) };
    case 'lookup':
      return body.has(3)
        ? { kind: 'verdict-map', register: u32(2), map: text(1) }
        : { kind: 'lookup', register: u32(2), set: text(1), invert: (u32(5) & LOOKUP_INVERT) !== 0 };
    case 'fib':
      return u32(2) === FIB_RESULT_OIF && u32(3) === FIB_FLAGS
        ? { kind: 'fib-source-route', register: u32(1) }
        : undefined;
    case 'counter':
      return { kind: 'counter', bytes: u64(1), packets: u64(2) };
    case 'limit':
      return u32(4) === 0 && u32(5) === 0
        ? { kind: 'limit', rate: Number(u64(1)), perSeconds: Number(u64(2)), burst: u32(3) }
        : undefined;
    case 'log':
      return { kind: 'log', prefix: text(2), level: u32(5) };
    case 'reject': {
      const code = body.get(2);
      const version = code === undefined ? undefined : REJECTING.get(bytes.readUInt8(code[0]));
      return u32(1) === REJECT_ICMP && version !== undefined ? { kind: 'reject', version } : undefined;
    }
    case 'notrack':
      return { kind: 'notrack' };
    case 'masq': {
      if (body.size === 0) return { kind: 'masquerade' };
      if ((u32(1) & ~NAT_SPECIFIED) !== 0 || !body.has(2)) return undefined;
      return { kind: 'masquerade', ports: { from: u32(2), to: body.has(3) ? u32(3) : u32(2) } };
    }
    case 'nat':
      return natOf(body, u32);
    case 'immediate': {
      const found = body.get(2);
      const data = found === undefined ? {} : readData(bytes, ...found);
      if (data.value !== undefined) return { kind: 'load', register: u32(1), data: data.value };
      return data.verdict === undefined ? undefined : { kind: 'verdict', verdict: data.verdict };
    }
    default:
      return undefined;
  }
}

/** To one address, to which the kernel adds the flags that what is given implies. */
function natOf(body: Attributes, u32: (attribute: number) => number): Expression | undefined {
  const version = u32(2) === NAT_FAMILIES[4] ? 4 : u32(2) === NAT_FAMILIES[6] ? 6 : undefined;
  const oneAddress = body.has(3) && (!body.has(4) || u32(4) === u32(3));
  if (version === undefined || !oneAddress || (u32(7) & ~NAT_SPECIFIED) !== 0) return undefined;
  return {
    kind: 'nat',
    type: u32(1) === NAT_TYPES.snat ? 'snat' : 'dnat',
    version,
    address: u32(3),
    ...(body.has(5) ? { ports: { from: u32(5), to: body.has(6) ? u32(6) : u32(5) } } : {}),
  };
}

/** NFTA_DATA: octets as hexadecimal text, or a verdict. */
export function readData(
  bytes: Buffer,
  start: number,
  end: number,
): { readonly value?: string; readonly verdict?: NftVerdict } {
  let value: string | undefined;
  let verdict: NftVerdict | undefined;
  eachAttribute(bytes, start, end, (type, from, to) => {
    if (type === DATA_VALUE) value = bytes.toString('hex', from, to);
    if (type !== DATA_VERDICT) return;
    const body = attributesOf(bytes, from, to);
    const [codeAt] = body.get(VERDICT_CODE) ?? [];
    const chain = body.get(VERDICT_CHAIN);
    const code = codeAt === undefined ? undefined : VERDICT_NAMES.get(bytes.readUInt32BE(codeAt));
    if (code === undefined) return;
    verdict = chain === undefined ? { code } : { code, chain: readString(bytes, ...chain) };
  });
  return { ...(value === undefined ? {} : { value }), ...(verdict === undefined ? {} : { verdict }) };
}
