/** What AS4_PATH and AS4_AGGREGATOR share. */
import { SUBCODE, type AttributeCodec } from './codec.ts';

/** RFC 6793 §4.1: from a speaker that can use 4-octet numbers these attributes are discarded. */
export const fromOldSpeakers: NonNullable<AttributeCodec['only']> = {
  peers: '2-octet AS',
  from: (session) => !session.fourOctetAs,
  else: {
    peers: '4-octet AS',
    when: 'comes from a speaker with 4-octet AS numbers',
    outcome: 'attribute-discard',
    subcode: SUBCODE.optional,
    source: 'RFC 6793 §4.1',
  },
};
