/** Addresses for workloads: blocks held by hosts, given out by compare-and-swap on a Store. */
export {
  type AssignRequest,
  type AutoAssignRequest,
  hostOwner,
  Ipam,
  type ReleaseRequest,
} from './ipam.ts';
export { FollowedFacts } from './facts.ts';
export { type PoolSelection } from './pools.ts';
export { type AllocationAttribute } from './attributes.ts';
export { affinityOf, type IPAMBlock } from './block.ts';
export { type IPAMHandle } from './handle.ts';
export { type Cooldown } from './cooldown.ts';
export { isConfirmed } from './claims.ts';
export { type BlockAffinity } from './records.ts';
export { type AllocationView, type BlockView, type HandleView, type Holder } from './view.ts';
export { explain, type Explanation } from './explain.ts';
export { type IpamSettings, LONGEST_COOLDOWN, Reservations, type SettingsChange } from './settings.ts';
export { auditBlocks, auditIpam } from './audit.ts';
