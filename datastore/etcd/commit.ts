/**
 * One commit as one etcd transaction.
 *
 * A compare-and-swap whose answer was lost is never sent again blindly. The store is read: if it holds what was
 * written, the commit happened; if what it would change is untouched, it did not and may be sent again (should the
 * first one still arrive after all, it makes the second one fail, and the question is asked anew); otherwise the
 * history of the keys tells.
 */
import type { PreparedCommit } from '../prepare.ts';
import type { Commit, Entry } from '../store.ts';
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
import { told, unavailable } from './problems.ts';
import { decodeValue } from './values.ts';

export async function runCommit({ operations }: PreparedCommit, context: CommitContext): Promise<Commit> {
  if (operations.length === 0) return { ok: true, revision: context.before, entries: [] };
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
    if (context.clock.now() > deadline)
      throw unavailable(context.options, 'the keys of a commit change too fast');
  }
}

type Attempt =
  | { readonly outcome: 'written'; readonly revision: string }
  | { readonly outcome: 'refused'; readonly found: readonly Found[] }
  | { readonly outcome: 'unknown' };

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
    throw told(context.options, error, pathsOf(placed));
  }
}

function committed(placed: readonly Placed[], revision: string, { before }: CommitContext): Commit {
  const entries = placed.flatMap(({ operation, text }): Entry[] =>
    text === undefined
      ? []
      : [{ key: operation.key, value: decodeValue(operation.key, text).value, revision }],
  );
  return { ok: true, revision: revision === '' ? before : revision, entries };
}
