/**
 * Rules in the words of Calico's nftables mode (felix/nftables), which its hashes cover: a node that changes over finds the
 * rules that say the same, and leaves them. The kernel never sees these words: what it is given are expressions. Pure.
 */
import type { IpVersion } from '../../../net/addr/index.ts';
import type { PortRange, Protocol } from '../../calc/model.ts';
import type { Match, Rule, Side, TableName, Verdict } from '../../rules/types.ts';
import { HashChain } from '../iptables/render.ts';
import { layered, setOf } from './names.ts';

/** @param chain  its name without its layer */
export function nftRuleHashes(
  table: TableName,
  chain: string,
  rules: readonly Rule[],
  version: IpVersion,
): readonly string[] {
  const texts = rules.map((rule) => nftRuleText(rule, table, version));
  return hashesOfTexts(table, chain, texts);
}

/** @param texts  as {@link nftRuleText} has them */
export function hashesOfTexts(table: TableName, chain: string, texts: readonly string[]): readonly string[] {
  const hashes = new HashChain(layered(table, chain), '');
  return texts.map((text) => hashes.next(text));
}

/** As felix gives it to the nft tool, but for the comment. */
export function nftRuleText({ matches, verdict }: Rule, table: TableName, version: IpVersion): string {
  const protocol = matches.find((each) => each.kind === 'protocol' && each.not !== true);
  const transport = protocol?.kind === 'protocol' ? TRANSPORTS.get(protocol.protocol) : undefined;
  let text = '';
  for (const match of matches) text += `${matchText(match, transport ?? 'th', version)} `;
  if (verdict?.kind === 'dispatch') return text + verdictText(verdict, table);
  if (verdict !== undefined) return `${text}counter ${verdictText(verdict, table)}`;
  // A rule that does nothing still has to be one for the tool.
  return text === '' ? 'continue' : text.trimEnd();
}

const TRANSPORTS: ReadonlyMap<Protocol, string> = new Map<Protocol, string>([
  ['tcp', 'tcp'],
  [6, 'tcp'],
  ['udp', 'udp'],
  [17, 'udp'],
  ['sctp', 'sctp'],
  [132, 'sctp'],
]);

function matchText(match: Match, transport: string, version: IpVersion): string {
  switch (match.kind) {
    case 'protocol':
      return `meta l4proto ${not(match)}${match.protocol}`;
    case 'in-interface':
      return `iifname ${match.name.replace(/\+$/, '*')}`;
    case 'out-interface':
      return `oifname ${match.name.replace(/\+$/, '*')}`;
    case 'net':
      return `${address(match.side, version)} ${not(match)}${match.net}`;
    case 'set': {
      const port = match.with === 'port' ? ` . meta l4proto . th ${portField(match.side)}` : '';
      return `${address(match.side, version)}${port} ${not(match)}@${setOf(match.set)}`;
    }
    case 'ports':
      return `${transport} ${portField(match.side)} ${not(match)}{ ${match.ranges.map(rangeText).join(', ')} }`;
    case 'icmp': {
      const code = match.code === undefined ? '' : ` code ${not(match)}${match.code}`;
      return `${version === 4 ? 'icmp' : 'icmpv6'} type ${not(match)}${match.type}${code}`;
    }
    case 'mark':
      return `meta mark & ${hex(match.mask)} == ${hex(match.value)}`;
    case 'mark-clear':
      return `meta mark & ${hex(match.mask)} == 0`;
    case 'mark-not-clear':
      return `meta mark & ${hex(match.mask)} != 0`;
    case 'conntrack':
      return `ct state ${match.states.toLowerCase()}`;
    case 'destination-changed':
      return `ct status ${not(match)}dnat`;
    case 'limit':
      return `limit rate ${match.rate}/${match.per} burst ${match.burst} packets`;
    case 'rpf-failed':
      return 'fib saddr . mark . iif oif 0';
  }
}

function verdictText(verdict: Verdict, table: TableName): string {
  switch (verdict.kind) {
    case 'accept':
    case 'drop':
    case 'reject':
    case 'return':
    case 'notrack':
      return verdict.kind;
    case 'jump':
    case 'goto':
      return `${verdict.kind} ${layered(table, verdict.chain)}`;
    case 'masquerade':
      return verdict.ports === undefined ? 'masquerade' : `masquerade to :${rangeText(verdict.ports)}`;
    case 'snat':
      return `snat to ${verdict.address}${verdict.ports === undefined ? '' : `:${rangeText(verdict.ports)}`}`;
    case 'dnat':
      return `dnat to ${verdict.address}`;
    case 'set-mark':
      return verdict.value === verdict.mask
        ? `meta mark set mark or ${hex(verdict.value)}`
        : `meta mark set mark & ${hex(inverse(verdict.mask))} ^ ${hex(verdict.value)}`;
    case 'clear-mark':
      return `meta mark set mark & ${hex(inverse(verdict.mask))}`;
    case 'log':
      return `log prefix "${verdict.prefix}: " level info`;
    case 'dispatch':
      return `${verdict.by === 'in-interface' ? 'iifname' : 'oifname'} vmap @${layered(table, verdict.map)}`;
  }
}

function not(match: { readonly not?: true }): string {
  return match.not === true ? '!= ' : '';
}

function address(side: Side, version: IpVersion): string {
  return `${version === 4 ? 'ip' : 'ip6'} ${side === 'source' ? 'saddr' : 'daddr'}`;
}

function portField(side: Side): string {
  return side === 'source' ? 'sport' : 'dport';
}

function rangeText({ first, last }: PortRange): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/** As a mark of 32 bits. */
function inverse(mask: number): number {
  return ~mask >>> 0;
}

/** As Go's `%#x`. */
function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
