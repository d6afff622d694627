/** Moves a datastore between any two engines: export, import with verification, and the lock around both. */
export { isCalicoFile, parseCalicoFile, toCalicoFile } from './calico-file.ts';
export { copyStore } from './copy.ts';
export { dumpLines, type Dumped, parseDump } from './dump.ts';
export { identified } from './identity.ts';
export { IPAM_KINDS, MIGRATED_KINDS } from './kinds.ts';
export { CLUSTER_INFORMATION } from '../ready.ts';
export { isLocked, setReady } from './lock.ts';
export { type KindCount, restore, type Restored } from './restore.ts';
export { exportStore, snapshot } from './snapshot.ts';
