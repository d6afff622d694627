import type { Origin } from '../types.ts';
import { Refusal, SUBCODE, attribute } from './codec.ts';

const ORIGINS: readonly Origin[] = ['IGP', 'EGP', 'incomplete'];

const checks = {
  length: {
    when: 'length is not 1',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.length,
    source: 'RFC 7606 §7.1',
  },
  value: {
    when: 'value is not 0, 1 or 2',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.origin,
    source: 'RFC 7606 §7.1',
  },
} as const;

/** RFC 4271 §5.1.1. */
export const origin = attribute({
  code: 1,
  name: 'ORIGIN',
  class: 'well-known',
  field: 'origin',
  checks,
  decode: (r) => {
    if (r.remaining !== 1) return new Refusal(checks.length, r.at);
    return ORIGINS[r.u8()] ?? new Refusal(checks.value, r.at - 1);
  },
  encode: (w, value) => void w.u8(ORIGINS.indexOf(value)),
});
