/**
 * A second evaluator of policies, as slow and plain as can be: prefixes are texts of bits, attributes are copied for
 * every operation, links are matched by regular expression. It shares nothing with the one that runs but the types.
 */
import { Prefix } from '../../../net/addr/index.ts';
import type { PathAttributes } from '../../wire/types.ts';
import type { CommunityPattern } from '../community.ts';
import type { Match, Operation, Policy, PrefixRange, RouteView, Verdict } from '../policy.ts';

function bits(prefix: Prefix): string {
  const octets = [...prefix.address.toBytes()].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  return `${prefix.version} ${octets.slice(0, prefix.length)}`;
}

function inside({ cidr, minLength, maxLength }: PrefixRange, prefix: Prefix): boolean {
  const [low, high] = [minLength ?? 0, maxLength ?? 999];
  return bits(prefix).startsWith(bits(cidr)) && prefix.length >= low && prefix.length <= high;
}

function prefixHolds(match: NonNullable<Match['prefix']>, prefix: Prefix): boolean {
  const long = prefix.length === match.cidr.length;
  const answers = {
    In: inside(match, prefix),
    NotIn: !inside(match, prefix),
    Equal: long && inside(match, prefix),
    NotEqual: !(long && inside(match, prefix)),
  };
  return answers[match.operator];
}

function within(range: { min?: number; max?: number }, value: number): boolean {
  return !(value < (range.min ?? -1)) && !(value > (range.max ?? Number.MAX_SAFE_INTEGER));
}

function communityFits(attributes: PathAttributes, pattern: CommunityPattern): boolean {
  if (pattern.type === 'standard')
    return (attributes.communities ?? []).some((value) => {
      const hex = value.toString(16).padStart(8, '0');
      const [asn, low] = [Number.parseInt(hex.slice(0, 4), 16), Number.parseInt(hex.slice(4), 16)];
      return within(pattern.asn, asn) && within(pattern.value, low);
    });
  if (pattern.type === 'large')
    return (attributes.largeCommunities ?? []).some(
      (c) =>
        within(pattern.global, c.global) &&
        within(pattern.local1, c.local1) &&
        within(pattern.local2, c.local2),
    );
  return (attributes.extendedCommunities ?? []).some((value) => {
    const hex = value.toString(16).padStart(16, '0');
    const part = (from: number, to: number): number => Number.parseInt(hex.slice(from, to), 16);
    if (pattern.type === 'extended-octets') return part(0, 8) === pattern.high && part(8, 16) === pattern.low;
    const cut = part(0, 2) === 0 ? 8 : 12;
    return (
      pattern.types.includes(part(0, 2)) &&
      part(2, 4) === pattern.subtype &&
      within(pattern.global, part(4, cut)) &&
      within(pattern.local, part(cut, 16))
    );
  });
}

function holds(match: Match, route: RouteView): boolean {
  const { attributes: a, prefix } = route;
  const answers: boolean[] = [];
  if (match.prefix) answers.push(prefixHolds(match.prefix, prefix));
  if (match.prefixes) answers.push(match.prefixes.filter((range) => inside(range, prefix)).length > 0);
  if (match.prefixLength) answers.push(within(match.prefixLength, prefix.length));
  if (match.source) answers.push(match.source === route.source);
  if (match.peerKind) answers.push(match.peerKind === route.peerKind);
  if (match.interface !== undefined) {
    const pattern = match.interface.split('*').join('.*');
    answers.push(route.interface !== undefined && new RegExp(`^${pattern}$`).test(route.interface));
  }
  const { any, all, none } = match.communities ?? {};
  if (any) answers.push(any.filter((each) => communityFits(a, each)).length > 0);
  if (all) answers.push(all.filter((each) => !communityFits(a, each)).length === 0);
  if (none) answers.push(none.filter((each) => communityFits(a, each)).length === 0);
  if (match.asPathPrefix) {
    const text = a.asPath
      .map(({ type, asns }) => (type === 'sequence' ? `${asns.join(' ')} ` : '/'))
      .join('');
    answers.push(text.startsWith(match.asPathPrefix.map((asn) => `${asn} `).join('')));
  }
  if (match.asPathLength) {
    const lengths = {
      sequence: (n: number) => n,
      set: () => 1,
      'confed-sequence': () => 0,
      'confed-set': () => 0,
    };
    const length = a.asPath.reduce((sum, { type, asns }) => sum + lengths[type](asns.length), 0);
    answers.push(within(match.asPathLength, length));
  }
  for (const field of ['med', 'localPref'] as const) {
    const wanted = match[field];
    if (wanted === 'absent') answers.push(a[field] === undefined);
    else if (wanted) answers.push(a[field] !== undefined && within(wanted, a[field]));
  }
  if (match.origin) answers.push(match.origin.includes(a.origin));
  if (match.nextHop) {
    const host = route.nextHop === undefined ? undefined : Prefix.host(route.nextHop.address);
    answers.push(host !== undefined && match.nextHop.some((each) => bits(host).startsWith(bits(each))));
  }
  if (match.not) answers.push(!holds(match.not, route));
  return !answers.includes(false);
}

function withoutEmpty(attributes: PathAttributes): PathAttributes {
  return Object.fromEntries(
    Object.entries(attributes).filter(([, value]) => value !== undefined),
  ) as unknown as PathAttributes;
}

function applied(a: PathAttributes, operation: Operation): PathAttributes {
  switch (operation.type) {
    case 'set-med':
      return { ...a, med: operation.value };
    case 'add-med':
      return {
        ...a,
        med: [0, (a.med ?? 0) + operation.value, 4294967295].sort((x, y) => x - y)[1] as number,
      };
    case 'remove-med':
      return withoutEmpty({ ...a, med: undefined } as object as PathAttributes);
    case 'set-local-pref':
      return { ...a, localPref: operation.value };
    case 'default-local-pref':
      return { localPref: operation.value, ...a };
    case 'set-origin':
      return { ...a, origin: operation.origin };
    case 'prepend': {
      const segment = { type: 'sequence', asns: operation.asns } as const;
      const [first, ...rest] = a.asPath;
      if (operation.asns.length === 0) return a;
      if (first?.type !== 'sequence') return { ...a, asPath: [segment, ...a.asPath] };
      return { ...a, asPath: [{ ...first, asns: [...operation.asns, ...first.asns] }, ...rest] };
    }
    case 'add-community': {
      const { community } = operation;
      if (community.type !== 'standard') throw new Error('not part of this test');
      return { ...a, communities: [...new Set([...(a.communities ?? []), community.value])] };
    }
    case 'remove-communities': {
      const left = (a.communities ?? []).filter(
        (value) =>
          !operation.patterns.some((pattern) => communityFits({ ...a, communities: [value] }, pattern)),
      );
      return withoutEmpty({
        ...a,
        communities: left.length === 0 ? undefined : left,
      } as object as PathAttributes);
    }
    case 'set-next-hop':
      return a;
  }
}

export interface Plain {
  readonly accepted: boolean;
  readonly rule: string;
  readonly attributes?: PathAttributes;
  readonly nextHop?: string;
}

/** The whole verdict but the names of the rules that changed something. */
export function naive(policy: Policy, route: RouteView): Plain {
  let { attributes } = route;
  let nextHop: string | undefined;
  for (const { name, match, action, operations = [] } of policy.rules) {
    if (!holds(match, { ...route, attributes })) continue;
    if (action === 'reject') return { accepted: false, rule: name };
    for (const operation of operations) {
      attributes = applied(attributes, operation);
      if (operation.type === 'set-next-hop') nextHop = operation.to.toString();
    }
    if (action === 'accept') return yes(name);
  }
  return policy.otherwise === 'accept'
    ? yes('no rule matched')
    : { accepted: false, rule: 'no rule matched' };

  function yes(rule: string): Plain {
    return { accepted: true, rule, attributes, ...(nextHop === undefined ? {} : { nextHop }) };
  }
}

export function plain(verdict: Verdict): Plain {
  if (!verdict.accepted) return verdict;
  const { rule, attributes, nextHop } = verdict;
  return {
    accepted: true,
    rule,
    attributes,
    ...(nextHop === undefined ? {} : { nextHop: nextHop.toString() }),
  };
}
