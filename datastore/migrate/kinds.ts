/** What a datastore holds that must go along when it moves. Pure. */
import { KINDS } from '../../api/index.ts';

/**
 * A handle before the blocks that it counts, an affinity before its block: as IPAM itself writes them, so that a move
 * cut short leaves nothing that IPAM has not met before.
 */
export const IPAM_KINDS: readonly string[] = ['IPAMConfig', 'BlockAffinity', 'IPAMHandle', 'IPAMBlock'];

/** In the order of writing. What a store needs for its own work only (guards, leases) stays behind. */
export const MIGRATED_KINDS: readonly string[] = [
  'ClusterInformation',
  ...KINDS.map(({ kind }) => kind).filter((kind) => kind !== 'ClusterInformation'),
  ...IPAM_KINDS,
];

const KNOWN: ReadonlySet<string> = new Set(MIGRATED_KINDS);

export function isMigrated(kind: string): boolean {
  return KNOWN.has(kind);
}

/** What stores hold for our own work, and a move leaves behind: the guard of `resources.ts`, leases of agents. */
const OWN: ReadonlySet<string> = new Set(['ResourceGuard', 'Lease']);

export function isOwn(kind: string): boolean {
  return OWN.has(kind);
}
