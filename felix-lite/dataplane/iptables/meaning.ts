/**
 * What a rule says, apart from how it is spelled: our own lines and those of iptables-save come to the same.
 * An option that is not known here is an error, never a guess.
 */
import { iptables } from '../../../net/kernel/index.ts';

export interface Condition {
  /** One of the names on the right of {@link OPTIONS}, `match-set`, or `rpfilter`. */
  readonly option: string;
  readonly value: string;
  readonly not: boolean;
}

export interface ParsedRule {
  readonly conditions: readonly Condition[];
  /** ACCEPT, DROP, RETURN, LOG, MARK, MASQUERADE, SNAT, DNAT, NOTRACK, or a chain. */
  readonly target: string | undefined;
  readonly goto: boolean;
  /** Of MARK: value and mask. */
  readonly mark: readonly [number, number] | undefined;
  /** What an address is changed to, of SNAT, DNAT and MASQUERADE. */
  readonly to: string | undefined;
}

/** Their values say what a packet is changed to. */
const TO = new Set(['--to-source', '--to-destination', '--to-ports']);

const OPTIONS: Readonly<Record<string, string>> = {
  '-p': 'protocol',
  '-s': 'source',
  '--source': 'source',
  '-d': 'destination',
  '--destination': 'destination',
  '-i': 'in-interface',
  '--in-interface': 'in-interface',
  '-o': 'out-interface',
  '--out-interface': 'out-interface',
  '--sports': 'source-ports',
  '--source-ports': 'source-ports',
  '--dports': 'destination-ports',
  '--destination-ports': 'destination-ports',
  '--mark': 'mark',
  '--ctstate': 'ctstate',
  '--icmp-type': 'icmp-type',
  '--icmpv6-type': 'icmp-type',
};

/** Take a value, and do not change which packets match; a rate only how often we hear of them. */
const IGNORED = new Set([
  '-m',
  '--comment',
  '--log-prefix',
  '--log-level',
  '--limit',
  '--limit-burst',
  // iptables-save says what REJECT says of itself.
  '--reject-with',
]);
/** Stand alone. */
const FLAGS = new Set(['--invert', '--validmark']);

/**
 * @param text  the words after `-A <chain>`
 * @throws RangeError on an option without a known meaning
 */
export function parseRule(text: string): ParsedRule {
  const words = iptables.splitRule(text);
  const conditions: Condition[] = [];
  let target: string | undefined;
  let goto = false;
  let mark: ParsedRule['mark'];
  let to: string | undefined;
  let not = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '!') {
      not = true;
      continue;
    }
    if (FLAGS.has(word)) {
      conditions.push({ option: 'rpfilter', value: word.slice(2), not });
      continue;
    }
    // How iptables-save prints NOTRACK.
    if (word === '--notrack') {
      target = 'NOTRACK';
      continue;
    }
    const value = words[++index] ?? '';
    const option = OPTIONS[word];
    if (option !== undefined) conditions.push({ option, value: normal(option, value), not });
    else if (word === '--match-set') {
      conditions.push({ option: 'match-set', value: `${value} ${words[++index] ?? ''}`, not });
    } else if (word === '-j' || word === '--jump') target = value;
    else if (word === '-g' || word === '--goto') [target, goto] = [value, true];
    else if (word === '--set-mark' || word === '--set-xmark') mark = masked(value);
    else if (TO.has(word)) to = value;
    else if (!IGNORED.has(word)) throw new RangeError(`no meaning known for ${word} in: ${text}`);
    if (word !== '-m') not = false;
  }
  return { conditions, target, goto, mark, to };
}

/** False also where one of them cannot be read. */
export function sameMeaning(a: string, b: string): boolean {
  try {
    return summary(a) === summary(b);
  } catch {
    return false;
  }
}

function summary(text: string): string {
  const { conditions, target, goto, mark, to } = parseRule(text);
  const asked = conditions
    // Everything lies in a prefix of length 0; the kernel does not print it.
    .filter(
      ({ option, value, not }) => not || !(/^(?:source|destination)$/.test(option) && value.endsWith('/0')),
    )
    .map(({ option, value, not }) => `${not ? '!' : ''}${option} ${value}`);
  return JSON.stringify([asked.sort(), target, goto, mark, to]);
}

/** `0x10000/0x30000`; without a mask, all bits. */
export function masked(text: string): readonly [number, number] {
  const [value, mask] = text.split('/');
  return [Number(value) >>> 0, mask === undefined ? 0xffffffff : Number(mask) >>> 0];
}

function normal(option: string, value: string): string {
  switch (option) {
    case 'protocol':
      return String(protocolNumber(value));
    case 'mark':
      return masked(value).join('/');
    case 'source':
    case 'destination':
      return value.includes('/') ? value : `${value}/${value.includes(':') ? 128 : 32}`;
    default:
      return value;
  }
}

/** Names under which the tools print what was written as a number, from the table in /etc/protocols. */
const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  ipencap: 4,
  ipv4: 4,
  tcp: 6,
  egp: 8,
  igp: 9,
  udp: 17,
  rdp: 27,
  dccp: 33,
  ipv6: 41,
  rsvp: 46,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  icmpv6: 58,
  eigrp: 88,
  ospf: 89,
  ipip: 94,
  etherip: 97,
  encap: 98,
  pim: 103,
  ipcomp: 108,
  vrrp: 112,
  l2tp: 115,
  isis: 124,
  sctp: 132,
  udplite: 136,
};

/** @throws RangeError on a name that is not in the table */
export function protocolNumber(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : PROTOCOL_NUMBERS[text];
  if (number === undefined) throw new RangeError(`no protocol ${text}`);
  return number;
}
