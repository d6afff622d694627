/** Frees what nobody has any more: decisions that are functions of the world, and repairs that look before they write. */
export { type Collected, Collector, type CollectorOptions, type Look, type Outcome } from './collector.ts';
export { type Doubt } from './doubts.ts';
export { type Finding, type FindingKind, findingsOf } from './findings.ts';
export { holderVerdict, isWorkload, tunnelOf } from './holders.ts';
export { readIpam, readUsers, readWorld, worldOf } from './read.ts';
export { type Users, usersOf, type World } from './world.ts';
