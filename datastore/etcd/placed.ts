/** The operations of a commit as requests to etcd, and etcd's answers as what the keys hold. */
import {
  CompareResult,
  CompareTarget,
  type Etcd3,
  type ICompare,
  type IKeyValue,
  type IRequestOp,
} from 'etcd3';
import type { Clock } from '../../clock/clock.ts';
import { holds } from '../prepare.ts';
import type { Commit, Entry, Expectation, Operation } from '../store.ts';
import { persist } from './client.ts';
import { pathOf } from './keys.ts';
import type { EtcdOptions } from './location.ts';
import { decodeValue, encodeValue, otherKey } from './values.ts';

/** An operation with its place in etcd. */
export interface Placed {
  readonly operation: Operation;
  /** Where the object is written. */
  readonly path: string;
  /** Where an older Calico may have put it. */
  readonly otherPath: string | undefined;
  /** The value as stored; undefined for all but puts. */
  readonly text: string | undefined;
}

export interface Found {
  readonly here: IKeyValue | undefined;
  readonly elsewhere: IKeyValue | undefined;
}

export interface CommitContext {
  readonly client: Etcd3;
  readonly options: EtcdOptions;
  readonly clock: Clock;
  /** A revision that the store had before the commit was asked for. */
  readonly before: string;
}

export function place(operation: Operation, prefix: string): Placed {
  const { key } = operation;
  const other = otherKey(key);
  return {
    operation,
    path: pathOf(prefix, key),
    otherPath: other === undefined ? undefined : pathOf(prefix, other),
    text: operation.type === 'put' ? encodeValue(key, operation.value) : undefined,
  };
}

/**
 * Where an older Calico may have put an object must be known first; and a revision of another kind of store cannot
 * even be asked for.
 */
export function needsLook(placed: readonly Placed[]): boolean {
  return placed.some(
    ({ operation: { expect }, otherPath }) =>
      otherPath !== undefined || (typeof expect === 'object' && !REVISION.test(expect.revision)),
  );
}

const REVISION = /^[1-9]\d{0,18}$/;

/** The expectation on the key that the object was found under, and that the other key is as it was found. */
export function comparisons({ operation, path, otherPath }: Placed, found: Found | undefined): ICompare[] {
  if (otherPath === undefined) return compare(path, operation.expect);
  const isElsewhere = found?.here === undefined && found?.elsewhere !== undefined;
  const [actual, empty] = isElsewhere ? [otherPath, path] : [path, otherPath];
  const guard = !isElsewhere && found?.elsewhere !== undefined ? [] : compare(empty, 'absent');
  return [...compare(actual, operation.expect), ...guard];
}

function compare(path: string, expect: Expectation): ICompare[] {
  const key = Buffer.from(path);
  if (expect === 'any') return [];
  if (expect === 'present' || expect === 'absent') {
    const result = expect === 'present' ? CompareResult.Greater : CompareResult.Equal;
    return [{ key, target: CompareTarget.Version, result, version: 0 }];
  }
  return [{ key, target: CompareTarget.Mod, result: CompareResult.Equal, mod_revision: expect.revision }];
}

/** What dialect A has is taken away by the write that replaces or removes it. */
export function writes({ operation, path, otherPath, text }: Placed, found: Found | undefined): IRequestOp[] {
  if (operation.type === 'check') return [];
  const old = otherPath !== undefined && found?.elsewhere !== undefined ? [removal(otherPath)] : [];
  if (text === undefined) return [removal(path), ...old];
  return [{ request_put: { key: Buffer.from(path), value: Buffer.from(text) } }, ...old];
}

/** @param at  revision; undefined: now */
export function reads({ path, otherPath }: Placed, at?: string): IRequestOp[] {
  return otherPath === undefined ? [read(path, at)] : [read(path, at), read(otherPath, at)];
}

export async function look(
  placed: readonly Placed[],
  { client, clock, options }: CommitContext,
): Promise<readonly Found[]> {
  const answer = await persist({ clock, options, asked: pathsOf(placed) }, () =>
    client.kv.txn({ success: placed.flatMap((one) => reads(one)) }),
  );
  return gather(placed, answer.responses);
}

/** For what a user is told. */
export function pathsOf(placed: readonly Placed[]): string {
  const [first, ...others] = new Set(placed.map(({ path }) => path));
  return others.length === 0 ? (first ?? '') : `${first} and ${others.length} more`;
}

export function gather(
  placed: readonly Placed[],
  responses: readonly { readonly response_range: { readonly kvs: readonly IKeyValue[] } }[],
): Found[] {
  let next = 0;
  const take = (): IKeyValue | undefined => responses[next++]?.response_range.kvs[0];
  return placed.map(({ otherPath }) => ({
    here: take(),
    elsewhere: otherPath === undefined ? undefined : take(),
  }));
}

export function firstRefused(placed: readonly Placed[], found: readonly Found[]): Commit | undefined {
  for (const [i, { operation }] of placed.entries()) {
    const { here, elsewhere } = found[i] ?? {};
    const kv = here ?? elsewhere;
    if (holds(operation.expect, kv?.mod_revision)) continue;
    return { ok: false, failed: operation, current: kv === undefined ? undefined : entryOf(operation, kv) };
  }
  return undefined;
}

function entryOf({ key }: Operation, kv: IKeyValue): Entry {
  return { key, value: decodeValue(key, kv.value.toString()).value, revision: kv.mod_revision };
}

function removal(path: string): IRequestOp {
  return { request_delete_range: { key: Buffer.from(path) } };
}

function read(path: string, at: string | undefined): IRequestOp {
  return { request_range: { key: Buffer.from(path), ...(at === undefined ? {} : { revision: at }) } };
}
