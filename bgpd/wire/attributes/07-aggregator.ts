import { Address } from '../../../net/addr/index.ts';
import { AS_TRANS } from '../open.ts';
import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  length: {
    when: 'length is not 6, or 8 with 4-octet AS numbers',
    outcome: 'attribute-discard',
    subcode: SUBCODE.length,
    source: 'RFC 7606 §7.7',
  },
  zero: {
    when: 'aggregating AS is 0',
    outcome: 'attribute-discard',
    subcode: SUBCODE.optional,
    source: 'RFC 7607 §2, RFC 7606 §7.7',
  },
} as const;

/** RFC 4271 §5.1.7, RFC 6793 §4. */
export const aggregator = attribute({
  code: 7,
  name: 'AGGREGATOR',
  class: 'optional-transitive',
  field: 'aggregator',
  checks,
  decode: (r, session) => {
    if (r.remaining !== (session.fourOctetAs ? 8 : 6)) return new Refusal(checks.length, r.at);
    const asn = session.fourOctetAs ? r.u32() : r.u16();
    if (asn === 0) return new Refusal(checks.zero, r.at);
    return { asn, address: Address.v4(r.u32()) };
  },
  encode: (w, { asn, address }, session) => {
    if (session.fourOctetAs) w.u32(asn);
    else w.u16(asn > 0xffff ? AS_TRANS : asn);
    w.u32(address.w0);
  },
});
