/**
 * What the RFCs make of the stream of one connection, from the first octet on: RFC 4271 §6 and §8.2.2, 5492, 6286,
 * 6608, 6793, 7313, 7607, 8654, 9072. The peer is known to be configured as external or internal, passive here.
 */
import { judgeUpdate, type Session } from './update.ts';

export type End =
  | { readonly state: 'OpenSent' | 'OpenConfirm' | 'Established' }
  /** One of these NOTIFICATIONs, `2/0`; `3/any` for any subcode; none for a peer that ended the session itself. */
  | { readonly state: 'closed'; readonly by: readonly string[] };

export interface Expected {
  readonly end: End;
  /** Prefix -> attributes, as the peer's Adj-RIB-In must hold them; prefixes in hexadecimal. */
  readonly routes: ReadonlyMap<string, readonly string[]>;
  readonly treatedAsWithdraw: number;
}

interface Configured {
  readonly asn: number;
  readonly localAsn: number;
  readonly localId: number;
}

type State = 'OpenSent' | 'OpenConfirm' | 'Established';

export class SessionOracle {
  readonly #configured: Configured;
  readonly #routes = new Map<string, readonly string[]>();
  #buffer = new Uint8Array(0);
  #state: State = 'OpenSent';
  #closed: readonly string[] | undefined;
  #session: Session = { internal: false, fourOctets: false, versions: [] };
  #treated = 0;

  constructor(configured: Configured) {
    this.#configured = configured;
  }

  get expected(): Expected {
    const end: End =
      this.#closed === undefined ? { state: this.#state } : { state: 'closed', by: this.#closed };
    const routes = end.state === 'Established' ? this.#routes : new Map<string, readonly string[]>();
    return { end, routes, treatedAsWithdraw: this.#treated };
  }

  hear(octets: Uint8Array): void {
    const bytes = new Uint8Array(this.#buffer.length + octets.length);
    bytes.set(this.#buffer);
    bytes.set(octets, this.#buffer.length);
    let at = 0;
    while (this.#closed === undefined && bytes.length - at >= 19) {
      const wrong = badHeader(bytes.subarray(at, at + 19));
      if (wrong !== undefined) {
        this.#closed = wrong;
        return;
      }
      const length = (bytes[at + 16] ?? 0) * 256 + (bytes[at + 17] ?? 0);
      if (bytes.length - at < length) break;
      this.#message(bytes.subarray(at, at + length));
      at += length;
    }
    this.#buffer = bytes.slice(at);
  }

  #message(bytes: Uint8Array): void {
    const unexpected = { OpenSent: '5/1', OpenConfirm: '5/2', Established: '5/3' }[this.#state];
    switch (bytes[18]) {
      case 1:
        // RFC 4271 §8.2.2: a malformed OPEN is an OPEN error in any state, a sound one is out of place after the first.
        this.#closed = this.#open(bytes) ?? (this.#state === 'OpenSent' ? undefined : [unexpected]);
        if (this.#closed === undefined) this.#state = 'OpenConfirm';
        return;
      case 2:
        if (this.#state === 'Established') this.#update(bytes);
        else this.#closed = [unexpected];
        return;
      case 3:
        this.#closed = [];
        return;
      case 4:
        if (this.#state === 'OpenSent') this.#closed = [unexpected];
        else this.#state = 'Established';
        return;
      default:
        this.#refresh(bytes, unexpected);
    }
  }

  /** RFC 7313 §5: BoRR and EoRR have one length. Whatever else it says, a request is harmless. */
  #refresh(bytes: Uint8Array, unexpected: string): void {
    if (this.#state !== 'Established') this.#closed = [unexpected];
    else if ((bytes[21] === 1 || bytes[21] === 2) && bytes.length !== 23) this.#closed = ['7/1'];
  }

  #update(bytes: Uint8Array): void {
    const verdict = judgeUpdate(bytes, this.#session);
    if (typeof verdict.outcome === 'object') {
      this.#closed = verdict.outcome.reset.map((code) => (code === 'any' ? '3/any' : code));
      return;
    }
    if (verdict.outcome === 'withdraw') this.#treated++;
    for (const prefix of verdict.withdrawn) this.#routes.delete(prefix);
    for (const [prefix, attributes] of verdict.announced) this.#routes.set(prefix, attributes);
  }

  /** @returns the NOTIFICATIONs it calls for; sets what later messages are read with */
  #open(bytes: Uint8Array): readonly string[] | undefined {
    if (bytes[19] !== 4) return ['2/1'];
    const wrong = new Set<string>();
    const capabilities = parameters(bytes);
    if (!Array.isArray(capabilities)) return [`2/${capabilities}`];
    const four = capabilities.findLast(({ code }) => code === 65);
    const short = u16(bytes, 20);
    const asn = four === undefined ? short : u32(four.value, 0);
    const hold = u16(bytes, 22);
    const id = u32(bytes, 24);
    if (asn === 0 || asn === 23_456 || asn !== this.#configured.asn) wrong.add('2/2');
    if (hold === 1 || hold === 2) wrong.add('2/6');
    const internal = asn === this.#configured.localAsn;
    if (id === 0 || (internal && id === this.#configured.localId)) wrong.add('2/3');
    const families = capabilities.filter(({ code }) => code === 1).map(({ value }) => familyText(value));
    // RFC 4760 §8: who says nothing about families speaks IPv4 unicast.
    const versions = ([4, 6] as const).filter((version) =>
      families.length === 0 ? version === 4 : families.includes(version === 4 ? '1/1' : '2/1'),
    );
    if (versions.length === 0) wrong.add('2/7');
    if (this.#state === 'OpenSent') this.#session = { internal, fourOctets: four !== undefined, versions };
    return wrong.size === 0 ? undefined : [...wrong];
  }
}

/** RFC 4271 §6.1, RFC 2918 §3, RFC 8654 §4. */
function badHeader(header: Uint8Array): readonly string[] | undefined {
  if (header.subarray(0, 16).some((octet) => octet !== 0xff)) return ['1/1'];
  const length = u16(header, 16);
  const type = header[18] ?? 0;
  const least = new Map([
    [1, 29],
    [2, 23],
    [3, 21],
    [4, 19],
    [5, 23],
  ]).get(type);
  const wrong: string[] = [];
  if (length < 19) wrong.push('1/2');
  if (least === undefined) wrong.push('1/3');
  else if (length < least || (type === 4 && length !== 19) || (type === 1 && length > 4096))
    wrong.push('1/2');
  return wrong.length === 0 ? undefined : wrong;
}

interface CapabilityOctets {
  readonly code: number;
  readonly value: Uint8Array;
}

/** RFC 5492 §4, RFC 9072 §2. @returns the capabilities, or the subcode of the OPEN error */
function parameters(bytes: Uint8Array): CapabilityOctets[] | number {
  let at = 29;
  let left = bytes[28] ?? 0;
  const extended = left !== 0 && bytes[29] === 255;
  if (extended) {
    if (bytes.length < 32) return 0;
    left = u16(bytes, 30);
    at = 32;
  }
  if (bytes.length - at !== left) return 0;
  const found: CapabilityOctets[] = [];
  while (at < bytes.length) {
    const head = extended ? 3 : 2;
    if (bytes.length - at < head) return 0;
    const length = extended ? u16(bytes, at + 1) : (bytes[at + 1] ?? 0);
    if (bytes.length - at - head < length) return 0;
    if (bytes[at] !== 2) return 4;
    const end = at + head + length;
    for (at += head; at < end; ) {
      if (end - at < 2 || end - at - 2 < (bytes[at + 1] ?? 0)) return 0;
      const capability = {
        code: bytes[at] ?? 0,
        value: bytes.subarray(at + 2, at + 2 + (bytes[at + 1] ?? 0)),
      };
      if (!sound(capability)) return 0;
      found.push(capability);
      at += 2 + capability.value.length;
    }
  }
  return found;
}

/** RFC 4760 §8, 6793 §3, 4724 §3, 7911 §4: lengths that leave nothing to guess. */
function sound({ code, value }: CapabilityOctets): boolean {
  if (code === 1 || code === 65) return value.length === 4;
  if (code === 64) return value.length % 4 === 2;
  if (code === 69) return value.length % 4 === 0;
  return true;
}

function familyText(value: Uint8Array): string {
  return `${u16(value, 0)}/${value[3] ?? 0}`;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
}

function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 65_536 + u16(bytes, at + 2);
}
