import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  length: {
    when: 'length is 0 or no multiple of 4',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.optional,
    source: 'RFC 7606 §7.8',
  },
} as const;

/** RFC 1997. */
export const communities = attribute({
  code: 8,
  name: 'COMMUNITIES',
  class: 'optional-transitive',
  field: 'communities',
  checks,
  decode: (r) => {
    if (r.remaining === 0 || r.remaining % 4 !== 0) return new Refusal(checks.length, r.at);
    const values: number[] = [];
    while (r.remaining > 0) values.push(r.u32());
    return values;
  },
  encode: (w, values) => {
    for (const value of values) w.u32(value);
  },
});
