/** Compare-and-swap loops with an end. */
import { PoplinError } from '../api/index.ts';

/** As in Calico. Each failed round means that another writer got through. */
const ATTEMPTS = 100;

/** What one round says when another writer was quicker. */
export const OUTRUN: unique symbol = Symbol('outrun');

/**
 * Repeats `round` until it answers something else than {@link OUTRUN}.
 *
 * @throws PoplinError `IPAM_BUSY` after a hundred rounds
 */
export async function untilThrough<T>(what: string, round: () => Promise<T | typeof OUTRUN>): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const answer = await round();
    if (answer !== OUTRUN) return answer;
  }
  throw new PoplinError([
    {
      code: 'IPAM_BUSY',
      what: `${what}: others wrote first ${ATTEMPTS} times in a row`,
      remedy: 'try again; if this persists, look for a program that rewrites IPAM objects in a loop',
    },
  ]);
}
