/** Several pieces of work at once, and none of them left behind. */
import { PoplinError } from '../../api/problem.ts';

/**
 * As `Promise.all`, but when one fails the others are waited for before the failure is told: nobody goes on making
 * things while somebody else already cleans up.
 * @throws PoplinError with the problems of all that failed so; else the first rejection
 */
export async function together<T>(works: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(works);
  const failures = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  const told = failures.filter((failure) => failure instanceof PoplinError);
  if (failures.length > 0 && told.length < failures.length)
    throw failures.find((one) => !told.includes(one as PoplinError));
  if (told.length === 1) throw told[0];
  if (told.length > 1) throw new PoplinError(told.flatMap(({ problems }) => problems));
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}
