/** The RIBs of RFC 4271 §3.2 and the decision between them. Pure: no socket, no clock. */
export {
  AdjRibIn,
  sameNextHop,
  type Announcement,
  type Candidate,
  type ChangeSink,
  type Imported,
  type Importer,
  NlriList,
  type NlriSource,
  type PathChange,
} from './adj-rib-in.ts';
export { AttributePool, DEFAULT_LOCAL_PREF, type AttributeSet } from './attributes.ts';
export {
  decide,
  DECISION_STEPS,
  DEFAULT_DECISION,
  explain,
  type Decision,
  type DecisionOptions,
} from './decision.ts';
export { Journal, type Cursor } from './journal.ts';
export { LocRib } from './loc-rib.ts';
export type { Path, PathIdentity, Source } from './path.ts';
export { PathTable } from './path-table.ts';
export { PrefixIndex, type PrefixWords } from './prefix-index.ts';
export { AdjRibOut } from './adj-rib-out.ts';
export { ExportedSets, NO_SET } from './exported-sets.ts';
export { OutBatch, type Octets } from './out-batch.ts';
export { UpdateGroup, type TableSlice, type UpdateGroupOptions } from './update-group.ts';
export { Follower } from './follower.ts';
