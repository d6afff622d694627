/** The lock of a migration, see `datastore/migrate/lock.ts`: what a node leaves be meanwhile. */
import { CniCode, CniFailure } from '../../cni-plugin/error.ts';
import type { CniPorts } from './ports.ts';

/**
 * For what gives out addresses, which would be missing in the export, and for what takes leftovers for garbage: while an
 * import is under way, an attachment whose endpoint has not been written yet looks like one. DEL goes on; the sweep
 * after the unlock finds what it released too late.
 *
 * @throws CniFailure "try again later"
 */
export function refuseWhileLocked({ inventory }: CniPorts): void {
  if (inventory.datastoreReady) return;
  throw new CniFailure(
    CniCode.tryAgainLater,
    'the datastore is locked by a migration (ClusterInformation datastoreReady is false); try again later, or end it with: poplin datastore migrate unlock',
  );
}
