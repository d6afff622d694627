/**
 * UPDATE, octets to meaning, in two passes: structure first, then what the values mean together. A withdraw-only
 * message needs no special case. RFC 4271 §4.3 and §6.3, RFC 4760, RFC 6793 §4.2.3, RFC 7606.
 */
import { Address } from '../../net/addr/index.ts';
import { mergeAs4Path } from './attributes/as-path.ts';
import { NEXT_HOP_NOT_A_HOST, isHostAddress } from './attributes/03-next-hop.ts';
import { MP_NEXT_HOP_NOT_A_HOST, isUsableNextHop } from './attributes/14-mp-reach-nlri.ts';
import type { AttributeValues, Check } from './attributes/codec.ts';
import { UPDATE_CHECKS } from './attributes/table.ts';
import { FLAG, decodeAttributes, type DecodedAttributes } from './decode-attributes.ts';
import { notificationOf, strongest, type Fault } from './fault.ts';
import { HEADER_LENGTH } from './header.ts';
import { decodeNlri } from './nlri.ts';
import { AS_TRANS } from './open.ts';
import { Reader } from './reader.ts';
import type {
  Aggregator,
  AsSegment,
  Family,
  Negotiated,
  Nlri,
  NotificationMessage,
  PathAttributes,
  Reach,
  Unreach,
  UpdateMessage,
} from './types.ts';

export type DecodedUpdate =
  | { readonly ok: true; readonly message: UpdateMessage; readonly faults: readonly Fault[] }
  | { readonly ok: false; readonly notification: NotificationMessage; readonly faults: readonly Fault[] };

const ATTRIBUTE = { origin: 1, asPath: 2, nextHop: 3, localPref: 5, mpReach: 14, mpUnreach: 15 } as const;
const NO_DATA = new Uint8Array(0);

/** Where the three fields of an UPDATE lie. */
interface Structure {
  readonly withdrawn: readonly Nlri[];
  readonly nlri: readonly Nlri[];
  /** The fields' lengths are all 0: the legacy End-of-RIB marker. */
  readonly empty: boolean;
  readonly attributes: DecodedAttributes;
}

/**
 * Decodes the UPDATE whose header, already checked, starts at the first octet.
 *
 * @returns faults in wire order. With treat-as-withdraw among them the message withdraws what it announced.
 * @throws never on what a peer sent
 */
export function decodeUpdate(bytes: Uint8Array, session: Negotiated): DecodedUpdate {
  const structure = decodeStructure(bytes, session);
  if ('check' in structure) return reset([structure], structure);

  const { values, faults } = structure.attributes;
  const reach = reachOf(structure, session, faults);
  if (reach.length > 0) checkMandatory(structure, session, faults);

  const worst = strongest(faults);
  if (worst?.check.outcome === 'session-reset') return reset(faults, worst);
  const withdraw = worst?.check.outcome === 'treat-as-withdraw';
  if (withdraw && !mayBeWithdrawn(structure)) return reset(faults, worst);

  const unreach = unreachOf(structure, session, withdraw ? reach : []);
  const attributes = withdraw || reach.length === 0 ? undefined : assemble(values);
  return {
    ok: true,
    message: { type: 'update', unreach, reach: attributes === undefined ? [] : reach, attributes },
    faults,
  };
}

function reset(faults: readonly Fault[], fault: Fault): DecodedUpdate {
  return { ok: false, notification: notificationOf(fault), faults };
}

function decodeStructure(bytes: Uint8Array, session: Negotiated): Structure | Fault {
  const r = new Reader(bytes, HEADER_LENGTH);
  const withdrawnField = r.slice(r.u16());
  const attributesField = r.slice(r.u16());
  if (r.overrun) return general(UPDATE_CHECKS.lengths, HEADER_LENGTH);
  const nlriField = r.slice(r.remaining);
  const empty = withdrawnField.remaining + attributesField.remaining + nlriField.remaining === 0;

  const addPath = session.addPathReceive.includes('ipv4-unicast');
  const withdrawn: Nlri[] = [];
  const withdrawnError = decodeNlri(withdrawnField, 'ipv4-unicast', addPath, withdrawn);
  if (withdrawnError !== undefined) return general(UPDATE_CHECKS.withdrawn, withdrawnError.offset);
  const nlri: Nlri[] = [];
  const nlriError = decodeNlri(nlriField, 'ipv4-unicast', addPath, nlri);
  if (nlriError !== undefined) return general(UPDATE_CHECKS.network, nlriError.offset);
  return { withdrawn, nlri, empty, attributes: decodeAttributes(attributesField, session) };
}

function general(check: Check, offset: number, attribute?: number, data = NO_DATA): Fault {
  return { check, attribute, offset, data };
}

/** What the message announces, by family. A next hop that no packet can be sent to is a fault. */
function reachOf({ nlri, attributes }: Structure, session: Negotiated, faults: Fault[]): Reach[] {
  const { values, seen } = attributes;
  const reach: Reach[] = [];
  const offset = (code: number): number => seen.get(code) ?? HEADER_LENGTH;
  if (nlri.length > 0 && !session.families.includes('ipv4-unicast')) {
    faults.push(general(UPDATE_CHECKS.familyNotNegotiated, HEADER_LENGTH));
  } else if (nlri.length > 0) {
    const address = values.nextHop ?? NO_NEXT_HOP;
    reach.push({ family: 'ipv4-unicast', nextHop: { address }, nlri });
    if (values.nextHop !== undefined && !isHostAddress(address)) {
      const data = Uint8Array.of(FLAG.transitive, ATTRIBUTE.nextHop, 4, ...address.toBytes());
      faults.push(general(NEXT_HOP_NOT_A_HOST, offset(ATTRIBUTE.nextHop), ATTRIBUTE.nextHop, data));
    }
  }
  if (values.mpReach !== undefined && values.mpReach.nlri.length > 0) {
    reach.push(values.mpReach);
    if (!isUsableNextHop(values.mpReach.nextHop)) {
      faults.push(general(MP_NEXT_HOP_NOT_A_HOST, offset(ATTRIBUTE.mpReach), ATTRIBUTE.mpReach));
    }
  }
  return reach;
}

/** Stands in where NEXT_HOP is missing or malformed. That is a fault, so the NLRI are withdrawn and nobody sees it. */
const NO_NEXT_HOP = Address.v4(0);

/** RFC 4271 §5, table; RFC 4760 §3 for NEXT_HOP, which only the NLRI field needs. */
function checkMandatory({ nlri, attributes }: Structure, session: Negotiated, faults: Fault[]): void {
  const mandatory: number[] = [ATTRIBUTE.origin, ATTRIBUTE.asPath];
  if (nlri.length > 0 && session.families.includes('ipv4-unicast')) mandatory.push(ATTRIBUTE.nextHop);
  if (session.internal) mandatory.push(ATTRIBUTE.localPref);
  for (const code of mandatory) {
    if (attributes.seen.has(code)) continue;
    faults.push(general(UPDATE_CHECKS.missing, HEADER_LENGTH, code, Uint8Array.of(code)));
  }
}

/**
 * RFC 7606 §5.2: without reachable NLRI there may be some that the error has hidden, so the session cannot go on,
 * unless the message is one that only withdraws.
 */
function mayBeWithdrawn({ nlri, attributes }: Structure): boolean {
  const { values, seen, faults } = attributes;
  const mpReach = seen.has(ATTRIBUTE.mpReach) && values.mpReach?.nlri.length !== 0;
  if (nlri.length > 0 || mpReach) return true;
  const framing: readonly Check[] = [UPDATE_CHECKS.attributeHeader, UPDATE_CHECKS.attributeLength];
  return (
    seen.size === 1 && seen.has(ATTRIBUTE.mpUnreach) && !faults.some(({ check }) => framing.includes(check))
  );
}

/** Withdrawals of both fields and of the announcements that errors turn into such, or the End-of-RIB marker. */
function unreachOf(
  structure: Structure,
  session: Negotiated,
  withdrawn: readonly Reach[],
): readonly Unreach[] {
  const { mpUnreach } = structure.attributes.values;
  const marker = endOfRib(structure, session);
  if (marker !== undefined) return [{ family: marker, nlri: [] }];

  const byFamily = new Map<Family, readonly Nlri[]>();
  const add = ({ family, nlri }: Unreach): void => {
    const before = byFamily.get(family);
    if (nlri.length > 0) byFamily.set(family, before === undefined ? nlri : [...before, ...nlri]);
  };
  if (session.families.includes('ipv4-unicast')) add({ family: 'ipv4-unicast', nlri: structure.withdrawn });
  if (mpUnreach !== undefined) add(mpUnreach);
  for (const reach of withdrawn) add(reach);
  return [...byFamily].map(([family, nlri]) => ({ family, nlri }));
}

/** RFC 4724 §2: an UPDATE with nothing in it, or with an MP_UNREACH_NLRI with nothing in it and nothing beside it. */
function endOfRib(structure: Structure, session: Negotiated): Family | undefined {
  if (structure.empty) return session.families.includes('ipv4-unicast') ? 'ipv4-unicast' : undefined;
  const { values, seen, faults } = structure.attributes;
  const alone =
    seen.size === 1 && faults.length === 0 && structure.withdrawn.length === 0 && structure.nlri.length === 0;
  return alone && values.mpUnreach?.nlri.length === 0 ? values.mpUnreach.family : undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The attributes that stay with the routes. Undefined where a mandatory one is not there. */
export function assemble(values: AttributeValues): PathAttributes | undefined {
  const { origin, asPath } = values;
  if (origin === undefined || asPath === undefined) return undefined;
  const { asPath: path, aggregator } = joinAs4(asPath, values);
  const attributes: Mutable<PathAttributes> = { origin, asPath: path };
  if (values.med !== undefined) attributes.med = values.med;
  if (values.localPref !== undefined) attributes.localPref = values.localPref;
  if (values.atomicAggregate !== undefined) attributes.atomicAggregate = true;
  if (aggregator !== undefined) attributes.aggregator = aggregator;
  if (values.communities !== undefined) attributes.communities = values.communities;
  if (values.originatorId !== undefined) attributes.originatorId = values.originatorId;
  if (values.clusterList !== undefined) attributes.clusterList = values.clusterList;
  if (values.extendedCommunities !== undefined) attributes.extendedCommunities = values.extendedCommunities;
  if (values.aigp !== undefined) attributes.aigp = values.aigp;
  if (values.largeCommunities !== undefined) attributes.largeCommunities = values.largeCommunities;
  if (values.unknown !== undefined) attributes.unknown = values.unknown;
  if (values.partial !== undefined) attributes.partial = values.partial;
  return attributes;
}

/**
 * RFC 6793 §4.2.3. An AGGREGATOR with a true AS number beside an AS4_AGGREGATOR was set by an old speaker after the
 * path had left the new ones: both AS4 attributes are then stale.
 */
function joinAs4(
  asPath: readonly AsSegment[],
  { aggregator, as4Path, as4Aggregator }: AttributeValues,
): { readonly asPath: readonly AsSegment[]; readonly aggregator: Aggregator | undefined } {
  const stale = aggregator !== undefined && as4Aggregator !== undefined && aggregator.asn !== AS_TRANS;
  if (stale) return { asPath, aggregator };
  return {
    asPath: as4Path === undefined ? asPath : mergeAs4Path(asPath, as4Path),
    aggregator: aggregator === undefined ? undefined : (as4Aggregator ?? aggregator),
  };
}
