/** Policies and what can be asked of them: the verdict on a route, and what a verdict depends on. */
import { compile } from './compile.ts';
import type { Policy, RouteView, Verdict } from './model.ts';

export { addCommunity, type Community, type CommunityPattern } from './community.ts';
export { matches } from './compile.ts';
export type {
  CommunityMatch,
  Match,
  Operation,
  Policy,
  PolicyRule,
  PrefixMatch,
  PrefixRange,
  RouteView,
  Verdict,
} from './model.ts';
export { prepend } from './operate.ts';
export type { Range } from './range.ts';

export const ACCEPT_ALL: Policy = { rules: [], otherwise: 'accept' };

export const NO_POLICY: Policy = {
  rules: [{ name: 'no policy for this eBGP peer (RFC 8212)', match: {}, action: 'reject' }],
  otherwise: 'reject',
};

/** RFC 8212: an eBGP session without policy neither learns nor tells anything; an iBGP session does both. */
export function defaultPolicy(peerKind: 'external' | 'internal'): Policy {
  return peerKind === 'internal' ? ACCEPT_ALL : NO_POLICY;
}

export function evaluate(policy: Policy, route: RouteView): Verdict {
  return compile(policy).evaluate(route);
}

/**
 * False: the verdict depends on attributes and next hop alone (for one peer), so that one verdict serves every prefix
 * that comes with them.
 */
export function looksAtPrefix(policy: Policy): boolean {
  return compile(policy).looksAtPrefix;
}

/** True: the verdict may change with the links of this machine, without any route having changed. */
export function looksAtInterface(policy: Policy): boolean {
  return compile(policy).looksAtInterface;
}

const keys = new WeakMap<Policy, string>();

/** Equal text, equal policy. */
export function policyKey(policy: Policy): string {
  let key = keys.get(policy);
  if (key === undefined) {
    key = JSON.stringify(policy);
    keys.set(policy, key);
  }
  return key;
}
