/** The shape of a filter of router.yaml. What its strings mean is checked by `../filter/policy-text.ts`. */
import { z } from 'zod';
import { rules } from '../../api/schema/field.ts';
import { asNumber } from '../../api/schema/network.ts';
import { integer } from '../../api/schema/scalars.ts';
import { ruleComplaints, type RuleText } from '../filter/policy-text.ts';
import { optional, required } from './fields.ts';

const U32 = 0xffff_ffff;
const length = integer(0, 128);

const prefixRange = z.strictObject({
  prefix: required(
    z.string({ error: 'a prefix such as 10.0.0.0/8' }),
    'Without bounds exactly this prefix; with one or both, this and more specific ones of such a length.',
  ),
  minLength: optional(length, "Least length; the prefix's own where only `maxLength` is given."),
  maxLength: optional(length, 'Greatest length; 32 or 128 where only `minLength` is given.'),
});

function range(max: number) {
  const bound = integer(0, max);
  return z.union([bound, z.strictObject({ min: z.exactOptional(bound), max: z.exactOptional(bound) })], {
    error: 'a number, or a range such as {min: 1, max: 9}',
  });
}

function rangeOrAbsent(max: number) {
  const bound = integer(0, max);
  return z.union(
    [
      bound,
      z.strictObject({ min: z.exactOptional(bound), max: z.exactOptional(bound) }),
      z.literal('absent'),
    ],
    { error: 'a number, a range such as {min: 1, max: 9}, or absent' },
  );
}

const texts = z.array(z.string()).min(1);
const origins = z.enum(['IGP', 'EGP', 'incomplete']);

const matchFields = {
  prefixes: optional(z.array(prefixRange).min(1), 'The prefix is one of these.'),
  prefixLength: optional(range(128), 'Length of the prefix.'),
  source: optional(z.enum(['local', 'peers']), 'Where the route comes from: `originate`, or a peer.'),
  peerKind: optional(
    z.enum(['external', 'internal']),
    'The peer that says it, or on export the one that is told.',
  ),
  interface: optional(
    z.string().regex(/^[a-zA-Z0-9_.*-]{1,15}$/, { error: 'the name of an interface, such as eth0 or eth*' }),
    'The link over which the next hop is reached, `*` for any run of characters. With `kernelExport` only: else nobody knows, and nothing matches.',
  ),
  communities: optional(
    texts,
    'The route carries at least one that fits: `65001:100`, `65001:*`, `65001:1-9`, `65001:1:*` (large), `rt:65001:7` (extended), `no-export`.',
  ),
  allCommunities: optional(texts, 'For each of these patterns the route carries one that fits.'),
  noCommunities: optional(texts, 'The route carries none that fits any of these.'),
  asPathPrefix: optional(z.array(asNumber()).min(1), 'The AS path begins with these, the neighbour first.'),
  asPath: optional(
    z.string(),
    'Expression over AS numbers for the whole path: `65001 .*` begins with 65001, `.* 65001` originates there, the empty one is the empty path.',
  ),
  asPathLength: optional(range(1000), 'Length of the AS path, where a set counts as one.'),
  med: optional(rangeOrAbsent(U32), 'MULTI_EXIT_DISC.'),
  localPref: optional(rangeOrAbsent(U32), 'LOCAL_PREF.'),
  origin: optional(z.array(origins).min(1), 'ORIGIN is one of these.'),
  nextHop: optional(texts, 'The next hop is one of these addresses, or lies in one of these prefixes.'),
};

const match = z.strictObject({
  ...matchFields,
  not: optional(z.strictObject(matchFields), 'This, in the same words as `match`, does not hold as a whole.'),
});

const set = z.strictObject({
  localPref: optional(integer(0, U32), 'LOCAL_PREF becomes this.'),
  med: optional(
    z.union([integer(0, U32), z.literal('absent')], { error: 'a number, or absent' }),
    'MULTI_EXIT_DISC becomes this; `absent` takes it off.',
  ),
  addMed: optional(integer(-U32, U32), 'Added to MULTI_EXIT_DISC; below zero, taken from it.'),
  prepend: optional(z.array(asNumber()).min(1), 'Put in front of the AS path, on export before our own AS.'),
  removeCommunities: optional(
    texts,
    'Patterns of what is taken off, before `addCommunities` adds: `*:*` is every standard one.',
  ),
  addCommunities: optional(texts, 'Added to what the route carries.'),
  origin: optional(origins, 'ORIGIN becomes this.'),
  nextHop: optional(
    z.string(),
    'An address, for routes of its version of IP; on export also `self`, our end of the session, or `keep`.',
  ),
});

const rule = rules(
  z.strictObject({
    name: optional(z.string(), 'For people: `poplin bgp routes --explain` says which rule decided.'),
    match: optional(match, 'All that is given must hold; without it the rule is for every route.'),
    action: required(
      z.enum(['accept', 'reject', 'continue']),
      'What becomes of a route that matches. `continue`: carry out `set` and ask the rules that follow.',
    ),
    set: optional(set, 'Changes to a route that matches and is not rejected.'),
  }),
  ruleComplaints,
);

export const filter = z.array(rule);

export type Filters = Readonly<Record<string, readonly RuleText[]>>;
