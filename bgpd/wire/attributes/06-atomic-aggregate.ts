import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  length: {
    when: 'length is not 0',
    outcome: 'attribute-discard',
    subcode: SUBCODE.length,
    source: 'RFC 7606 §7.6',
  },
} as const;

/** RFC 4271 §5.1.6: says something by being there. */
export const atomicAggregate = attribute({
  code: 6,
  name: 'ATOMIC_AGGREGATE',
  class: 'well-known',
  field: 'atomicAggregate',
  checks,
  decode: (r) => (r.remaining === 0 ? true : new Refusal(checks.length, r.at)),
  encode: () => undefined,
});
