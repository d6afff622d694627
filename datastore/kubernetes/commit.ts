/**
 * One operation as one write to the API server, which compares versions by itself: `resourceVersion` in what is put or
 * patched, a precondition of what is deleted, and creation for what must be absent.
 *
 * A write whose answer was lost is never sent again blindly: `outcome.ts` finds out whether it happened.
 */
import { PoplinError } from '../../api/problem.ts';
import { parseJson, stringifyJson } from '../json.ts';
import { holds } from '../prepare.ts';
import { type Commit, type Entry, keyText, sameKey } from '../store.ts';
import type { Ask } from './api.ts';
import { type Client, PATIENCE } from './client.ts';
import { entriesOf } from './reflector.ts';
import { isProblem, type KubernetesObject } from './native/native.ts';
import { type Doubt, versionWritten } from './outcome.ts';
import { type Found, look, type Placed } from './place.ts';
import { collectionPath, type Native, objectPath } from './resources.ts';
import { isVersion } from './revisions.ts';
import { refusal, statusOf } from './status.ts';

export interface CommitContext {
  readonly client: Client;
  /** A version that the store had before the commit was asked for. */
  readonly before: string;
  /** The newest version, for what has none of its own. */
  newest(): Promise<string>;
}

interface Send {
  readonly ask: Ask;
  readonly doubt: Doubt;
}

export async function runCommit(placed: Placed, context: CommitContext): Promise<Commit> {
  const { client } = context;
  const { operation, source } = placed;
  const deadline = client.clock.now() + PATIENCE;
  let found: Found | undefined | 'unread' = mustLook(placed) ? await look(client, operation.key) : 'unread';
  let doubt: Doubt | undefined;
  let why = 'the object changes too fast';
  for (;;) {
    if (found !== 'unread') {
      if (doubt !== undefined) {
        const version = await versionWritten(client, placed, doubt, found);
        if (version !== undefined) return written(placed, found, version, context);
        // As it was expected: then the lost write may still arrive, and the next one expects the same. Otherwise it cannot.
        if (found?.object.metadata.resourceVersion !== doubt.expected) doubt = undefined;
      }
      const decided = withoutWriting(placed, found, context);
      if (decided !== undefined) return decided;
    }
    const send = found === 'unread' ? sendUnread(placed, context) : sendFor(placed, found, context);
    if (send === undefined) return committed([entryOf(found)], entryOf(found).revision);
    const attempt = await client.write(send.ask);
    if (attempt.outcome === 'answered') {
      const { answer } = attempt;
      if (answer.status === 200 || answer.status === 201)
        return done(placed, found, parseJson(answer.text) as KubernetesObject, context);
      const isOutrun = answer.status === 409 || (answer.status === 404 && send.ask.method !== 'POST');
      if (!isOutrun || (answer.status === 404 && statusOf(answer).name === undefined))
        throw refusal(answer, send.ask, source.resource);
      found = await look(client, operation.key);
    } else if (attempt.outcome === 'unknown') {
      why = attempt.why;
      doubt ??= send.doubt;
      found = await look(client, operation.key);
    } else {
      why = attempt.why;
      await client.pause(attempt.pause);
    }
    if (client.clock.now() > deadline) throw client.unavailable(why);
  }
}

/** Whether what is there has to be known before anything can be sent. */
function mustLook({ operation, source }: Placed): boolean {
  const { type, expect } = operation;
  if (type === 'check' || expect === 'any' || expect === 'present' || source.write?.type !== 'custom')
    return true;
  if (type === 'delete' && expect === 'absent') return true;
  // Version 0 is none: for the API server it is any, or a slip.
  if (typeof expect === 'object' && (!isVersion(expect.revision) || expect.revision === '0')) return true;
  // A deletion keeps nothing of what others left in the object; where it is elsewhere, the refusal tells.
  return source.write.looksFirst === true && type !== 'delete';
}

/** The end of the commit where nothing has to be written for it. */
function withoutWriting(
  { operation }: Placed,
  found: Found | undefined,
  { before }: CommitContext,
): Commit | undefined {
  const current = found?.entry;
  if (!holds(operation.expect, current?.revision)) return { ok: false, failed: operation, current };
  if (operation.type === 'check') return committed([], current?.revision ?? before);
  if (operation.type === 'delete' && current === undefined) return committed([], before);
  return undefined;
}

/** The expectation alone says what to do. */
function sendUnread(placed: Placed, context: CommitContext): Send {
  const { operation, place } = placed;
  const { expect } = operation;
  if (expect === 'absent') return create(placed, context);
  const version = typeof expect === 'object' ? expect.revision : '';
  return operation.type === 'delete'
    ? remove(placed, { place, version, uid: undefined }, context)
    : replace(placed, { place, version, object: undefined }, context);
}

/** @returns undefined when the object says already what it shall say */
function sendFor(placed: Placed, found: Found | undefined, context: CommitContext): Send | undefined {
  const { operation, source } = placed;
  if (source.write?.type !== 'custom') return patch(placed, found, source.write, context);
  if (found === undefined) return create(placed, context);
  const version = found.object.metadata.resourceVersion ?? '';
  // What is marked as deleted is removed for good before there is a new one.
  if (operation.type === 'delete' || found.entry === undefined)
    return remove(placed, { place: found.place, version, uid: found.object.metadata.uid }, context);
  return replace(placed, { place: found.place, version, object: found.object }, context);
}

function create(placed: Placed, { before }: CommitContext): Send {
  const { place, source } = placed;
  return {
    ask: {
      method: 'POST',
      path: collectionPath(source.resource, place.namespace),
      body: stringifyJson(encoded(placed, place)),
    },
    doubt: { place, expected: undefined, before },
  };
}

interface Target {
  readonly place: Placed['place'];
  readonly version: string;
}

function replace(
  placed: Placed,
  { place, version, object }: Target & { readonly object: KubernetesObject | undefined },
  { before }: CommitContext,
): Send {
  const body = encoded(placed, place);
  // Of what others keep in the object itself, finalizers and owners hold up its deletion: never dropped unseen.
  const { finalizers, ownerReferences } = object?.metadata ?? {};
  const metadata = {
    ...body.metadata,
    resourceVersion: version,
    ...(finalizers === undefined ? {} : { finalizers }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  };
  return {
    ask: {
      method: 'PUT',
      path: objectPath(placed.source.resource, place),
      body: stringifyJson({ ...body, metadata }),
    },
    doubt: { place, expected: version, before },
  };
}

function remove(
  { source }: Placed,
  { place, version, uid }: Target & { readonly uid: string | undefined },
  { before }: CommitContext,
): Send {
  const preconditions = { resourceVersion: version, ...(uid === undefined ? {} : { uid }) };
  return {
    ask: {
      method: 'DELETE',
      path: objectPath(source.resource, place),
      body: stringifyJson({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions }),
    },
    doubt: { place, expected: version, before },
  };
}

function patch(
  { operation, source, place, value }: Placed,
  found: Found | undefined,
  write: Native | undefined,
  { before }: CommitContext,
): Send | undefined {
  const { plural, objectKind } = source.resource;
  if (found?.entry === undefined || write === undefined)
    throw unsupported(
      operation.key,
      write === undefined
        ? `comes from a Kubernetes ${objectKind}, which is not ours to write`
        : `there is no Kubernetes ${objectKind} ${place.name} to write it to`,
      `make the ${objectKind} in Kubernetes (kubectl get ${plural} shows them)`,
    );
  const wanted =
    operation.type === 'put'
      ? write.patchFor(value, found.object)
      : write.removalPatch?.(operation.key, found.object);
  if (wanted === undefined)
    throw unsupported(
      operation.key,
      `comes from a Kubernetes ${objectKind} and goes with it`,
      `delete that with: kubectl delete ${plural} ${place.name}`,
    );
  if (isProblem(wanted)) throw new PoplinError([wanted]);
  if (Object.keys(wanted).length === 0) return undefined;
  const version = found.object.metadata.resourceVersion ?? '';
  const metadata = { ...(wanted['metadata'] as object | undefined), resourceVersion: version };
  const under = write.subresource === '' ? '' : `/${write.subresource}`;
  return {
    ask: {
      method: 'PATCH',
      path: `${objectPath(source.resource, place)}${under}`,
      contentType: 'application/merge-patch+json',
      body: stringifyJson({ ...wanted, metadata }),
    },
    doubt: { place, expected: version, before },
  };
}

function encoded({ operation, source, value, nonce }: Placed, place: Placed['place']) {
  if (source.write?.type !== 'custom') throw new Error(`${keyText(operation.key)} is no object of ours`);
  return source.write.encode(operation.key, value, place, nonce) as KubernetesObject;
}

/** A write that was answered with success. */
async function done(
  placed: Placed,
  found: Found | undefined | 'unread',
  answered: KubernetesObject,
  context: CommitContext,
): Promise<Commit> {
  const { operation, source } = placed;
  const isRemoval = source.write?.type === 'custom' && operation.type === 'delete';
  if (isRemoval) return committed([], await context.newest());
  // A mark of deletion was cleared away; what was asked for is still to be done.
  if (found !== 'unread' && found !== undefined && found.entry === undefined)
    return runCommit(placed, context);
  const entry = entriesOf(answered, source).find(({ key }) => sameKey(key, operation.key));
  if (operation.type === 'delete') return committed([], answered.metadata.resourceVersion ?? '');
  if (entry === undefined) throw new Error(`${keyText(operation.key)} does not read as it was written`);
  return committed([entry], entry.revision);
}

/** A write that turned out to have happened. */
async function written(
  placed: Placed,
  found: Found | undefined,
  version: string,
  context: CommitContext,
): Promise<Commit> {
  if (version === '') return committed([], await context.newest());
  const { operation } = placed;
  // As it was then: what is there now may be a later write of somebody else.
  if (found?.entry?.revision === version) return committed([found.entry], version);
  const entries = entriesOf(encoded(placed, placed.place), placed.source);
  const entry = entries.find(({ key }) => sameKey(key, operation.key));
  return committed(entry === undefined ? [] : [{ ...entry, revision: version }], version);
}

function committed(entries: readonly Entry[], revision: string): Commit {
  return { ok: true, revision, entries };
}

function entryOf(found: Found | undefined | 'unread'): Entry {
  if (found === undefined || found === 'unread' || found.entry === undefined)
    throw new Error('nothing to write to, and nothing written');
  return found.entry;
}

function unsupported(key: Placed['operation']['key'], what: string, remedy: string): PoplinError {
  return new PoplinError([{ code: 'STORE_UNSUPPORTED', resource: keyText(key), what, remedy }]);
}
