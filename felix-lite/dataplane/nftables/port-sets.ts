/**
 * Several ports in one rule. A few are asked for one by one: by a rule for each, or where the packet may be at none of them
 * by one rule behind the other in the same rule. More are a set, named after what it holds, which all rules that ask for the
 * same ports share and which stands before the first of them. A set of a rule's own, as the nft tool makes one, comes with
 * the rule, and packets were seen that met the one without the other.
 *
 * The kernel finds a set by its name by looking at one after the other, for each rule and each element that names it: of
 * what a pod with eight new policies cost it, a third were their sets of ports. Pure.
 */
import { createHash } from 'node:crypto';
import type { IpVersion } from '../../../net/addr/index.ts';
import type { NftElement, NftSet } from '../../../net/kernel/index.ts';
import type { PortRange } from '../../calc/model.ts';
import { setName } from '../../rules/names.ts';
import type { Match, Rule } from '../../rules/types.ts';
import { setOf } from './names.ts';

export interface PortSet {
  readonly make: NftSet;
  readonly elements: readonly NftElement[];
}

/**
 * Up to so many ports are listed one by one: they come with the rule that looks for them, ranges only before it. Linux 6.18
 * refuses the thirteenth element that one transaction puts into such a set, with EEXIST, and without the wish for little
 * memory each set is a bitmap of 16 KiB.
 */
const FEW = 8;
const HASH_LENGTH = 16;
const LAST_PORT = 0xffff;
/** A rule more costs every packet that comes so far some ten nanoseconds. */
const MOST_RULES = 3;

type PortsMatch = Match & { readonly kind: 'ports' };

/** Whether a set answers the match, in a rule that {@link byPorts} has made. */
export function needsPortSet({ ranges, not }: PortsMatch): boolean {
  return ranges.length > (not === true ? MOST_RULES : 1);
}

/** The sets that a rule which {@link byPorts} has made looks into. */
export function portSetsOf(matches: readonly Match[], version: IpVersion): readonly PortSet[] {
  return matches.flatMap((match) =>
    match.kind === 'ports' && needsPortSet(match) ? [portSet(match.ranges, version)] : [],
  );
}

/** The rules that say together what the rule says: no packet matches two of them. */
export function byPorts(rule: Rule): readonly Rule[] {
  // Of a limit each rule would have its own.
  if (!rule.matches.some(isChoice) || rule.matches.some(({ kind }) => kind === 'limit')) return [rule];
  let rules: readonly (readonly Match[])[] = [[]];
  for (const match of rule.matches) {
    const choices = isChoice(match)
      ? joinRanges(match.ranges).map((range): Match => ({ ...match, ranges: [range] }))
      : [match];
    if (rules.length * choices.length > MOST_RULES) return [rule];
    rules = rules.flatMap((before) => choices.map((choice) => [...before, choice]));
  }
  return rules.map((matches) => ({ ...rule, matches }));
}

function isChoice(match: Match): match is PortsMatch {
  return match.kind === 'ports' && match.not !== true && match.ranges.length > 1;
}

export function portSet(ranges: readonly PortRange[], version: IpVersion): PortSet {
  const joined = joinRanges(ranges);
  const count = joined.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const few = count <= FEW;
  const elements = few ? joined.flatMap(portsOf) : joined.map(rangeOf);
  const text = elements.map(({ key, end }) => (end === undefined ? key : `${key}-${end}`)).join();
  const hash = createHash('sha256').update(text).digest('base64url').slice(0, HASH_LENGTH);
  const name = setOf(setName(version, `p:${hash}`));
  const make: NftSet = few
    ? { name, key: ['inet_service'], size: count, frugal: true }
    : { name, key: ['inet_service'], interval: true };
  return { make, elements };
}

function portsOf({ first, last }: PortRange): readonly NftElement[] {
  return Array.from({ length: last - first + 1 }, (_, index) => ({ key: hex16(first + index) }));
}

function rangeOf({ first, last }: PortRange): NftElement {
  const key = hex16(first);
  return last === LAST_PORT ? { key } : { key, end: hex16(last + 1) };
}

/** In order, those that touch or overlap joined: the one way to write it. */
function joinRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const joined: { first: number; last: number }[] = [];
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    const open = joined.at(-1);
    if (open !== undefined && first <= open.last + 1) open.last = Math.max(open.last, last);
    else joined.push({ first, last });
  }
  return joined;
}

function hex16(value: number): string {
  return value.toString(16).padStart(4, '0');
}
