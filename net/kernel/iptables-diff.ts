/**
 * What has to be done to one table so that our part of it is as wanted. Pure.
 *
 * Whose is it? An {@link Owner} says: of chains by their names, of rules in others' chains by the hash that they carry in a
 * comment. Everything else belongs to others and is neither changed nor removed. Rules of our own chains are kept up to
 * the first that is not the one wanted, so what did not change keeps its counters.
 */
import { hash as digest } from 'node:crypto';
import { quoteArgument, type RestoreStep, type SavedChain } from './iptables-text.ts';

/** One rule with what lets us know it again, however the kernel spells it. */
export interface HashedRule {
  /** Of the chain's name, the rule, and all rules above it. */
  readonly hash: string;
  /** As restore takes it, behind `-A <chain> `; carries the hash in a comment. */
  readonly text: string;
}

export interface Owner {
  /** A chain that we alone write. */
  isOurs(chain: string): boolean;
  /** The hash that a rule carries, as iptables-save prints the rule; undefined for a stranger's. */
  hashOf(rule: string): string | undefined;
  /**
   * Of a rule that carries the hash of the one wanted, and that we have not read back since it was written: whether it says
   * the same. Default: it does. Who compares meanings finds what a stranger changed under our comment.
   */
  sameRule?(wanted: string, found: string): boolean;
}

export interface WantedHook {
  /** A chain that is not ours, as a rule one of the kernel's own. */
  readonly chain: string;
  /** Before all rules of others. */
  readonly first: readonly HashedRule[];
  /** Behind them. */
  readonly last: readonly HashedRule[];
}

export interface WantedTable {
  readonly owner: Owner;
  /** Ours, whole. A chain of ours that is not among them goes. */
  readonly chains: ReadonlyMap<string, readonly HashedRule[]>;
  readonly hooks: readonly WantedHook[];
  /**
   * How the kernel spells the rule with this hash, as far as we have seen it. A rule that carries the hash but reads
   * otherwise was changed by a stranger.
   */
  readonly spelling?: ReadonlyMap<string, string>;
}

/** What the kernel holds, by the name of the chain. */
export type HeldChains = ReadonlyMap<string, SavedChain>;

/** Letters of a hash: 96 bits. */
const HASH_LENGTH = 16;

/**
 * Chains are ours if their names begin with the prefix and a hyphen, rules if their first comment begins with it and a
 * colon: `myapp-input`, `myapp:0123456789abcdef`.
 *
 * @throws RangeError for a prefix that is not of letters and digits, or longer than 12
 */
export function ownerOf(prefix: string): Owner {
  if (!/^[A-Za-z0-9]{1,12}$/.test(prefix))
    throw new RangeError(`a prefix is 1 to 12 letters and digits: ${JSON.stringify(prefix)}`);
  const comment = /-m comment --comment "?([^" ]*)"?(?: |$)/;
  return {
    isOurs: (chain) => chain.startsWith(`${prefix}-`),
    hashOf: (rule) => {
      const first = comment.exec(rule)?.[1];
      return first?.startsWith(`${prefix}:`) === true ? first.slice(prefix.length + 1) : undefined;
    },
  };
}

/**
 * Puts the hashes into rules, as comments that {@link ownerOf} knows again.
 *
 * @param rules  of one chain, in order, each as iptables takes it behind `-A <chain> `
 */
export function hashRules(prefix: string, chain: string, rules: readonly string[]): readonly HashedRule[] {
  let above = chain;
  return rules.map((rule) => {
    above = digest('sha256', `${above}\n${rule}`, 'base64url');
    const hash = above.slice(0, HASH_LENGTH);
    return { hash, text: `-m comment --comment ${quoteArgument(`${prefix}:${hash}`)} ${rule}` };
  });
}

/**
 * Steps of one transaction, in an order in which each finds what it needs; empty when all is as wanted.
 *
 * @param foreign  see {@link foreignTargets}
 * @param only  chains of ours that may differ; the kernel's own chains are then left alone. Default: everything
 */
export function diffTable(
  wanted: WantedTable,
  present: HeldChains,
  foreign: ReadonlySet<string> = foreignTargets(present, wanted.owner),
  only?: ReadonlySet<string>,
): readonly RestoreStep[] {
  const names =
    only ?? [...wanted.chains.keys(), ...present.keys()].filter((name) => wanted.owner.isOurs(name));
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
      .map((chain): RestoreStep => ({ op: 'flush', chain })),
    ...edits.flatMap((edit) => edit.rules),
    ...(only === undefined ? hookSteps(wanted, present) : []),
    // A stranger's rule that jumps to a chain of ours keeps the (empty) chain alive; removing it would fail.
    ...doomed.filter((name) => !foreign.has(name)).map((chain): RestoreStep => ({ op: 'remove', chain })),
  ];
}

interface ChainEdit {
  readonly make: readonly RestoreStep[];
  readonly rules: readonly RestoreStep[];
}
const NO_EDIT: ChainEdit = { make: [], rules: [] };

/** How many rules from the first on are as wanted. */
export function keptRules(
  rules: readonly HashedRule[],
  found: readonly string[],
  wanted: Pick<WantedTable, 'spelling' | 'owner'>,
): number {
  let kept = 0;
  while (kept < rules.length && kept < found.length && isIntact(rules[kept], found[kept], wanted)) kept++;
  return kept;
}

function editChain(
  chain: string,
  rules: readonly HashedRule[],
  present: SavedChain | undefined,
  wanted: WantedTable,
): ChainEdit {
  const found = present?.rules ?? [];
  const kept = keptRules(rules, found, wanted);
  if (present !== undefined && kept === rules.length && kept === found.length) return NO_EDIT;
  const append = rules.slice(kept).map(({ text }): RestoreStep => ({ op: 'append', chain, rule: text }));
  if (present === undefined || kept === 0) return { make: [{ op: 'make', chain }], rules: append };
  const surplus = found
    .slice(kept)
    .map((_, index): RestoreStep => ({ op: 'delete-at', chain, position: found.length - index }));
  return { make: [], rules: [...surplus, ...append] };
}

function isIntact(
  rule: HashedRule | undefined,
  found: string | undefined,
  wanted: Pick<WantedTable, 'spelling' | 'owner'>,
): boolean {
  if (rule === undefined || found === undefined) return false;
  // As we wrote it, and not read back since.
  if (rule.text === found) return true;
  const { owner } = wanted;
  if (owner.hashOf(found) !== rule.hash) return false;
  const spelling = wanted.spelling?.get(rule.hash);
  return spelling === undefined ? (owner.sameRule?.(rule.text, found) ?? true) : spelling === found;
}

/**
 * Our rules in chains that are not ours. Removed by their text and not by position: if a stranger edits the
 * chain while we do, the worst that happens is that our transaction fails and is tried again.
 */
function hookSteps(wanted: WantedTable, present: HeldChains): readonly RestoreStep[] {
  const hooks = new Map(wanted.hooks.map((hook) => [hook.chain, hook]));
  const chains = new Map(
    [...present.values()]
      .filter(({ name }) => !wanted.owner.isOurs(name))
      .map((chain) => [chain.name, chain.rules]),
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
): readonly RestoreStep[] {
  const first = hook?.first ?? [];
  const last = hook?.last ?? [];
  const ours = found.filter((rule) => wanted.owner.hashOf(rule) !== undefined);
  const inPlace =
    ours.length === first.length + last.length &&
    first.every((rule, index) => isIntact(rule, found[index], wanted)) &&
    last.every((rule, index) => isIntact(rule, ours[first.length + index], wanted));
  if (inPlace) return [];
  return [
    ...ours.map((rule): RestoreStep => ({ op: 'delete', chain, rule })),
    ...first.map(
      ({ text }, index): RestoreStep => ({ op: 'insert', chain, rule: text, position: index + 1 }),
    ),
    ...last.map(({ text }): RestoreStep => ({ op: 'append', chain, rule: text })),
  ];
}

/** Chains to which rules lead that are not ours. */
export function foreignTargets(present: HeldChains, owner: Owner): ReadonlySet<string> {
  const targets = new Set<string>();
  for (const { name, rules } of present.values()) {
    if (owner.isOurs(name)) continue;
    for (const rule of rules) {
      const target = owner.hashOf(rule) === undefined ? /-[jg] (\S+)$/.exec(rule)?.[1] : undefined;
      if (target !== undefined) targets.add(target);
    }
  }
  return targets;
}
