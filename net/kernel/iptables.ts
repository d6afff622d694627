/**
 * `poplin/iptables`: the tools iptables and ipset as functions, and keeping one's own part of what they write.
 *
 * Reading and writing: {@link save}, {@link restore}, {@link counters}, `ipset`. Comparing: {@link planTable},
 * {@link TableKeeper}, {@link diffSets}; with an ownership of one's own: {@link diffTable}. Failures: {@link failureOf}.
 */
export {
  counters,
  defaultBackend,
  detectBackend,
  type IptablesBackend,
  type IptablesOptions,
  iptablesProgram,
  type IpVersion,
  restore,
  type RestoreOptions,
  restoreParts,
  save,
  saveText,
} from './iptables-tools.ts';
export {
  buildRestore,
  parseSave,
  quoteArgument,
  type RestorePart,
  type RestoreStep,
  type RestoreTable,
  type SavedChain,
  type SavedCounter,
  type SavedTable,
  splitRule,
} from './iptables-text.ts';

export {
  diffTable,
  foreignTargets,
  hashRules,
  type HashedRule,
  type HeldChains,
  keptRules,
  type Owner,
  ownerOf,
  type WantedHook,
  type WantedTable,
} from './iptables-diff.ts';
export { failureOf, type RestoreFailure } from './iptables-failure.ts';
export { type OwnTable, planTable, TableKeeper } from './iptables-keep.ts';
export { diffSets, type SetPlan, type WantedSet } from './ipset-diff.ts';
export * as ipset from './ipset.ts';
export { PoplinError, type Problem } from '../../api/problem.ts';
export { CommandError } from './process.ts';
