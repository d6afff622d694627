/**
 * The short answer of import: paths that it accepts as they are, told without decoding their attributes. A full table
 * from a peer without an import policy of its own is decoded only where somebody wants to see it.
 *
 * Says yes only where {@link importPath} accepts and changes nothing; a property test holds the two to it. What it
 * cannot tell is asked there.
 */
import type { AttributeSet } from '../rib/attributes.ts';
import type { NextHop } from '../wire/types.ts';
import { badNextHop, type ImportContext } from './import.ts';
import type { Policy } from './model.ts';

/** Made once for a context: nothing changes anything, or has to be asked. */
export function acceptsEverything({
  policy,
  rejectAsSets,
}: {
  readonly policy: Policy;
  readonly rejectAsSets?: boolean;
}): boolean {
  return rejectAsSets !== true && policy.otherwise === 'accept' && policy.rules.length === 0;
}

/** @param context  one that {@link acceptsEverything} */
export function passesUnread(
  set: AttributeSet,
  nextHop: NextHop | undefined,
  context: ImportContext,
): boolean {
  if (badNextHop(nextHop, context) !== undefined) return false;
  if (set.occurrences(context.localAsn) > context.allowedLocalAs) return false;
  if (context.peerKind === 'internal')
    return set.originatorId !== context.routerId && set.clusterListLength === 0;
  // A path that begins with a set has no neighbour AS here, and is asked about there.
  const firstAs = !context.enforceFirstAs || set.neighbourAs === context.peerAsn;
  return firstAs && !set.hasInternal;
}
