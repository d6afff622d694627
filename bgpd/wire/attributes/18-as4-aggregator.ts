import { Address } from '../../../net/addr/index.ts';
import { fromOldSpeakers } from './as4.ts';
import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  length: {
    when: 'length is not 8',
    outcome: 'attribute-discard',
    subcode: SUBCODE.optional,
    source: 'RFC 6793 §6',
  },
  zero: {
    when: 'aggregating AS is 0',
    outcome: 'attribute-discard',
    subcode: SUBCODE.optional,
    source: 'RFC 7607 §2',
  },
} as const;

/** RFC 6793 §4.2.3. */
export const as4Aggregator = attribute({
  code: 18,
  name: 'AS4_AGGREGATOR',
  class: 'optional-transitive',
  field: 'as4Aggregator',
  only: fromOldSpeakers,
  checks,
  decode: (r) => {
    if (r.remaining !== 8) return new Refusal(checks.length, r.at);
    const asn = r.u32();
    return asn === 0 ? new Refusal(checks.zero, r.at - 4) : { asn, address: Address.v4(r.u32()) };
  },
  encode: (w, { asn, address }) => void w.u32(asn).u32(address.w0),
});
