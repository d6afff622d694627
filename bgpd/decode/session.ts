/**
 * What an UPDATE can only be read with and does not carry: the width of AS numbers, path ids, and whether the session is
 * internal. From the two OPENs where both were seen, else from options, else guessed from the message, and then said.
 */
import { CAPABILITY, FAMILIES, type Family, type Negotiated, type OpenMessage } from '../wire/index.ts';
import { HEADER_LENGTH } from '../wire/header.ts';
import { LABELLED_SAFI } from '../wire/labelled-nlri.ts';
import { Reader } from '../wire/reader.ts';

export interface DecodeOptions {
  /** AS numbers of 4 octets, or of 2; undefined: OPENs or a guess. Wins over OPENs. */
  readonly asn4?: boolean | undefined;
  /** Families whose NLRI have path ids, whatever OPENs say. */
  readonly addPath?: readonly Family[];
  /** Kind of session, whatever OPENs say. */
  readonly peer?: 'internal' | 'external' | undefined;
}

/** 0 and 1: the two directions of a connection. `either`: octets without a connection around them. */
export type Direction = 0 | 1 | 'either';

/** What was guessed; absent where it is known. */
export interface Assumed {
  readonly asn4?: boolean;
  readonly peer?: 'internal' | 'external';
}

const ALL_FAMILIES = Object.keys(FAMILIES) as Family[];

export class SessionKnowledge {
  readonly #options: DecodeOptions;
  #opens: [OpenMessage | undefined, OpenMessage | undefined] = [undefined, undefined];

  constructor(options: DecodeOptions) {
    this.#options = options;
  }

  learn(direction: Direction, open: OpenMessage): void {
    if (direction === 'either') this.#opens = [this.#opens[1], open];
    else this.#opens[direction] = open;
  }

  /** Another connection begins: what its predecessor settled says nothing. */
  forget(direction: 0 | 1): void {
    this.#opens[direction] = undefined;
  }

  /** How to read this UPDATE that went in this direction. */
  assume(
    direction: Direction,
    update: Uint8Array,
  ): { readonly session: Negotiated; readonly assumed: Assumed } {
    const [sender, receiver] = direction === 1 ? [this.#opens[1], this.#opens[0]] : this.#opens;
    const values = attributeValues(update);
    const knownAsn4 = this.#options.asn4 ?? bothOffer(sender, receiver);
    const asn4 = knownAsn4 ?? looksFourOctet(values.get(2));
    const knownPeer = this.#options.peer ?? kindOf(sender, receiver);
    const peer = knownPeer ?? (INTERNAL_MARKS.some((code) => values.has(code)) ? 'internal' : 'external');
    const open = sender ?? receiver;
    const session: Negotiated = {
      peerAsn: sender?.asn ?? 0,
      peerRouterId: sender?.routerId ?? 0,
      internal: peer === 'internal',
      holdSeconds: open?.holdSeconds ?? 0,
      keepaliveSeconds: 0,
      families: familiesOf(sender, receiver),
      fourOctetAs: asn4,
      extendedMessages: true,
      routeRefresh: true,
      enhancedRefresh: true,
      aigp: true,
      addPathReceive: this.#pathIds(direction, sender, receiver),
      addPathSend: [],
    };
    const assumed = {
      ...(knownAsn4 === undefined ? { asn4 } : {}),
      ...(knownPeer === undefined ? { peer } : {}),
    } as const;
    return { session, assumed };
  }

  /** Whether both have said that a prefix may have several labels (RFC 8277 §2.1); undefined where one was not heard. */
  multipleLabels(version: 4 | 6): boolean | undefined {
    const [a, b] = this.#opens;
    return a === undefined || b === undefined
      ? undefined
      : [a, b].every((open) => takesLabels(open, version));
  }

  #pathIds(
    direction: Direction,
    sender: OpenMessage | undefined,
    receiver: OpenMessage | undefined,
  ): readonly Family[] {
    const settled = ALL_FAMILIES.filter(
      (family) =>
        sends(sender, receiver, family) || (direction === 'either' && sends(receiver, sender, family)),
    );
    return [...new Set([...(this.#options.addPath ?? []), ...settled])];
  }
}

/** LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST: never on eBGP. */
const INTERNAL_MARKS: readonly number[] = [5, 9, 10];

function bothOffer(a: OpenMessage | undefined, b: OpenMessage | undefined): boolean | undefined {
  if (a === undefined || b === undefined) return undefined;
  return [a, b].every((open) => open.capabilities.some(({ code }) => code === CAPABILITY.fourOctetAs));
}

function kindOf(a: OpenMessage | undefined, b: OpenMessage | undefined): 'internal' | 'external' | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a.asn === b.asn ? 'internal' : 'external';
}

/** RFC 7911 §4: one offers to send, the other to receive. */
function sends(from: OpenMessage | undefined, to: OpenMessage | undefined, family: Family): boolean {
  const says = (open: OpenMessage | undefined, what: 'send' | 'receive'): boolean =>
    open?.capabilities.some(
      (c) => c.code === CAPABILITY.addPath && c.families.some((each) => each.family === family && each[what]),
    ) ?? false;
  return says(from, 'send') && says(to, 'receive');
}

const MULTIPLE_LABELS = 8;

/** The first copy of the capability counts; a family with a count of 0 or 1 was not said (RFC 8277 §2.1). */
function takesLabels({ capabilities }: OpenMessage, version: 4 | 6): boolean {
  const said = capabilities.find((c) => c.code === 'unknown' && c.number === MULTIPLE_LABELS);
  if (said?.code !== 'unknown' || said.value.length % 4 !== 0) return false;
  const r = new Reader(said.value);
  while (r.remaining > 0) {
    const [afi, safi, count] = [r.u16(), r.u8(), r.u8()];
    if (afi === (version === 4 ? 1 : 2) && safi === LABELLED_SAFI) return count > 1;
  }
  return false;
}

/** Those that both offer; RFC 4760 §8 for a side that offers none. All, where a side was not heard. */
function familiesOf(a: OpenMessage | undefined, b: OpenMessage | undefined): readonly Family[] {
  if (a === undefined || b === undefined) return ALL_FAMILIES;
  return ALL_FAMILIES.filter((family) => offers(a, family) && offers(b, family));
}

function offers({ capabilities }: OpenMessage, family: Family): boolean {
  const offered = capabilities.filter((c) => c.code === CAPABILITY.multiprotocol);
  const { afi, safi } = FAMILIES[family];
  if (offered.length === 0) return family === 'ipv4-unicast';
  return offered.some((c) => c.afi === afi && c.safi === safi);
}

/** Code and value of each attribute, as far as the field can be read; for guesses only. */
function attributeValues(update: Uint8Array): Map<number, Uint8Array> {
  const values = new Map<number, Uint8Array>();
  const r = new Reader(update, HEADER_LENGTH);
  r.slice(r.u16());
  const field = r.slice(r.u16());
  while (field.remaining > 0 && !field.overrun) {
    const flags = field.u8();
    const code = field.u8();
    const value = field.take((flags & 0x10) === 0 ? field.u8() : field.u16());
    if (!field.overrun) values.set(code, value);
  }
  return values;
}

/** True unless the AS_PATH only makes sense with AS numbers of 2 octets: nearly everyone speaks RFC 6793. */
function looksFourOctet(asPath: Uint8Array | undefined): boolean {
  if (asPath === undefined || asPath.length === 0) return true;
  return fits(asPath, 4) || !fits(asPath, 2);
}

function fits(asPath: Uint8Array, width: 2 | 4): boolean {
  const r = new Reader(asPath, 0);
  while (r.remaining > 0 && !r.overrun) {
    const type = r.u8();
    const count = r.u8();
    if (type < 1 || type > 4 || count === 0) return false;
    r.take(count * width);
  }
  return !r.overrun;
}
