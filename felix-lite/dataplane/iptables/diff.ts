/**
 * What has to be done to one table so that our part of it is as wanted. Pure.
 *
 * Whose is it? A chain is ours by its prefix `cali-`, a rule in somebody else's chain by a comment that begins
 * `cali:`. Everything else belongs to others and is neither changed nor removed. Rules of our own chains are
 * kept up to the first that is not the one wanted, so what did not change keeps its counters.
 */
import type { iptables } from '../../../net/kernel/index.ts';
import { CHAIN_PREFIX } from '../../rules/names.ts';
import { sameMeaning } from './meaning.ts';
import { HASH_PREFIX, type RenderedRule } from './render.ts';

export interface WantedHook {
  readonly chain: string;
  readonly first: readonly RenderedRule[];
  readonly last: readonly RenderedRule[];
}

export interface WantedTable {
  readonly chains: ReadonlyMap<string, readonly RenderedRule[]>;
  readonly hooks: readonly WantedHook[];
  /**
   * How the kernel spells the rule with this hash, as far as we have seen it. A rule that carries the hash but
   * reads otherwise was changed by a stranger. Of a rule that a predecessor wrote, the meaning is compared; if we
   * should misread it, it is written once more, and then its spelling is known.
   */
  readonly spelling: ReadonlyMap<string, string>;
}

export type Step = iptables.RestoreStep;
type SavedChain = iptables.SavedChain;

/** What the kernel holds, by the name of the chain. */
export type HeldChains = ReadonlyMap<string, SavedChain>;

/**
 * Steps of one transaction, in an order in which each finds what it needs; empty when all is as wanted.
 *
 * @param foreign  see {@link foreignTargets}
 * @param only  chains of ours that may differ; the kernel's own chains are then left alone. Default: everything
 */
export function diffTable(
  wanted: WantedTable,
  present: HeldChains,
  foreign: ReadonlySet<string> = foreignTargets(present),
  only?: ReadonlySet<string>,
): readonly Step[] {
  const names = only ?? [...wanted.chains.keys(), ...present.keys()].filter(isOurs);
  const doomed = [...names].filter((name) => present.has(name) && !wanted.chains.has(name));
  const edits = [...(only ?? wanted.chains.keys())].map((name) => {
    const rules = wanted.chains.get(name);
    return rules === undefined ? NO_EDIT : editChain(name, rules, present.get(name), wanted);
  });
  return [
    // Chains before the rules that refer to them, and chains on their way out empty of references.
    ...edits.flatMap((edit) => edit.make),
    ...doomed
      .filter((name) => (present.get(name)?.rules.length ?? 0) > 0)
      .map((chain): Step => ({ op: 'flush', chain })),
    ...edits.flatMap((edit) => edit.rules),
    ...(only === undefined ? hookSteps(wanted, present) : []),
    // A stranger's rule that jumps to a chain of ours keeps the (empty) chain alive; removing it would fail.
    ...doomed.filter((name) => !foreign.has(name)).map((chain): Step => ({ op: 'remove', chain })),
  ];
}

export function isOurs(chain: string): boolean {
  return chain.startsWith(CHAIN_PREFIX);
}

const HASH_COMMENT = new RegExp(`--comment "?${HASH_PREFIX}([\\w-]+)"?(?: |$)`);

/** The hash that a saved rule carries; undefined for a stranger's. Ours is the first comment of a rule. */
export function hashOf(rule: string): string | undefined {
  return rule.includes(HASH_PREFIX) ? HASH_COMMENT.exec(rule)?.[1] : undefined;
}

interface ChainEdit {
  readonly make: readonly Step[];
  readonly rules: readonly Step[];
}
const NO_EDIT: ChainEdit = { make: [], rules: [] };

/** How many rules from the first on are as wanted. */
export function keptRules(
  rules: readonly RenderedRule[],
  found: readonly string[],
  wanted: Pick<WantedTable, 'spelling'>,
): number {
  let kept = 0;
  while (kept < rules.length && kept < found.length && isIntact(rules[kept], found[kept], wanted)) kept++;
  return kept;
}

function editChain(
  chain: string,
  rules: readonly RenderedRule[],
  present: SavedChain | undefined,
  wanted: WantedTable,
): ChainEdit {
  const found = present?.rules ?? [];
  const kept = keptRules(rules, found, wanted);
  if (present !== undefined && kept === rules.length && kept === found.length) return NO_EDIT;
  const append = rules.slice(kept).map(({ text }): Step => ({ op: 'append', chain, rule: text }));
  if (present === undefined || kept === 0) return { make: [{ op: 'make', chain }], rules: append };
  const surplus = found
    .slice(kept)
    .map((_, index): Step => ({ op: 'delete-at', chain, position: found.length - index }));
  return { make: [], rules: [...surplus, ...append] };
}

function isIntact(
  rule: RenderedRule | undefined,
  found: string | undefined,
  wanted: Pick<WantedTable, 'spelling'>,
): boolean {
  if (rule === undefined || found === undefined) return false;
  // As we wrote it, and not read back since.
  if (rule.text === found) return true;
  if (hashOf(found) !== rule.hash) return false;
  const spelling = wanted.spelling.get(rule.hash);
  return spelling === undefined ? sameMeaning(rule.text, found) : spelling === found;
}

/**
 * Our rules in chains that are not ours. Removed by their text and not by position: if a stranger edits the
 * chain while we do, the worst that happens is that our transaction fails and is tried again.
 */
function hookSteps(wanted: WantedTable, present: HeldChains): readonly Step[] {
  const hooks = new Map(wanted.hooks.map((hook) => [hook.chain, hook]));
  const chains = new Map(
    [...present.values()].filter(({ name }) => !isOurs(name)).map((chain) => [chain.name, chain.rules]),
  );
  return [...new Set([...chains.keys(), ...hooks.keys()])].flatMap((chain) =>
    hookChain(chain, hooks.get(chain), chains.get(chain) ?? [], wanted),
  );
}

function hookChain(
  chain: string,
  hook: WantedHook | undefined,
  found: readonly string[],
  wanted: WantedTable,
): readonly Step[] {
  const first = hook?.first ?? [];
  const last = hook?.last ?? [];
  const ours = found.filter((rule) => hashOf(rule) !== undefined);
  const inPlace =
    ours.length === first.length + last.length &&
    first.every((rule, index) => isIntact(rule, found[index], wanted)) &&
    last.every((rule, index) => isIntact(rule, ours[first.length + index], wanted));
  if (inPlace) return [];
  return [
    ...ours.map((rule): Step => ({ op: 'delete', chain, rule })),
    ...first.map(({ text }, index): Step => ({ op: 'insert', chain, rule: text, position: index + 1 })),
    ...last.map(({ text }): Step => ({ op: 'append', chain, rule: text })),
  ];
}

/** Chains to which rules lead that are not ours. */
export function foreignTargets(present: HeldChains): ReadonlySet<string> {
  const targets = new Set<string>();
  for (const { name, rules } of present.values()) {
    if (isOurs(name)) continue;
    for (const rule of rules) {
      const target = hashOf(rule) === undefined ? /-[jg] (\S+)$/.exec(rule)?.[1] : undefined;
      if (target !== undefined) targets.add(target);
    }
  }
  return targets;
}
