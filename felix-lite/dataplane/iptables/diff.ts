/**
 * Whose is it? A chain is ours by its prefix `cali-`, a rule in somebody else's chain by a comment that begins
 * `cali:`, as Calico's are. Pure.
 */
import type { iptables } from '../../../net/kernel/index.ts';
import { CHAIN_PREFIX } from '../../rules/names.ts';
import { sameMeaning } from './meaning.ts';
import { HASH_PREFIX } from './render.ts';

export function isOurs(chain: string): boolean {
  return chain.startsWith(CHAIN_PREFIX);
}

const HASH_COMMENT = new RegExp(`--comment "?${HASH_PREFIX}([\\w-]+)"?(?: |$)`);

/** The hash that a saved rule carries; undefined for a stranger's. Ours is the first comment of a rule. */
export function hashOf(rule: string): string | undefined {
  return rule.includes(HASH_PREFIX) ? HASH_COMMENT.exec(rule)?.[1] : undefined;
}

/** Of a rule that a predecessor wrote, the meaning is compared; if we should misread it, it is written once more. */
export const OWNER: iptables.Owner = { isOurs, hashOf, sameRule: sameMeaning };
