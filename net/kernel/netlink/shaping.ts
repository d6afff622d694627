/**
 * Queueing disciplines and filters as bytes: token buckets, the hook for what comes in by an interface, and the filter that
 * sends all of it through another. Pure.
 *
 * ```
 * struct tcmsg   family u8 | pad 3 | interface i32 | handle u32 | parent u32 | info u32
 * struct tc_tbf_qopt   rate, peak rate: tc_ratespec of 12 octets | limit u32 | buffer u32 | mtu u32
 * struct tc_u32_sel    flags u8 | offshift u8 | keys u8 | pad 13 | key: mask be32, value be32, offset i32, its mask i32
 * struct tc_mirred     index u32 | capab u32 | action i32 | references 2 i32 | what to do i32 | interface u32
 * ```
 *
 * @see tc-tbf(8), tc-u32(8), tc-mirred(8); linux/pkt_sched.h, linux/pkt_cls.h
 */
import { ETH_P_ALL } from '../abi.ts';
import { eachAttribute, flagsOf, type MessageWriter, NLM_F_DUMP, readString } from './message.ts';

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;

const TCA_KIND = 1;
const TCA_OPTIONS = 2;

const AT_ROOT = 0xffff_ffff;
const AT_INGRESS = 0xffff_fff1;
/** `ffff:`, the only handle that the hook for incoming packets can have. */
const INGRESS = 0xffff_0000;

const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_PRATE64 = 5;
const TCA_TBF_BURST = 6;
const TCA_TBF_PBURST = 7;
const LINKLAYER_ETHERNET = 1;

const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const U32_TERMINAL = 1;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const MIRRED_EGRESS_REDIRECT = 1;

const PRIORITY = 1;
const MAX_U32 = 0xffff_ffff;

export interface TokenBucket {
  /** Octets a second. */
  readonly rate: number;
  /** Octets that may go at once after a pause; no packet may be larger. */
  readonly burst: number;
  /** Octets that may wait; what comes on top is dropped. */
  readonly limit: number;
  /** Octets a second that even a burst must keep to, in portions of `minBurst` octets. */
  readonly peak?: { readonly rate: number; readonly minBurst: number } | undefined;
}

/** A queueing discipline at the root or the ingress of an interface. */
export interface Discipline {
  readonly link: number;
  readonly kind: string;
  readonly handle: number;
  readonly isRoot: boolean;
}

/** Puts a token bucket of this handle at the root, or changes the one that is there. A stranger's makes way. */
export function encodeBucket(w: MessageWriter, link: number, handle: number, bucket: TokenBucket): void {
  w.begin(RTM_NEWQDISC, flagsOf('replace'));
  encodePlace(w, link, handle, AT_ROOT);
  w.attributeString(TCA_KIND, 'tbf');
  w.nested(TCA_OPTIONS, () => {
    const { rate, burst, limit, peak } = bucket;
    const parameters = Buffer.alloc(36);
    encodeRate(parameters, 0, rate);
    if (peak !== undefined) encodeRate(parameters, 12, peak.rate);
    parameters.writeUInt32LE(Math.min(limit, MAX_U32), 24);
    w.attribute(TCA_TBF_PARMS, parameters);
    // In octets; the fields beside would count ticks of a clock that nobody has any more.
    w.attributeU32(TCA_TBF_BURST, Math.min(burst, MAX_U32));
    if (rate > MAX_U32) w.attribute(TCA_TBF_RATE64, long(rate));
    if (peak === undefined) return;
    w.attributeU32(TCA_TBF_PBURST, Math.min(peak.minBurst, MAX_U32));
    if (peak.rate > MAX_U32) w.attribute(TCA_TBF_PRATE64, long(peak.rate));
  });
  w.end();
}

/** ENOENT or EINVAL where no such discipline is at the root. */
export function encodeRootDelete(w: MessageWriter, link: number, handle: number): void {
  w.begin(RTM_DELQDISC, 0);
  encodePlace(w, link, handle, AT_ROOT);
  w.end();
}

/** The hook that filters for incoming packets hang on; EEXIST where there is one. */
export function encodeIngress(w: MessageWriter, link: number): void {
  w.begin(RTM_NEWQDISC, flagsOf('add'));
  encodePlace(w, link, INGRESS, AT_INGRESS);
  w.attributeString(TCA_KIND, 'ingress');
  w.end();
}

/** With all that hangs on it. */
export function encodeIngressDelete(w: MessageWriter, link: number): void {
  w.begin(RTM_DELQDISC, 0);
  encodePlace(w, link, INGRESS, AT_INGRESS);
  w.end();
}

/** All that comes in by `link` leaves by `through` instead, which hands it back when its queue lets it. */
export function encodeRedirect(w: MessageWriter, link: number, through: number): void {
  w.begin(RTM_NEWTFILTER, flagsOf('add'));
  encodePlace(w, link, 0, INGRESS, info());
  w.attributeString(TCA_KIND, 'u32');
  w.nested(TCA_OPTIONS, () => {
    // One key whose mask is empty: every packet has it.
    const selector = Buffer.alloc(32);
    selector.writeUInt8(U32_TERMINAL, 0);
    selector.writeUInt8(1, 2);
    w.attribute(TCA_U32_SEL, selector);
    w.nested(TCA_U32_ACT, () =>
      w.nested(1, () => {
        w.attributeString(TCA_ACT_KIND, 'mirred');
        w.nested(TCA_ACT_OPTIONS, () => {
          const parameters = Buffer.alloc(28);
          parameters.writeInt32LE(TC_ACT_STOLEN, 8);
          parameters.writeInt32LE(MIRRED_EGRESS_REDIRECT, 20);
          parameters.writeUInt32LE(through, 24);
          w.attribute(TCA_MIRRED_PARMS, parameters);
        });
      }),
    );
  });
  w.end();
}

/** Takes out what {@link encodeRedirect} made; ENOENT where there is none. */
export function encodeRedirectDelete(w: MessageWriter, link: number): void {
  w.begin(RTM_DELTFILTER, 0);
  encodePlace(w, link, 0, INGRESS, info());
  w.end();
}

export function encodeDisciplineDump(w: MessageWriter): void {
  w.begin(RTM_GETQDISC, NLM_F_DUMP);
  encodePlace(w, 0, 0, 0);
  w.end();
}

export function decodeDiscipline(bytes: Buffer, start: number, end: number): Discipline {
  let kind = '';
  eachAttribute(bytes, start + 20, end, (type, from, to) => {
    if (type === TCA_KIND) kind = readString(bytes, from, to);
  });
  return {
    link: bytes.readInt32LE(start + 4),
    kind,
    handle: bytes.readUInt32LE(start + 8),
    isRoot: bytes.readUInt32LE(start + 12) === AT_ROOT,
  };
}

function encodePlace(w: MessageWriter, link: number, handle: number, parent: number, more = 0): void {
  w.u32(0);
  w.u32(link);
  w.u32(handle);
  w.u32(parent);
  w.u32(more);
}

/** Priority, and the protocol in network order. */
function info(): number {
  return (PRIORITY << 16) | ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8);
}

/** struct tc_ratespec; a table of costs, which older kernels wanted, is not asked for where the link layer is named. */
function encodeRate(into: Buffer, at: number, rate: number): void {
  into.writeUInt8(LINKLAYER_ETHERNET, at + 1);
  into.writeUInt32LE(Math.min(rate, MAX_U32), at + 8);
}

function long(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
