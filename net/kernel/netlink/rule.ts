/** Rules that choose a routing table (ip-rule(8)), and their bytes (struct fib_rule_hdr). Pure. */
import { AF_INET, AF_INET6, familyOf } from '../abi.ts';
import type { IpVersion } from '../../addr/index.ts';
import { eachAttribute, flagsOf, type MessageWriter, NLM_F_DUMP } from './message.ts';

export interface Rule {
  readonly version: IpVersion;
  /** Lower is asked first. */
  readonly priority: number;
  readonly table: number;
  /** On the mark of the packet, all of `mask`. */
  readonly mark?: number;
  readonly mask?: number;
  /** For packets that the rest of the rule does not fit. */
  readonly not: boolean;
  /** Who installed it, as with routes. */
  readonly protocol: number;
  /** It looks at things that are not said here (addresses, interfaces, users), or does something else than look in a table. */
  readonly other: boolean;
}

export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
const RTM_GETRULE = 34;

const FR_ACT_TO_TBL = 1;
const FIB_RULE_INVERT = 0x2;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_PROTOCOL = 21;
/** -1: nothing is held back. */
const NO_SUPPRESSION = 0xffff_ffff;
const KNOWN: ReadonlySet<number> = new Set([
  FRA_PRIORITY,
  FRA_FWMARK,
  FRA_SUPPRESS_PREFIXLEN,
  FRA_TABLE,
  FRA_FWMASK,
  FRA_PROTOCOL,
]);
const FIB_RULE_HEADER = 12;

export function encodeRule(w: MessageWriter, op: 'add' | 'delete', rule: Rule): void {
  w.begin(op === 'add' ? RTM_NEWRULE : RTM_DELRULE, flagsOf(op));
  w.u8(familyOf(rule.version));
  w.u8(0);
  w.u8(0);
  w.u8(0);
  // A number above 255 is in the attribute alone (RT_TABLE_UNSPEC here).
  w.u8(rule.table < 256 ? rule.table : 0);
  w.u8(0);
  w.u8(0);
  w.u8(FR_ACT_TO_TBL);
  w.u32(rule.not ? FIB_RULE_INVERT : 0);
  w.attributeU32(FRA_PRIORITY, rule.priority);
  w.attributeU32(FRA_TABLE, rule.table);
  if (rule.mark !== undefined) w.attributeU32(FRA_FWMARK, rule.mark);
  if (rule.mask !== undefined) w.attributeU32(FRA_FWMASK, rule.mask);
  w.attributeU8(FRA_PROTOCOL, rule.protocol);
  w.end();
}

export function encodeRuleDump(w: MessageWriter, version: IpVersion): void {
  w.begin(RTM_GETRULE, NLM_F_DUMP);
  w.u8(familyOf(version));
  w.bytes(new Uint8Array(FIB_RULE_HEADER - 1));
  w.end();
}

/** Reads an RTM_NEWRULE or RTM_DELRULE; undefined for families that are not IP. */
export function decodeRule(bytes: Buffer, start: number, end: number): Rule | undefined {
  const family = bytes.readUInt8(start);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const lengths = bytes.readUInt8(start + 1) + bytes.readUInt8(start + 2) + bytes.readUInt8(start + 3);
  let other = lengths > 0 || bytes.readUInt8(start + 7) !== FR_ACT_TO_TBL;
  let table = bytes.readUInt8(start + 4);
  let priority = 0;
  let mark: number | undefined;
  let mask: number | undefined;
  let protocol = 0;
  eachAttribute(bytes, start + FIB_RULE_HEADER, end, (type, from) => {
    if (type === FRA_TABLE) table = bytes.readUInt32LE(from);
    else if (type === FRA_PRIORITY) priority = bytes.readUInt32LE(from);
    else if (type === FRA_FWMARK) mark = bytes.readUInt32LE(from);
    else if (type === FRA_FWMASK) mask = bytes.readUInt32LE(from);
    else if (type === FRA_PROTOCOL) protocol = bytes.readUInt8(from);
    other ||=
      !KNOWN.has(type) || (type === FRA_SUPPRESS_PREFIXLEN && bytes.readUInt32LE(from) !== NO_SUPPRESSION);
  });
  return {
    version: family === AF_INET ? 4 : 6,
    priority,
    table,
    ...(mark === undefined ? {} : { mark }),
    ...(mask === undefined ? {} : { mask }),
    not: (bytes.readUInt32LE(start + 8) & FIB_RULE_INVERT) !== 0,
    protocol,
    other,
  };
}
