import type { LargeCommunity } from '../types.ts';
import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  length: {
    when: 'length is 0 or no multiple of 12',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.optional,
    source: 'RFC 8092 §6',
  },
} as const;

/** RFC 8092. Repeated values are dropped on receipt and not sent (§3). */
export const largeCommunities = attribute({
  code: 32,
  name: 'LARGE_COMMUNITY',
  class: 'optional-transitive',
  field: 'largeCommunities',
  checks,
  decode: (r) => {
    if (r.remaining === 0 || r.remaining % 12 !== 0) return new Refusal(checks.length, r.at);
    const values: LargeCommunity[] = [];
    while (r.remaining > 0) values.push({ global: r.u32(), local1: r.u32(), local2: r.u32() });
    return unique(values);
  },
  encode: (w, values) => {
    for (const { global, local1, local2 } of unique(values)) w.u32(global).u32(local1).u32(local2);
  },
});

function unique(values: readonly LargeCommunity[]): readonly LargeCommunity[] {
  if (values.length < 2) return values;
  const seen = new Map(values.map((value) => [`${value.global}:${value.local1}:${value.local2}`, value]));
  return seen.size === values.length ? values : [...seen.values()];
}
