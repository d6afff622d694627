import { decodeNlri, encodeNlri } from '../nlri.ts';
import { FAMILIES, familyOf, type Nlri } from '../types.ts';
import { Refusal, SUBCODE, attribute } from './codec.ts';

const checks = {
  length: {
    when: 'shorter than its fixed fields',
    outcome: 'session-reset',
    subcode: SUBCODE.optional,
    source: 'RFC 7606 §7.12',
  },
  network: {
    when: 'NLRI cannot be read',
    outcome: 'session-reset',
    subcode: SUBCODE.optional,
    source: 'RFC 7606 §5.3 and §3 j',
  },
  family: {
    when: 'address family was not negotiated',
    outcome: 'attribute-discard',
    subcode: SUBCODE.optional,
    source: 'RFC 4760 §7 (ignored, as BIRD and FRR do)',
  },
} as const;

/** RFC 4760 §4. Without NLRI, and alone in its UPDATE, it is the End-of-RIB marker (RFC 4724 §2). */
export const mpUnreachNlri = attribute({
  code: 15,
  name: 'MP_UNREACH_NLRI',
  class: 'optional-non-transitive',
  field: 'mpUnreach',
  checks,
  decode: (r, session) => {
    const start = r.at;
    const family = familyOf(r.u16(), r.u8());
    if (r.overrun) return new Refusal(checks.length, start);
    if (family === undefined || !session.families.includes(family)) return new Refusal(checks.family, start);
    const nlri: Nlri[] = [];
    const error = decodeNlri(r, family, session.addPathReceive.includes(family), nlri);
    return error === undefined ? { family, nlri } : new Refusal(checks.network, error.offset);
  },
  encode: (w, { family, nlri }, session) => {
    w.u16(FAMILIES[family].afi).u8(FAMILIES[family].safi);
    const addPath = session.addPathSend.includes(family);
    for (const one of nlri) encodeNlri(w, one, addPath);
  },
});
