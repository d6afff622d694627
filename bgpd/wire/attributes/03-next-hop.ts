import { Address } from '../../../net/addr/index.ts';
import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  length: {
    when: 'length is not 4',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.length,
    source: 'RFC 7606 §7.3',
  },
  /** Applied by `decode-update.ts`, as NEXT_HOP beside MP_REACH_NLRI alone has no meaning (RFC 4760 §3). */
  host: {
    when: 'not the address of a host',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.nextHop,
    source: 'RFC 4271 §6.3, RFC 7606 §3 e',
  },
} as const;

/** RFC 4271 §5.1.3. IPv4 only; other families carry theirs in MP_REACH_NLRI. */
export const nextHop = attribute({
  code: 3,
  name: 'NEXT_HOP',
  class: 'well-known',
  field: 'nextHop',
  checks,
  decode: (r) => (r.remaining === 4 ? Address.v4(r.u32()) : new Refusal(checks.length, r.at)),
  encode: (w, value) => void w.u32(value.w0),
});

export const NEXT_HOP_NOT_A_HOST = checks.host;

/** Whether packets can be sent to the address at all: no network, loopback, multicast or reserved one. */
export function isHostAddress(address: Address): boolean {
  if (address.isUnspecified || address.isLoopback || address.isMulticast) return false;
  if (address.version === 4)
    return address.w0 >>> 24 !== 0 && address.w0 >>> 24 !== 127 && address.w0 >>> 28 !== 0xf;
  // ::ffff:0:0/96 is an IPv4 address in disguise (RFC 4291 §2.5.5.2); no neighbour answers for it.
  return !(address.w0 === 0 && address.w1 === 0 && address.w2 === 0xffff);
}
