import { decodeSegments, encodeSegments, isConfed, type SegmentFault } from './as-path.ts';
import { Mended, Refusal, SUBCODE, attribute, type Check } from './codec.ts';
import { fromOldSpeakers } from './as4.ts';

function check(when: string, source = 'RFC 6793 §6'): Check {
  return { when, outcome: 'attribute-discard', subcode: SUBCODE.optional, source };
}

const checks = {
  type: check('segment type is unknown'),
  length: check('segment does not fit the attribute'),
  empty: check('segment has no AS number'),
  absent: check('attribute has fewer than 6 octets'),
  'as-zero': check('AS 0 is in the path', 'RFC 7607 §2'),
  confed: check('confederation segment is in it; the rest of the attribute stands'),
} satisfies Record<SegmentFault | 'absent' | 'confed', Check>;

/** RFC 6793 §4.2.3: the path in 4-octet numbers, carried past speakers that know 2 octets. Never between new ones. */
export const as4Path = attribute({
  code: 17,
  name: 'AS4_PATH',
  class: 'optional-transitive',
  field: 'as4Path',
  only: fromOldSpeakers,
  checks,
  decode: (r) => {
    const start = r.at;
    if (r.remaining < 6) return new Refusal(checks.absent, start);
    const segments = decodeSegments(r, 4);
    if ('fault' in segments) return new Refusal(checks[segments.fault], segments.offset);
    const sound = segments.filter((segment) => !isConfed(segment));
    return sound.length === segments.length ? sound : new Mended(sound, checks.confed, start);
  },
  encode: (w, value) =>
    encodeSegments(
      w,
      value.filter((segment) => !isConfed(segment)),
      4,
    ),
});
