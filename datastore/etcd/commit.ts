/**
 * One commit as one etcd transaction.
 *
 * A compare-and-swap whose answer was lost is never sent again blindly. The store is read: if it holds what was
 * written, the commit happened; if what it would change is untouched, it did not and may be sent again (should the
 * first one still arrive after all, it makes the second one fail, and the question is asked anew); otherwise the
 * history of the keys tells.
 */
import type { Commit, Entry, Key, Operation } from '../store.ts';
import { isPassing, PATIENCE } from './client.ts';
import { whenWritten } from './outcome.ts';
import {
  type CommitContext,
  comparisons,
  type Found,
  firstRefused,
  gather,
  look,
  needsLook,
  pathsOf,
  type Placed,
  place,
  reads,
  writes,
} from './placed.ts';
import { isFull, told, unavailable } from './problems.ts';
import { decodeValue } from './values.ts';

export async function runCommit(operations: readonly Operation[], context: CommitContext): Promise<Commit> {
  if (operations.length === 0) return { ok: true, revision: context.before, entries: [] };
  // Values become text before anything is waited for: what the caller does to them later does not reach the commit.
  const placed = operations.map((operation) => place(operation, context.options.prefix));
  const deadline = context.clock.now() + PATIENCE;
  let found = needsLook(placed) ? await look(placed, context) : undefined;
  let isDoubtful = false;
  for (;;) {
    const refused = found === undefined ? undefined : firstRefused(placed, found);
    if (refused !== undefined) return refused;
    const answer = await attempt(placed, found, context);
    if (answer.outcome === 'written') return committed(placed, answer.revision, context);
    found = answer.outcome === 'refused' ? answer.found : await look(placed, context);
    isDoubtful ||= answer.outcome === 'unknown';
    if (isDoubtful) {
      const revision = await whenWritten(placed, found, context);
      if (revision !== undefined) return committed(placed, revision, context);
    }
    if (answer.outcome === 'unknown' && answer.refusal !== undefined)
      throw told(context.options, answer.refusal, pathsOf(placed));
    if (context.clock.now() > deadline)
      throw unavailable(context.options, 'the keys of a commit change too fast');
  }
}

type Attempt =
  | { readonly outcome: 'written'; readonly revision: string }
  | { readonly outcome: 'refused'; readonly found: readonly Found[] }
  /** With a refusal, it is not to be tried again. */
  | { readonly outcome: 'unknown'; readonly refusal?: unknown };

async function attempt(
  placed: readonly Placed[],
  found: readonly Found[] | undefined,
  context: CommitContext,
): Promise<Attempt> {
  const request = {
    compare: placed.flatMap((one, i) => comparisons(one, found?.[i])),
    success: placed.flatMap((one, i) => writes(one, found?.[i])),
    failure: placed.flatMap((one) => reads(one)),
  };
  try {
    const answer = await context.client.kv.txn(request);
    if (answer.succeeded) return { outcome: 'written', revision: answer.header.revision };
    return { outcome: 'refused', found: gather(placed, answer.responses) };
  } catch (error) {
    if (isPassing(error)) return { outcome: 'unknown' };
    // The write that reaches the quota is carried out and refused at once (etcd's `quotaApplierV3`).
    if (isFull(error)) return { outcome: 'unknown', refusal: error };
    throw told(context.options, error, pathsOf(placed));
  }
}

function committed(placed: readonly Placed[], revision: string, { before }: CommitContext): Commit {
  const entries = placed.flatMap(({ operation, text }): Entry[] =>
    text === undefined ? [] : [new WrittenEntry(operation.key, text, revision)],
  );
  return { ok: true, revision: revision === '' ? before : revision, entries };
}

/** Who writes mostly knows what: the text is read again only for those who ask. */
class WrittenEntry implements Entry {
  readonly key: Key;
  declare readonly value: unknown;
  readonly revision: string;

  constructor(key: Key, text: string, revision: string) {
    this.key = key;
    this.revision = revision;
    let decoded: { readonly value: unknown } | undefined;
    const get = (): unknown => (decoded ??= decodeValue(key, text)).value;
    Object.defineProperty(this, 'value', { enumerable: true, get });
  }
}
