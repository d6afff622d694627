/**
 * Rules as lines of iptables-restore, and the hashes that let us know them again in the kernel. The words and
 * their order are Calico's, since the hashes cover them.
 */
import { hash as digest } from 'node:crypto';
import type { IpVersion } from '../../../net/addr/index.ts';
import type { PortRange } from '../../calc/model.ts';
import type { Chain, Match, Rule, Side, Verdict } from '../../rules/types.ts';

/** Rules with a comment that begins so are ours. */
export const HASH_PREFIX = 'cali:';
const HASH_LENGTH = 16;
/** XT_MAX_COMMENT_LEN less the final NUL. */
const COMMENT_LIMIT = 255;
/** The kernel cuts a log prefix here (NF_LOG_PREFIXLEN of xt_LOG, less the final NUL). */
const LOG_PREFIX_LIMIT = 29;

export interface RenderedRule {
  readonly hash: string;
  /** Without `-A <chain> `. */
  readonly text: string;
}

/**
 * Each hash covers the name of the chain, the rule, and through the hash before it all rules above: the first
 * rule that differs from what the kernel holds is the first whose hash differs.
 *
 * @param chain  name that the hashes begin with; for the rules that we put behind those of others in one of
 *   the kernel's own chains: see {@link lastChainName}
 */
export function renderChain(
  chain: string,
  rules: readonly Rule[],
  version: IpVersion,
): readonly RenderedRule[] {
  const hashes = new HashChain(chain, `-A ${chain} HASH`);
  return rules.map((rule) => {
    const body = words(rule, version);
    const hash = hashes.next(body);
    return { hash, text: `${comment(HASH_PREFIX + hash)}${body}` };
  });
}

/**
 * As {@link renderChain}; of a chain that says the same for both families, which most do, once. The families share the
 * text then.
 */
export function renderShared(chain: Chain, version: IpVersion): readonly RenderedRule[] {
  const shared = rendered.get(chain);
  if (shared !== undefined) return shared;
  const made = renderChain(chain.name, chain.rules, version);
  if (!chain.rules.some(({ matches }) => matches.some(({ kind }) => kind === 'icmp')))
    rendered.set(chain, made);
  return made;
}

/** For as long as rules/ holds the chain, in which nothing changes. */
const rendered = new WeakMap<Chain, readonly RenderedRule[]>();

/** Octets that make a rule's hash. */
const HASHED = (HASH_LENGTH / 4) * 3;
/** Octets of SHA-224. */
const DIGEST = 28;

/**
 * SHA-224 over the digest before and the next rule. Ten thousand rules are hashed in a first load: digests come as text of
 * one letter an octet, which is the quickest form that there is, and wait in octets of our own for the next rule.
 */
export class HashChain {
  readonly #beginning: string;
  #octets = Buffer.allocUnsafe(1024);

  /** @param beginning  of each rule's text */
  constructor(chain: string, beginning: string) {
    this.#beginning = beginning;
    this.#octets.write(digest('sha224', chain, 'latin1'), 0, 'latin1');
  }

  /** @param body  the rule's words, behind its beginning */
  next(body: string): string {
    const line = this.#beginning + body;
    // No letter takes more than three octets.
    const room = DIGEST + 3 * line.length;
    if (this.#octets.length < room) this.#octets = Buffer.concat([this.#octets], room);
    const size = DIGEST + this.#octets.write(line, DIGEST);
    this.#octets.write(digest('sha224', this.#octets.subarray(0, size), 'latin1'), 0, 'latin1');
    return this.#octets.toString('base64url', 0, HASHED);
  }
}

/** Keeps the hashes of a hook's last rules apart from those of its first ones. */
export function lastChainName(hook: string): string {
  return `${hook}*appends*`;
}

/** Each with a blank before it. */
function words({ comments = [], matches, verdict }: Rule, version: IpVersion): string {
  let text = '';
  for (const each of comments)
    text += ` ${comment(each.replace(/[^\w @%+=:,./-]/g, '_').slice(0, COMMENT_LIMIT))}`;
  for (const match of matches) text += ` ${matchText(match, version)}`;
  return verdict === undefined ? text : `${text} ${verdictText(verdict)}`;
}

function comment(text: string): string {
  return `-m comment --comment "${text}"`;
}

function matchText(match: Match, version: IpVersion): string {
  switch (match.kind) {
    case 'protocol':
      return `${not(match)}-p ${match.protocol}`;
    case 'in-interface':
    case 'out-interface':
      return `--${match.kind} ${match.name}`;
    case 'net':
      return `${not(match)}--${match.side} ${match.net}`;
    case 'set': {
      const end = match.side === 'source' ? 'src' : 'dst';
      return `-m set ${not(match)}--match-set ${match.set} ${match.with === 'port' ? `${end},${end}` : end}`;
    }
    case 'ports':
      return `-m multiport ${not(match)}--${match.side}-ports ${portsText(match.ranges)}`;
    case 'icmp':
      return icmpText(match, version);
    case 'mark':
      return `-m mark --mark ${hex(match.value)}/${hex(match.mask)}`;
    case 'mark-clear':
      return `-m mark --mark 0/${hex(match.mask)}`;
    case 'mark-not-clear':
      return `-m mark ! --mark 0/${hex(match.mask)}`;
    case 'conntrack':
      return `-m conntrack --ctstate ${match.states}`;
    case 'destination-changed':
      return `-m conntrack ${not(match)}--ctstate DNAT`;
    case 'limit':
      return `-m limit --limit ${match.rate}/${match.per} --limit-burst ${match.burst}`;
    case 'rpf-failed':
      return '-m rpfilter --invert --validmark';
  }
}

function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'accept':
    case 'drop':
    case 'reject':
    case 'return':
    case 'notrack':
      return `--jump ${verdict.kind.toUpperCase()}`;
    case 'masquerade':
      return `--jump MASQUERADE${verdict.ports === undefined ? '' : ` --to-ports ${natPorts(verdict.ports)}`}`;
    case 'snat':
      return `--jump SNAT --to-source ${sourceText(verdict)}`;
    case 'dnat':
      return `--jump DNAT --to-destination ${verdict.address}`;
    case 'jump':
    case 'goto':
      return `--${verdict.kind} ${verdict.chain}`;
    case 'set-mark':
      return `--jump MARK --set-mark ${hex(verdict.value)}/${hex(verdict.mask)}`;
    case 'clear-mark':
      return `--jump MARK --set-mark 0/${hex(verdict.mask)}`;
    case 'dispatch':
      // No line of iptables: rendered for the hash alone, which the other backend shares.
      return `--${verdict.by} vmap ${verdict.map}`;
    case 'log':
      return `--jump LOG --log-prefix "${logPrefix(verdict.prefix)}" --log-level 5`;
  }
}

function sourceText({ address, ports }: Verdict & { readonly kind: 'snat' }): string {
  if (ports === undefined) return address;
  return `${address.includes(':') ? `[${address}]` : address}:${natPorts(ports)}`;
}

function natPorts({ first, last }: PortRange): string {
  return `${first}-${last}`;
}

function icmpText(match: Match & { readonly kind: 'icmp' }, version: IpVersion): string {
  const [module, option] = version === 4 ? ['icmp', 'icmp-type'] : ['icmp6', 'icmpv6-type'];
  const code = match.code === undefined ? '' : `/${match.code}`;
  return `-m ${module} ${not(match)}--${option} ${match.type}${code}`;
}

function logPrefix(text: string): string {
  return `${text}: `.replace(/[^\w @%+=:,./-]/g, '_').slice(0, LOG_PREFIX_LIMIT);
}

function portsText(ranges: readonly PortRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? String(first) : `${first}:${last}`)).join(',');
}

function not(match: { readonly not?: true; readonly side?: Side }): string {
  return match.not === true ? '! ' : '';
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
