import { Refusal, SUBCODE, attribute, internalOnly } from './codec.ts';

const checks = {
  length: {
    when: 'length is 0 or no multiple of 4',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.length,
    source: 'RFC 7606 §7.10',
  },
} as const;

/** RFC 4456 §8: clusters that the route has crossed, the latest first. */
export const clusterList = attribute({
  code: 10,
  name: 'CLUSTER_LIST',
  class: 'optional-non-transitive',
  field: 'clusterList',
  only: internalOnly('RFC 7606 §7.10'),
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
