import { Refusal, SUBCODE, attribute, internalOnly } from './codec.ts';

const checks = {
  length: {
    when: 'length is not 4',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.length,
    source: 'RFC 7606 §7.5',
  },
} as const;

/** RFC 4271 §5.1.5: between internal peers only. */
export const localPref = attribute({
  code: 5,
  name: 'LOCAL_PREF',
  class: 'well-known',
  field: 'localPref',
  only: internalOnly('RFC 7606 §7.5'),
  checks,
  decode: (r) => (r.remaining === 4 ? r.u32() : new Refusal(checks.length, r.at)),
  encode: (w, value) => void w.u32(value),
});
