/**
 * Whether a commit happened that no answer came to.
 *
 * At the revision at which it was written, every key is as the commit leaves it, and one revision before, every
 * expectation held. etcd keeps both, so the revisions since the commit was asked for are searched for such a place.
 * Two writers that expect the same and write the same are told apart by nothing: then each hears that it happened.
 */
import type { IKeyValue, IRequestOp } from 'etcd3';
import { PoplinError } from '../../api/problem.ts';
import { holds } from '../prepare.ts';
import { isCompacted, persist } from './client.ts';
import { type CommitContext, type Found, gather, pathsOf, type Placed, reads } from './placed.ts';

/** Requests of one transaction; etcd takes 128. */
const BATCH = 120;
/** A history that is longer is not searched: that would take longer than anybody waits. */
const LONGEST = 100_000n;

/**
 * After a lost answer: the revision at which the commit was written, or undefined when it was not.
 * @param found  what the keys hold, read after the answer was lost
 * @throws PoplinError OUTCOME_UNKNOWN when the history that would tell has been compacted, or is too long
 */
export async function whenWritten(
  placed: readonly Placed[],
  found: readonly Found[],
  context: CommitContext,
): Promise<string | undefined> {
  const writing = mostTelling(placed);
  const one = placed[writing];
  if (one === undefined) return undefined;
  if (placed.some(({ operation }, i) => isUntouched(operation, found[i], context.before))) return undefined;

  const after = earliest(placed, context.before);
  const revision = found[writing]?.here?.mod_revision ?? '0';
  if (one.text !== undefined && BigInt(revision) > after && (await isWrittenAt(revision, placed, context)))
    return revision;
  return search(placed, one, after, context);
}

/** A put leaves its mark for certain, a deletion only where something was. */
function mostTelling(placed: readonly Placed[]): number {
  const put = placed.findIndex(({ text }) => text !== undefined);
  if (put >= 0) return put;
  const sure = placed.findIndex(({ operation: { type, expect } }) => type === 'delete' && expect !== 'any');
  return sure >= 0 ? sure : placed.findIndex(({ operation: { type } }) => type === 'delete');
}

/** A write leaves no key as it was: a revision never comes again. */
function isUntouched(
  { type, expect }: Placed['operation'],
  found: Found | undefined,
  before: string,
): boolean {
  const kv = found?.here ?? found?.elsewhere;
  if (type === 'check' || kv === undefined) return false;
  return (
    BigInt(kv.mod_revision) <= BigInt(before) ||
    (typeof expect === 'object' && holds(expect, kv.mod_revision))
  );
}

/** The commit came after whatever it expected. */
function earliest(placed: readonly Placed[], before: string): bigint {
  return placed.reduce((latest, { operation: { expect } }) => {
    if (typeof expect !== 'object' || !/^\d+$/.test(expect.revision)) return latest;
    const revision = BigInt(expect.revision);
    return revision > latest ? revision : latest;
  }, BigInt(before));
}

/** The newest revision after `after` at which the commit was written; one key points at the candidates. */
async function search(
  placed: readonly Placed[],
  one: Placed,
  after: bigint,
  context: CommitContext,
): Promise<string | undefined> {
  const newest = BigInt(await newestRevision(context));
  if (newest - after > LONGEST)
    throw outcomeUnknown(one.path, new Error('the history is too long to search'));
  const paths = reads(one).length;
  const step = BigInt(Math.floor(BATCH / paths));
  for (let top = newest; top > after; top -= step) {
    const bottom = top - step > after ? top - step : after;
    const revisions = Array.from({ length: Number(top - bottom) + 1 }, (_, i) => String(top - BigInt(i)));
    const states = await readAt(
      revisions.flatMap((at) => reads(one, at)),
      revisions.map(() => one),
      context,
    );
    for (const [i, at] of revisions.slice(0, -1).entries()) {
      const isCandidate =
        one.text === undefined ? isRemoved(states[i + 1], states[i]) : states[i]?.here?.mod_revision === at;
      if (isCandidate && (await isWrittenAt(at, placed, context))) return at;
    }
  }
  return undefined;
}

function isRemoved(before: Found | undefined, then: Found | undefined): boolean {
  return (before?.here ?? before?.elsewhere) !== undefined && (then?.here ?? then?.elsewhere) === undefined;
}

async function isWrittenAt(at: string, placed: readonly Placed[], context: CommitContext): Promise<boolean> {
  const earlier = String(BigInt(at) - 1n);
  const requests = [
    ...placed.flatMap((one) => reads(one, at)),
    ...placed.flatMap((one) => reads(one, earlier)),
  ];
  const states = await readAt(requests, [...placed, ...placed], context);
  return placed.every(({ operation, text }, i) => {
    const [then, before] = [states[i], states[placed.length + i]];
    if (!holds(operation.expect, (before?.here ?? before?.elsewhere)?.mod_revision)) return false;
    if (operation.type === 'check') return true;
    return text === undefined ? then?.here === undefined : isPut(then?.here, text, at);
  });
}

function isPut(kv: IKeyValue | undefined, text: string, at: string): boolean {
  return kv !== undefined && kv.mod_revision === at && kv.value.toString() === text;
}

async function readAt(
  requests: readonly IRequestOp[],
  placed: readonly Placed[],
  { client, clock, options }: CommitContext,
): Promise<readonly Found[]> {
  const responses = [];
  const asked = pathsOf(placed);
  try {
    for (let i = 0; i < requests.length; i += BATCH) {
      const success = requests.slice(i, i + BATCH);
      responses.push(
        ...(await persist({ clock, options, asked }, () => client.kv.txn({ success }))).responses,
      );
    }
  } catch (error) {
    throw isCompacted(error) ? outcomeUnknown(placed[0]?.path ?? '', error) : error;
  }
  return gather(placed, responses);
}

async function newestRevision({ client, clock, options }: CommitContext): Promise<string> {
  const folder = `${options.prefix}/`;
  const answer = await persist({ clock, options, asked: folder }, () =>
    client.kv.range({ key: Buffer.from(folder) }),
  );
  return answer.header.revision;
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
