import { decodeSegments, encodeSegments, isConfed, type SegmentFault } from './as-path.ts';
import { Refusal, SUBCODE, attribute, type Check } from './codec.ts';

function check(when: string, source: string): Check {
  return { when, outcome: 'treat-as-withdraw', subcode: SUBCODE.asPath, source };
}

function fromOutside(when: string, source: string): Check {
  return { ...check(when, source), peers: 'external' };
}

const checks = {
  type: check('segment type is unknown', 'RFC 7606 §7.2'),
  length: check('segment does not fit the attribute', 'RFC 7606 §7.2'),
  empty: check('segment has no AS number', 'RFC 7606 §7.2'),
  'as-zero': check('AS 0 is in the path', 'RFC 7607 §2'),
  confed: fromOutside('confederation segment from an external peer', 'RFC 5065 §5, RFC 7606 §3 e'),
  // RFC 4271 §6.3 lets a speaker check that the leftmost AS is the peer's. We ask only that there is one: an
  // empty path from outside would beat every other, and no external speaker may send it (§5.1.2 b).
  absent: fromOutside('path from an external peer is empty', 'RFC 4271 §5.1.2 b and §6.3, RFC 7606 §3 e'),
} satisfies Record<SegmentFault | 'confed' | 'absent', Check>;

/** RFC 4271 §5.1.2; 2 or 4 octets for each AS number (RFC 6793 §4). */
export const asPath = attribute({
  code: 2,
  name: 'AS_PATH',
  class: 'well-known',
  field: 'asPath',
  checks,
  decode: (r, session) => {
    const start = r.at;
    const segments = decodeSegments(r, session.fourOctetAs ? 4 : 2);
    if ('fault' in segments) return new Refusal(checks[segments.fault], segments.offset);
    if (session.internal) return segments;
    if (segments.length === 0) return new Refusal(checks.absent, start);
    return segments.some(isConfed) ? new Refusal(checks.confed, start) : segments;
  },
  encode: (w, value, session) => encodeSegments(w, value, session.fourOctetAs ? 4 : 2),
});
