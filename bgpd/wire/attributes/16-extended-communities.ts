import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  length: {
    when: 'length is 0 or no multiple of 8',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.optional,
    source: 'RFC 7606 §7.14',
  },
} as const;

/** RFC 4360. An unknown type is no error (RFC 7606 §7.14): each value stays 8 opaque octets. */
export const extendedCommunities = attribute({
  code: 16,
  name: 'EXTENDED_COMMUNITIES',
  class: 'optional-transitive',
  field: 'extendedCommunities',
  checks,
  decode: (r) => {
    if (r.remaining === 0 || r.remaining % 8 !== 0) return new Refusal(checks.length, r.at);
    const values: bigint[] = [];
    while (r.remaining > 0) values.push(r.u64());
    return values;
  },
  encode: (w, values) => {
    for (const value of values) w.u64(value);
  },
});
