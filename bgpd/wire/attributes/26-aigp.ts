import type { Aigp } from '../types.ts';
import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  layout: {
    when: 'a TLV is shorter than its header or runs past the attribute, or the metric has not 8 octets',
    outcome: 'attribute-discard',
    subcode: SUBCODE.optional,
    source: 'RFC 7311 §3',
  },
  missing: {
    when: 'there is no metric',
    outcome: 'attribute-discard',
    subcode: SUBCODE.optional,
    source: 'RFC 7311 §3',
  },
  highest: {
    when: 'metric is the highest there is',
    outcome: 'attribute-discard',
    subcode: SUBCODE.optional,
    source: 'RFC 7311 §3.2',
  },
} as const;

const transitiveBit = {
  when: 'Transitive bit is set',
  outcome: 'attribute-discard',
  subcode: SUBCODE.flags,
  source: 'RFC 7311 §3.2',
} as const;

/** Type and length, which counts itself in (RFC 7311 §3). */
const HEADER = 3;
const METRIC_TYPE = 1;
const METRIC_LENGTH = 11;
/** Where sums end (§3.4.3): no metric any more. */
const HIGHEST = 0xffff_ffff_ffff_ffffn;
const NO_OTHERS = new Uint8Array(0);

/**
 * RFC 7311: what a path costs inside the domain of several ASes under one hand. On a session where it was not switched
 * on it is an attribute that nobody knows: ignored, not passed on, not sent (§3.3).
 */
export const aigp = attribute({
  code: 26,
  name: 'AIGP',
  class: 'optional-non-transitive',
  field: 'aigp',
  spoken: (session) => session.aigp === true,
  transitiveBit,
  checks,
  decode: (r) => {
    const start = r.at;
    let metric: bigint | undefined;
    const others: Uint8Array[] = [];
    while (r.remaining > 0) {
      const at = r.at;
      const type = r.u8();
      const length = r.u16();
      if (r.overrun || length < HEADER || length - HEADER > r.remaining)
        return new Refusal(checks.layout, at);
      if (type === METRIC_TYPE && length !== METRIC_LENGTH) return new Refusal(checks.layout, at);
      // Of several metrics the first counts; the others are passed on as they came, like TLVs that nobody knows.
      if (type === METRIC_TYPE && metric === undefined) metric = (BigInt(r.u32()) << 32n) | BigInt(r.u32());
      else others.push(Uint8Array.of(type, length >> 8, length & 0xff, ...r.take(length - HEADER)));
    }
    if (metric === undefined) return new Refusal(checks.missing, r.at);
    if (metric === HIGHEST) return new Refusal(checks.highest, start);
    const value: Aigp = { metric, ...(others.length === 0 ? {} : { others: joined(others) }) };
    return value;
  },
  encode: (w, { metric, others = NO_OTHERS }) => {
    w.u8(METRIC_TYPE)
      .u16(METRIC_LENGTH)
      .u32(Number(metric >> 32n))
      .u32(Number(metric & 0xffff_ffffn))
      .put(others);
  },
});

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
