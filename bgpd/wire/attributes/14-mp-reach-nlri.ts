import { Address } from '../../../net/addr/index.ts';
import { decodeNlri, encodeNlri } from '../nlri.ts';
import type { Reader } from '../reader.ts';
import { FAMILIES, familyOf, type Family, type NextHop, type Nlri } from '../types.ts';
import { isHostAddress } from './03-next-hop.ts';
import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  length: {
    when: 'shorter than its fixed fields',
    outcome: 'session-reset',
    subcode: SUBCODE.optional,
    source: 'RFC 7606 §7.11 and §5.3',
  },
  nextHopLength: {
    when: 'next hop has no length that the family knows',
    outcome: 'session-reset',
    subcode: SUBCODE.optional,
    source: 'RFC 7606 §7.11',
  },
  network: {
    when: 'NLRI cannot be read',
    outcome: 'session-reset',
    subcode: SUBCODE.optional,
    source: 'RFC 7606 §5.3 and §3 j',
  },
  /** Applied by `decode-update.ts`: the NLRI must be at hand to be withdrawn. */
  host: {
    when: 'next hop is not the address of a host',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.nextHop,
    source: 'RFC 4271 §6.3, RFC 7606 §3 e',
  },
  family: {
    when: 'address family was not negotiated',
    outcome: 'attribute-discard',
    subcode: SUBCODE.optional,
    source: 'RFC 4760 §7 (ignored, as BIRD and FRR do)',
  },
} as const;

/** RFC 4760 §3; next hops of IPv6 by RFC 2545 §3. */
export const mpReachNlri = attribute({
  code: 14,
  name: 'MP_REACH_NLRI',
  class: 'optional-non-transitive',
  field: 'mpReach',
  checks,
  decode: (r, session) => {
    const start = r.at;
    const family = familyOf(r.u16(), r.u8());
    const nextHopOctets = r.slice(r.u8());
    r.u8(); // reserved; was the number of SNPAs, which no one uses
    if (r.overrun) return new Refusal(checks.length, start);
    if (family === undefined || !session.families.includes(family)) return new Refusal(checks.family, start);
    const nextHop = decodeNextHop(nextHopOctets, family);
    if (nextHop === undefined) return new Refusal(checks.nextHopLength, start + 3);
    const nlri: Nlri[] = [];
    const error = decodeNlri(r, family, session.addPathReceive.includes(family), nlri);
    return error === undefined ? { family, nextHop, nlri } : new Refusal(checks.network, error.offset);
  },
  encode: (w, { family, nextHop, nlri }, session) => {
    const { afi, safi, version } = FAMILIES[family];
    const { address, linkLocal } = nextHop;
    w.u16(afi).u8(safi);
    if (version === 4) {
      w.u8(4).u32(address.w0);
    } else {
      w.u8(linkLocal === undefined ? 16 : 32).put(address.toBytes());
      if (linkLocal !== undefined) w.put(linkLocal.toBytes());
    }
    w.u8(0);
    const addPath = session.addPathSend.includes(family);
    for (const one of nlri) encodeNlri(w, one, addPath);
  },
});

export const MP_NEXT_HOP_NOT_A_HOST = checks.host;

/** Whether {@link NextHop} is one that packets can be sent to, in the family's own addresses. */
export function isUsableNextHop({ address }: NextHop): boolean {
  return isHostAddress(address);
}

/**
 * IPv6: a global address, with or without a link-local one after it. Two habits of other speakers are understood:
 * BIRD fills the global half with :: where it has only a link-local address; some fill the other half with zeros
 * or repeat the global address there. Such a second half is no link-local address and is dropped.
 */
export function decodeNextHop(r: Reader, family: Family): NextHop | undefined {
  if (FAMILIES[family].version === 4) return r.remaining === 4 ? { address: Address.v4(r.u32()) } : undefined;
  const octets = r.remaining;
  if (octets !== 16 && octets !== 32) return undefined;
  const address = Address.fromBytes(r.take(16));
  if (octets === 16) return { address };
  const second = Address.fromBytes(r.take(16));
  if (!second.isLinkLocal) return { address };
  return address.isUnspecified ? { address: second } : { address, linkLocal: second };
}
