import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  length: {
    when: 'length is not 4',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.length,
    source: 'RFC 7606 §7.4',
  },
} as const;

/** RFC 4271 §5.1.4. */
export const med = attribute({
  code: 4,
  name: 'MULTI_EXIT_DISC',
  class: 'optional-non-transitive',
  field: 'med',
  checks,
  decode: (r) => (r.remaining === 4 ? r.u32() : new Refusal(checks.length, r.at)),
  encode: (w, value) => void w.u32(value),
});
