/**
 * Every attribute this speaker understands, in order of code, and every error an UPDATE can have with its
 * outcome: the one table that the decoder obeys, the tests walk and the documentation is printed from.
 */
import { origin } from './01-origin.ts';
import { asPath } from './02-as-path.ts';
import { nextHop } from './03-next-hop.ts';
import { med } from './04-multi-exit-disc.ts';
import { localPref } from './05-local-pref.ts';
import { atomicAggregate } from './06-atomic-aggregate.ts';
import { aggregator } from './07-aggregator.ts';
import { communities } from './08-communities.ts';
import { originatorId } from './09-originator-id.ts';
import { clusterList } from './10-cluster-list.ts';
import { mpReachNlri } from './14-mp-reach-nlri.ts';
import { mpUnreachNlri } from './15-mp-unreach-nlri.ts';
import { extendedCommunities } from './16-extended-communities.ts';
import { as4Path } from './17-as4-path.ts';
import { as4Aggregator } from './18-as4-aggregator.ts';
import { aigp } from './26-aigp.ts';
import { largeCommunities } from './32-large-communities.ts';
import { SUBCODE, type AttributeCodec, type AttributeField, type Check, type PeerKind } from './codec.ts';

export type AnyCodec = { [K in AttributeField]: AttributeCodec<K> }[AttributeField];

export const ATTRIBUTES: readonly AnyCodec[] = [
  origin,
  asPath,
  nextHop,
  med,
  localPref,
  atomicAggregate,
  aggregator,
  communities,
  originatorId,
  clusterList,
  mpReachNlri,
  mpUnreachNlri,
  extendedCommunities,
  as4Path,
  as4Aggregator,
  aigp,
  largeCommunities,
];

const BY_CODE: readonly (AnyCodec | undefined)[] = Array.from({ length: 256 }, (_, code) =>
  ATTRIBUTES.find((one) => one.code === code),
);

export function codecOf(code: number): AnyCodec | undefined {
  return BY_CODE[code];
}

/** Errors that no single attribute owns. */
export const UPDATE_CHECKS = {
  lengths: {
    when: 'Withdrawn Routes Length or Total Attribute Length runs past the message',
    outcome: 'session-reset',
    subcode: SUBCODE.malformedList,
    source: 'RFC 4271 §6.3',
  },
  withdrawn: {
    when: 'Withdrawn Routes cannot be read',
    outcome: 'session-reset',
    subcode: SUBCODE.network,
    source: 'RFC 7606 §3 i and §5.3',
  },
  network: {
    when: 'Network Layer Reachability Information cannot be read',
    outcome: 'session-reset',
    subcode: SUBCODE.network,
    source: 'RFC 7606 §3 j and §5.3',
  },
  attributeHeader: {
    when: 'fewer octets are left than an attribute header has',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.malformedList,
    source: 'RFC 7606 §4',
  },
  attributeLength: {
    when: 'attribute runs past the Total Attribute Length',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.malformedList,
    source: 'RFC 7606 §4',
  },
  mpLength: {
    when: 'MP_REACH_NLRI or MP_UNREACH_NLRI runs past the Total Attribute Length',
    outcome: 'session-reset',
    subcode: SUBCODE.malformedList,
    source: 'RFC 7606 §4 and §3 j',
  },
  flags: {
    when: 'Optional or Transitive bit contradicts the attribute',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.flags,
    source: 'RFC 7606 §3 c',
  },
  mpFlags: {
    when: 'Optional or Transitive bit of MP_REACH_NLRI or MP_UNREACH_NLRI is wrong',
    outcome: 'session-reset',
    subcode: SUBCODE.flags,
    source: 'RFC 7606 §5.3 and §3 j',
  },
  repeatedMp: {
    when: 'MP_REACH_NLRI or MP_UNREACH_NLRI appears twice',
    outcome: 'session-reset',
    subcode: SUBCODE.malformedList,
    source: 'RFC 7606 §3 g',
  },
  repeated: {
    when: 'attribute appears again; the first one counts',
    outcome: 'attribute-discard',
    subcode: SUBCODE.malformedList,
    source: 'RFC 7606 §3 g',
  },
  unrecognizedWellKnown: {
    when: 'well-known attribute is unknown',
    outcome: 'session-reset',
    subcode: SUBCODE.unrecognizedWellKnown,
    source: 'RFC 4271 §6.3',
  },
  missing: {
    when: 'well-known mandatory attribute is missing',
    outcome: 'treat-as-withdraw',
    subcode: SUBCODE.missingWellKnown,
    source: 'RFC 7606 §3 d',
  },
  familyNotNegotiated: {
    when: 'IPv4 unicast NLRI, which was not negotiated',
    outcome: 'attribute-discard',
    subcode: SUBCODE.network,
    source: 'RFC 4760 §8 (ignored, as MP_REACH_NLRI of such a family)',
  },
} as const satisfies Record<string, Check>;

export interface ErrorRow extends Omit<Check, 'peers'> {
  /** `any` where no single one owns the error. */
  readonly attribute: string;
  readonly peers: PeerKind | 'all';
}

/** For the documentation and the tests: one row per error, in the order in which the decoder meets them. */
export function errorTable(): readonly ErrorRow[] {
  const general = Object.values(UPDATE_CHECKS).map((check) => rowOf('any', check));
  const own = ATTRIBUTES.flatMap(({ name, checks, only, transitiveBit }) => [
    ...(only === undefined ? [] : [rowOf(name, only.else)]),
    ...(transitiveBit === undefined ? [] : [rowOf(name, transitiveBit, only?.peers)]),
    ...Object.values(checks).map((check) => rowOf(name, check, only?.peers)),
  ]);
  return [...general, ...own];
}

function rowOf(attribute: string, check: Check, peers?: PeerKind): ErrorRow {
  return { attribute, ...check, peers: check.peers ?? peers ?? 'all' };
}
