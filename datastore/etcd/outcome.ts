/** Whether a commit happened that no answer came to. */
import { PoplinError } from '../../api/problem.ts';
import { persist } from './client.ts';
import { type CommitContext, type Found, firstRefused, type Placed } from './placed.ts';

/**
 * After a lost answer: the revision at which the commit was written, or undefined when it was not.
 * @throws PoplinError OUTCOME_UNKNOWN when nothing can tell any more
 */
export async function whenWritten(
  placed: readonly Placed[],
  found: readonly Found[],
  context: CommitContext,
): Promise<string | undefined> {
  const isSwap = placed.some(({ operation: { type, expect } }) => type !== 'check' && expect !== 'any');
  const allHold = firstRefused(placed, found) === undefined;
  if (isSwap && allHold) return undefined;
  const puts = placed.flatMap((one, i) => (one.text === undefined ? [] : [{ ...one, kv: found[i]?.here }]));
  const [first] = puts;
  if (first === undefined) return isGone(placed, found) ? newestRevision(context) : undefined;
  const revision = first.kv?.mod_revision;
  const isOurs = puts.every(
    ({ text, kv }) =>
      kv !== undefined &&
      kv.mod_revision === revision &&
      BigInt(kv.mod_revision) > BigInt(context.before) &&
      kv.value.toString() === text,
  );
  if (isOurs) return revision;
  // Puts that expect nothing may be sent again: the outcome is the same.
  return allHold ? undefined : writtenInHistory(first.path, first.text ?? '', context);
}

/** Gone is gone, whoever did it; any revision since then tells no lie. */
function isGone(placed: readonly Placed[], found: readonly Found[]): boolean {
  const deletions = placed.flatMap(({ operation: { type } }, i) => (type === 'delete' ? [found[i]] : []));
  return deletions.length > 0 && deletions.every((one) => (one?.here ?? one?.elsewhere) === undefined);
}

async function newestRevision({ client, clock, options }: CommitContext): Promise<string> {
  return (await persist(clock, options, () => client.kv.range({ key: Buffer.from('\0') }))).header.revision;
}

/** How long the history of one key may take to arrive. */
const HISTORY_MS = 3000;

async function writtenInHistory(
  path: string,
  text: string,
  context: CommitContext,
): Promise<string | undefined> {
  const { client, clock, options, before } = context;
  const now = await persist(clock, options, () => client.kv.range({ key: Buffer.from(path) }));
  const newest = now.kvs[0]?.mod_revision;
  const watcher = await client
    .watch()
    .key(path)
    .startRevision(String(BigInt(before) + 1n))
    .create()
    .catch((error: unknown) => {
      throw outcomeUnknown(path, error);
    });
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const cancelTimer = clock.after(HISTORY_MS, 'history of a key', () => resolve(undefined));
  watcher.on('error', (error) => reject(outcomeUnknown(path, error)));
  watcher.on('put', (kv) => {
    if (kv.value.toString() === text) resolve(kv.mod_revision);
    else if (newest !== undefined && BigInt(kv.mod_revision) >= BigInt(newest)) resolve(undefined);
  });
  try {
    return await promise;
  } finally {
    cancelTimer();
    await watcher.cancel().catch(() => undefined);
  }
}

function outcomeUnknown(path: string, error: unknown): PoplinError {
  return new PoplinError(
    [
      {
        code: 'OUTCOME_UNKNOWN',
        value: path,
        what: `etcd gave no answer to a write of ${path}, and its history is gone, so nobody can tell whether it happened`,
        remedy: 'read the object and decide again',
      },
    ],
    { cause: error },
  );
}
