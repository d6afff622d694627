/**
 * What the RFCs ask of a BGP speaker, each demand in our words with the test that would fail without it, or the reason why it
 * does not concern this speaker. `bgp.test.ts` holds the proofs to what is there; docs/bgp-rfcs.md is printed from it.
 */
import { ATTRIBUTE_RFCS } from './attributes.ts';
import { ERROR_RFCS } from './errors.ts';
import { SESSION_RFCS } from './sessions.ts';
import type { Rfc } from './demand.ts';

export type { Demand, Rfc } from './demand.ts';

export const RFCS: readonly Rfc[] = [...ATTRIBUTE_RFCS, ...ERROR_RFCS, ...SESSION_RFCS].sort(
  (a, b) => a.number - b.number,
);
