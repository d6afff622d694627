/**
 * What nf_tables does with a packet: executes the expressions of our table as the kernel reports them, on the octets that
 * they would load. It knows nothing of how our rules were made into expressions. What is not known here is an error, never
 * a guess. Pure.
 */
import type { Expression, ListedRule, NftElement, NftVerdict } from '../../../net/kernel/index.ts';
import { type Journey, JOURNEYS, type Met, seenAt, type Walk, type WalkedPacket } from '../netfilter.ts';
import { nftText } from './nft-text.ts';

/** Our table of one family, as it was read; chains and sets by the kernel's names. */
export interface NftRuleset {
  readonly rules: ReadonlyMap<string, readonly ListedRule[]>;
  /** Sets and verdict maps. */
  readonly sets: ReadonlyMap<string, NftSetContent>;
}

export interface NftSetContent {
  /** Elements are ranges of keys; one without an end goes to the end of all keys. */
  readonly interval: boolean;
  readonly elements: readonly NftElement[];
}

/** Jumps deeper than this the kernel refuses to load (NFT_JUMP_STACK_SIZE). */
const DEPTH = 16;
const REGISTERS = 64;
const IFNAMSIZ = 16;

export function travelNftables({ rules, sets }: NftRuleset, journey: Journey, packet: WalkedPacket): Walk {
  const state: State = { mark: 0, untracked: false };
  const trace: Met[] = [];
  for (const stage of JOURNEYS[journey]) {
    const [table = '', hook = ''] = stage.split(' ');
    if (!rules.has(`${table}-${hook}`)) continue;
    const machine = new Machine(rules, sets, seenAt(hook, packet), state);
    const verdict = machine.chain(`${table}-${hook}`, 0);
    trace.push(...machine.trace);
    if (verdict === 'drop') return { verdict: 'DROP', trace };
  }
  return { verdict: 'ACCEPT', trace };
}

/** Goes with the packet from one base chain to the next. */
interface State {
  mark: number;
  untracked: boolean;
}

type Outcome = 'next' | 'no-match' | NftVerdict;

class Machine {
  readonly trace: Met[] = [];
  readonly #rules: NftRuleset['rules'];
  readonly #sets: NftRuleset['sets'];
  readonly #packet: WalkedPacket;
  readonly #state: State;
  readonly #registers = Buffer.alloc(REGISTERS);

  constructor(rules: NftRuleset['rules'], sets: NftRuleset['sets'], packet: WalkedPacket, state: State) {
    this.#rules = rules;
    this.#sets = sets;
    this.#packet = packet;
    this.#state = state;
  }

  /** Undefined: the packet comes back to whoever called. */
  chain(name: string, depth: number): 'accept' | 'drop' | undefined {
    if (depth > DEPTH) throw new RangeError(`jumps without end at ${name}`);
    const rules = this.#rules.get(name);
    if (rules === undefined) throw new RangeError(`no chain ${name}`);
    for (const [index, rule] of rules.entries()) {
      const verdict = this.#rule(rule.expressions);
      if (verdict === undefined) continue;
      const dash = name.indexOf('-');
      const place = { table: name.slice(0, dash), chain: name.slice(dash + 1) };
      this.trace.push({ ...place, index, rule: ruleText(rule) });
      switch (verdict.code) {
        case 'accept':
        case 'drop':
          return verdict.code;
        case 'return':
          return undefined;
        case 'continue':
          break;
        case 'jump':
        case 'goto': {
          const inner = this.chain(verdict.chain ?? '', depth + 1);
          if (inner !== undefined || verdict.code === 'goto') return inner;
        }
      }
    }
    return undefined;
  }

  /** Undefined: it does not match, or does nothing but count. */
  #rule(expressions: readonly Expression[]): NftVerdict | undefined {
    let does = false;
    for (const expression of expressions) {
      const outcome = this.#step(expression);
      if (outcome === 'no-match') return undefined;
      if (outcome !== 'next') return outcome;
      does ||= DOES.has(expression.kind);
    }
    return does ? { code: 'continue' } : undefined;
  }

  #step(each: Expression): Outcome {
    switch (each.kind) {
      case 'payload':
        return this.#load(each.register, this.#payload(each));
      case 'meta':
        return this.#meta(each.key, each.register);
      case 'meta-set':
        if (each.key !== 'mark') throw new RangeError(`no meaning known for setting ${each.key}`);
        this.#state.mark = this.#registers.readUInt32LE(offsetOf(each.register));
        return 'next';
      case 'ct-state':
        return this.#word(each.register, this.#state.untracked ? UNTRACKED : STATES[this.#packet.state]);
      case 'ct-status':
        // What belongs to no connection has no status, and no rule that asks for one matches.
        if (this.#state.untracked) return 'no-match';
        return this.#word(each.register, this.#packet.destinationChanged === true ? DESTINATION_CHANGED : 0);
      case 'fib-source-route':
        return this.#word(each.register, this.#packet.strayed === true ? 0 : 1);
      case 'cmp':
        return matched(
          (Buffer.compare(this.#read(each.register, each.data), bytes(each.data)) === 0) ===
            (each.op === 'eq'),
        );
      case 'range': {
        const value = this.#read(each.register, each.from).toString('hex');
        return matched((each.from <= value && value <= each.to) === (each.op === 'eq'));
      }
      case 'bitwise':
        return this.#bitwise(each);
      case 'lookup':
        return matched((this.#find(each.set, each.register) !== undefined) !== each.invert);
      case 'verdict-map':
        return this.#find(each.map, each.register)?.verdict ?? 'no-match';
      case 'notrack':
        this.#state.untracked = true;
        return 'next';
      case 'verdict':
        return each.verdict;
      // A limit is taken to have room: how often a packet came before is not asked.
      case 'limit':
      case 'counter':
      case 'log':
        return 'next';
      case 'reject':
        return { code: 'drop' };
      // Addresses that change are followed no further: policy is asked before or after.
      case 'masquerade':
      case 'nat':
        return { code: 'accept' };
      case 'load':
        return this.#load(each.register, bytes(each.data));
      case 'match':
      case 'unknown':
        throw new RangeError(`no meaning known for the expression ${each.name}`);
    }
  }

  #payload({ base, offset, length }: Expression & { readonly kind: 'payload' }): Buffer | undefined {
    const header = base === 'network' ? networkHeader(this.#packet) : transportHeader(this.#packet);
    return offset + length > header.length ? undefined : header.subarray(offset, offset + length);
  }

  #meta(key: string, register: number): Outcome {
    const { protocol, inInterface, outInterface, source } = this.#packet;
    switch (key) {
      case 'mark':
        return this.#word(register, this.#state.mark);
      case 'l4proto':
        return this.#load(register, Buffer.from([protocol]));
      case 'nfproto':
        return this.#load(register, Buffer.from([source.version === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6]));
      case 'iifname':
        return this.#load(register, name(inInterface));
      case 'oifname':
        return this.#load(register, name(outInterface));
      default:
        throw new RangeError(`no meaning known for meta ${key}`);
    }
  }

  #bitwise({ register, length, mask, xor }: Expression & { readonly kind: 'bitwise' }): Outcome {
    const at = offsetOf(register);
    const [and, or] = [bytes(mask), bytes(xor)];
    for (let i = 0; i < length; i++)
      this.#registers[at + i] = ((this.#registers[at + i] ?? 0) & (and[i] ?? 0)) ^ (or[i] ?? 0);
    return 'next';
  }

  #find(set: string, register: number): NftElement | undefined {
    const found = this.#sets.get(set);
    if (found === undefined) throw new RangeError(`no set ${set}`);
    const [first] = found.elements;
    if (first === undefined) return undefined;
    const key = this.#read(register, first.key).toString('hex');
    if (!found.interval) return found.elements.find((each) => each.key === key);
    return found.elements.find((each) => each.key <= key && (each.end === undefined || key < each.end));
  }

  /** As many octets as `like` has. */
  #read(register: number, like: string): Buffer {
    const at = offsetOf(register);
    return this.#registers.subarray(at, at + like.length / 2);
  }

  /** The rest of the last word is zero, as the kernel leaves it. Nothing to load ends the rule. */
  #load(register: number, value: Buffer | undefined): Outcome {
    if (value === undefined) return 'no-match';
    const at = offsetOf(register);
    this.#registers.fill(0, at, at + Math.ceil(value.length / 4) * 4);
    value.copy(this.#registers, at);
    return 'next';
  }

  /** In the machine's order, which is little-endian wherever our netlink runs. */
  #word(register: number, value: number): Outcome {
    const word = Buffer.alloc(4);
    word.writeUInt32LE(value >>> 0);
    return this.#load(register, word);
  }
}

function ruleText({ expressions, comment }: ListedRule): string {
  const said = comment?.replace(/^cali:[\w-]+; ?/, '') ?? '';
  return said === '' ? nftText(expressions) : `${nftText(expressions)} comment "${said}"`;
}

/** What makes a rule more than a count. */
const DOES: ReadonlySet<string> = new Set(['meta-set', 'log', 'notrack']);

/** `1 << (state + 1)`, in the order of enum ip_conntrack_info. */
const STATES = { INVALID: 1, ESTABLISHED: 2, RELATED: 4, NEW: 8 } as const;
const UNTRACKED = 64;
/** IPS_DST_NAT. */
const DESTINATION_CHANGED = 32;
const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;

function offsetOf(register: number): number {
  return register <= 4 ? (register - 1) * 16 : (register - 8) * 4;
}

function matched(holds: boolean): Outcome {
  return holds ? 'next' : 'no-match';
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

/** An interface that is not there yet, or no longer, ends the rule: there is no name to load. */
function name(text: string | undefined): Buffer | undefined {
  if (text === undefined) return undefined;
  const padded = Buffer.alloc(IFNAMSIZ);
  padded.write(text, 0, IFNAMSIZ - 1);
  return padded;
}

/** Of an IPv4 or IPv6 header what rules look at. */
function networkHeader({ source, destination, protocol }: WalkedPacket): Buffer {
  const [from, to] = [Buffer.from(source.toBytes()), Buffer.from(destination.toBytes())];
  if (source.version === 4) {
    const header = Buffer.alloc(12);
    header[9] = protocol;
    return Buffer.concat([header, from, to]);
  }
  const header = Buffer.alloc(8);
  header[6] = protocol;
  return Buffer.concat([header, from, to]);
}

/** The first octets behind it: two ports, or type and code. */
function transportHeader(packet: WalkedPacket): Buffer {
  const header = Buffer.alloc(8);
  if (packet.icmpType !== undefined) {
    header[0] = packet.icmpType;
    header[1] = packet.icmpCode ?? 0;
  } else {
    header.writeUInt16BE(packet.sourcePort ?? 0, 0);
    header.writeUInt16BE(packet.destinationPort ?? 0, 2);
  }
  return header;
}
