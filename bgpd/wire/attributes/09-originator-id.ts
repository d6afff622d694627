import { Refusal, SUBCODE, attribute, internalOnly } from './codec.ts';

const checks = {
  length: {
    when: 'length is not 4',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.length,
    source: 'RFC 7606 §7.9',
  },
} as const;

/** RFC 4456 §8: BGP Identifier of the speaker that brought the route into this AS. */
export const originatorId = attribute({
  code: 9,
  name: 'ORIGINATOR_ID',
  class: 'optional-non-transitive',
  field: 'originatorId',
  only: internalOnly('RFC 7606 §7.9'),
  checks,
  decode: (r) => (r.remaining === 4 ? r.u32() : new Refusal(checks.length, r.at)),
  encode: (w, value) => void w.u32(value),
});
