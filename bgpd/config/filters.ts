/** Filters of router.yaml as policies of the speaker. */
import { ruleOf } from '../filter/policy-text.ts';
import { ACCEPT_ALL, type Policy, type PolicyRule } from '../filter/policy.ts';
import type { Filters } from './filter-schema.ts';

/** Names that need no definition. */
export const BUILT_IN: readonly string[] = ['accept-all', 'reject-all'];

/** The filters one after the other. What no rule of them decides is rejected; behind `accept-all` nothing is left. */
export function policyOf(names: readonly string[], filters: Filters): Policy {
  const rules: PolicyRule[] = [];
  for (const name of names) {
    if (name === 'accept-all') return rules.length === 0 ? ACCEPT_ALL : { rules, otherwise: 'accept' };
    if (name === 'reject-all') break;
    for (const [index, rule] of (filters[name] ?? []).entries()) {
      const place = `filters.${name}[${index}]`;
      rules.push(ruleOf(rule, rule.name === undefined ? place : `${rule.name} (${place})`));
    }
  }
  return { rules, otherwise: 'reject' };
}
