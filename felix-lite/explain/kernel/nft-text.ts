/** A rule of nf_tables in words close to the nft tool's, for people. Pure. */
import { Address } from '../../../net/addr/index.ts';
import type { Expression } from '../../../net/kernel/index.ts';

/** What the registers hold at a place in the rule, by the word for it. */
type Held = ReadonlyMap<number, string>;

/** No register: the protocol that the rule has asked for. */
const PROTOCOL = -1;
const ICMP: ReadonlySet<string | undefined> = new Set(['1', '58']);

export function nftText(expressions: readonly Expression[]): string {
  const held = new Map<number, string>();
  return expressions
    .map((each) => wordsFor(each, held))
    .filter((words) => words !== '')
    .join(' ');
}

function wordsFor(each: Expression, held: Map<number, string>): string {
  switch (each.kind) {
    case 'payload':
      held.set(each.register, fieldName(each, ICMP.has(held.get(PROTOCOL))));
      return '';
    case 'meta':
      held.set(each.register, each.key);
      return '';
    case 'ct-state':
    case 'ct-status':
      held.set(each.register, each.kind === 'ct-state' ? 'ct state' : 'ct status');
      return '';
    case 'fib-source-route':
      held.set(each.register, 'fib saddr . mark . iif oif');
      return '';
    case 'bitwise':
      held.set(each.register, maskedName(held.get(each.register) ?? '', each.mask, each.xor));
      return '';
    case 'meta-set':
      return `${each.key} set ${held.get(each.register) ?? ''}`;
    case 'cmp': {
      const name = held.get(each.register) ?? '';
      const value = valueText(name, each.data);
      if (name === 'l4proto') held.set(PROTOCOL, value);
      return `${name} ${each.op === 'eq' ? '' : '!= '}${value}`;
    }
    case 'range': {
      const name = held.get(each.register) ?? '';
      const not = each.op === 'eq' ? '' : '!= ';
      return `${name} ${not}${valueText(name, each.from)}-${valueText(name, each.to)}`;
    }
    case 'lookup':
      return `${keyName(held)} ${each.invert ? '!= ' : ''}@${each.set}`;
    case 'verdict-map':
      return `${held.get(each.register) ?? ''} vmap @${each.map}`;
    case 'limit':
      return `limit ${each.rate} per ${each.perSeconds} s burst ${each.burst}`;
    case 'log':
      return `log prefix ${JSON.stringify(each.prefix)}`;
    case 'verdict':
      return [each.verdict.code, each.verdict.chain].filter((word) => word !== undefined).join(' ');
    case 'load':
      held.set(each.register, each.data);
      return '';
    case 'masquerade':
      return each.ports === undefined ? 'masquerade' : `masquerade to :${portsText(held, each.ports)}`;
    case 'nat': {
      const to = addressText(each.version === 4 ? 'ip saddr' : 'ip6 saddr', held.get(each.address) ?? '');
      return `${each.type} to ${to}${each.ports === undefined ? '' : `:${portsText(held, each.ports)}`}`;
    }
    case 'reject':
    case 'notrack':
      return each.kind;
    case 'counter':
      return '';
    case 'match':
    case 'unknown':
      return `(${each.name})`;
  }
}

/** By base, offset and length; IPv4 and IPv6 have their addresses at different places. */
const FIELDS: Readonly<Record<string, string>> = {
  'network 9+1': 'ip protocol',
  'network 12+4': 'ip saddr',
  'network 16+4': 'ip daddr',
  'network 8+16': 'ip6 saddr',
  'network 24+16': 'ip6 daddr',
  'transport 0+2': 'sport',
  'transport 2+2': 'dport',
};

/** An address of which only the first octets are looked at: a prefix of whole octets. */
const STARTS: Readonly<Record<string, string>> = {
  'network 12': 'ip saddr',
  'network 16': 'ip daddr',
  'network 8': 'ip6 saddr',
  'network 24': 'ip6 daddr',
};

function fieldName(
  { base, offset, length }: Expression & { readonly kind: 'payload' },
  icmp: boolean,
): string {
  if (icmp && base === 'transport' && offset === 0) return length === 1 ? 'icmp type' : 'icmp type . code';
  return (
    FIELDS[`${base} ${offset}+${length}`] ??
    STARTS[`${base} ${offset}`] ??
    `@${base},${offset * 8},${length * 8}`
  );
}

/** Several registers side by side are one key: an address, then a protocol and a port. */
function keyName(held: Held): string {
  const first = held.get(1) ?? '';
  const rest = [...held].filter(([register]) => register > 1).sort(([a], [b]) => a - b);
  return first.includes('addr') && rest.length > 0
    ? [first, ...rest.map(([, word]) => word)].join(' . ')
    : first;
}

function maskedName(name: string, mask: string, xor: string): string {
  if (name.startsWith('ct ')) return `${name} & ${hex(number(mask))}`;
  if (name !== 'mark') return `${name} & /${bitsIn(mask)}`;
  const [kept, set] = [number(mask), number(xor)];
  if (set !== 0) return `mark & ${hex(kept)} ^ ${hex(set)}`;
  return `mark & ${hex(kept)}`;
}

function valueText(name: string, data: string): string {
  if (name.startsWith('mark') || name.startsWith('ct ') || name.startsWith('fib')) return hex(number(data));
  if (name === 'iifname' || name === 'oifname') {
    const text = Buffer.from(data, 'hex').toString('utf8');
    return text.includes('\0') ? text.slice(0, text.indexOf('\0')) : `${text}*`;
  }
  if (name.startsWith('ip ') || name.startsWith('ip6 ')) return addressText(name, data);
  return String(Number.parseInt(data, 16));
}

function addressText(name: string, data: string): string {
  const size = name.startsWith('ip6') ? 32 : 8;
  if (name === 'ip protocol') return String(Number.parseInt(data, 16));
  const whole = Buffer.from(data.padEnd(size, '0'), 'hex');
  const text = Address.fromBytes(whole).toString();
  return data.length === size ? text : `${text}/${data.length * 4}`;
}

function bitsIn(mask: string): number {
  return Buffer.from(mask, 'hex').reduce(
    (sum, octet) => sum + octet.toString(2).replaceAll('0', '').length,
    0,
  );
}

/** In the machine's order. */
function number(data: string): number {
  return Buffer.from(data.padEnd(8, '0'), 'hex').readUInt32LE(0);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function portsText(held: Held, { from, to }: { readonly from: number; readonly to: number }): string {
  const port = (register: number): number => Number.parseInt(held.get(register) ?? '0', 16);
  return `${port(from)}-${port(to)}`;
}
