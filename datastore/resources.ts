/**
 * `projectcalico.org/v3` resources on a {@link Store}: checked before they are written, alone and together, with
 * the metadata that a server owns (uid, creationTimestamp, resourceVersion) filled in.
 */
import { randomUUID } from 'node:crypto';
import {
  fail,
  type Kind,
  type ManifestDocument,
  ok,
  PoplinError,
  type Problem,
  type Resource,
  type ResourceOf,
  type Result,
  unwrap,
} from '../api/index.ts';
import type { Clock } from '../clock/clock.ts';
import {
  changeKey,
  checkedWith,
  conflict,
  missing,
  planChanges,
  type ResourceChange,
  type ResourceChanged,
  resourceKey,
  type Step,
  toResource,
} from './resource-plan.ts';
import type { Commit, Entry, Operation, Store } from './store.ts';

export type { ResourceChange, ResourceChanged } from './resource-plan.ts';

/** How often a change is planned anew because others wrote in between. */
const ATTEMPTS = 50;

/**
 * Bumped with every change that was checked together with other resources. Two people who add overlapping pools at
 * the same moment touch no common object, so compare-and-swap alone would let both through; on this one they meet.
 * Engines without transactions have no such place, and there, as in Calico, the race stays open.
 */
const GUARD = { kind: 'ResourceGuard', scope: '', name: 'together' } as const;

export class ResourceClient {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #newUid: () => string;

  constructor(store: Store, clock: Clock, newUid: () => string = randomUUID) {
    this.#store = store;
    this.#clock = clock;
    this.#newUid = newUid;
  }

  /** @returns the problem `RESOURCE_MISSING` when there is none */
  async get<K extends Kind>(kind: K, name: string, namespace?: string): Promise<Result<ResourceOf<K>>> {
    const key = resourceKey(kind, name, namespace);
    const entry = await this.#store.get(key);
    return entry === undefined ? fail(missing(key, kind)) : ok(toResource(entry) as ResourceOf<K>);
  }

  /** By namespace, then name; of all namespaces when none is given. */
  async list<K extends Kind>(kind: K, namespace?: string): Promise<Result<ResourceOf<K>[]>> {
    const { entries } = await this.#store.list(
      namespace === undefined ? { kind } : { kind, scope: namespace },
    );
    return ok(entries.map((entry) => toResource(entry) as ResourceOf<K>));
  }

  /** @returns the problem `RESOURCE_EXISTS` when there is one */
  async create<R extends Resource>(resource: R): Promise<Result<R>> {
    return this.#one<R>({ type: 'create', resource });
  }

  /**
   * Replaces one that exists. With a `resourceVersion` only that very version is replaced (else `RESOURCE_CONFLICT`);
   * without, whatever is there.
   */
  async update<R extends Resource>(resource: R): Promise<Result<R>> {
    return this.#one<R>({ type: 'update', resource });
  }

  /** `update`, as calicoctl calls it. */
  async replace<R extends Resource>(resource: R): Promise<Result<R>> {
    return this.update(resource);
  }

  /** Creates or replaces. */
  async apply<R extends Resource>(resource: R): Promise<Result<R>> {
    return this.#one<R>({ type: 'apply', resource });
  }

  /** @returns the resource as it last was */
  async delete<K extends Kind>(kind: K, name: string, namespace?: string): Promise<Result<ResourceOf<K>>> {
    return this.#one<ResourceOf<K>>({
      type: 'delete',
      kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
    });
  }

  /** All documents or, where the store has transactions, none. Problems carry their place in the documents. */
  async applyAll(documents: readonly ManifestDocument[]): Promise<Result<ResourceChanged[]>> {
    return this.change(
      documents.map((document) => ({
        type: 'apply',
        resource: document.resource,
        at: (field) => document.at(field),
      })),
    );
  }

  /**
   * Any mix of changes, in one commit where the store has transactions. Elsewhere they are written in order, and
   * when one fails the problems end with `PARTLY_WRITTEN`, which says how many were.
   *
   * @returns one outcome per change, in order
   */
  async change(changes: readonly ResourceChange[]): Promise<Result<ResourceChanged[]>> {
    const guarded = this.#store.transactional && checkedWith(changes).length > 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // Read first: what is read after it and changes meanwhile moves it.
      const guard = guarded ? await this.#store.get(GUARD) : undefined;
      const planned = await this.#plan(changes);
      if (planned.problems.length > 0) return fail(...planned.problems);
      const result = this.#store.transactional
        ? await this.#writeTogether(planned.steps, guarded ? touch(guard) : undefined)
        : await this.#writeInOrder(planned.steps);
      if (result !== 'outrun') return result;
    }
    return fail(busy());
  }

  /** What {@link change} would do if it were called now, checked as it checks. Nothing is written. */
  async preview(changes: readonly ResourceChange[]): Promise<Result<ResourceChanged[]>> {
    const { steps, problems } = await this.#plan(changes);
    return problems.length > 0 ? fail(...problems) : ok(changed(steps, []));
  }

  async #one<R extends Resource>(change: ResourceChange): Promise<Result<R>> {
    const result = await this.change([change]);
    if (!result.ok) return result;
    return ok(result.value[0]!.resource as R);
  }

  async #plan(changes: readonly ResourceChange[]): Promise<ReturnType<typeof planChanges>> {
    const found = await Promise.all(changes.map((change) => this.#store.get(changeKey(change))));
    const related = await Promise.all(
      checkedWith(changes).map(async (kind) => unwrap(await this.list(kind))),
    );
    return planChanges(changes, {
      found,
      related: related.flat(),
      now: this.#clock.wall(),
      newUid: this.#newUid,
    });
  }

  async #writeTogether(
    steps: readonly Step[],
    guard: Operation | undefined,
  ): Promise<Result<ResourceChanged[]> | 'outrun'> {
    const operations = steps.flatMap(({ operation }) => operation ?? []);
    if (operations.length === 0) return ok(changed(steps, []));
    const commit = await this.#store.commit([...operations, ...(guard === undefined ? [] : [guard])]);
    return commit.ok ? ok(changed(steps, commit.entries)) : 'outrun';
  }

  async #writeInOrder(steps: readonly Step[]): Promise<Result<ResourceChanged[]> | 'outrun'> {
    const written: Entry[] = [];
    let count = 0;
    for (const { operation } of steps) {
      if (operation === undefined) continue;
      let commit: Commit;
      try {
        commit = await this.#store.commit([operation]);
      } catch (error) {
        // Refused by the store: it has no place for this one, or gives no right to it.
        if (!(error instanceof PoplinError) || count === 0) throw error;
        return fail(...error.problems, partly(count, steps.length));
      }
      if (!commit.ok && count === 0) return 'outrun';
      if (!commit.ok) return fail(conflictOf(commit), partly(count, steps.length));
      written.push(...commit.entries);
      count++;
    }
    return ok(changed(steps, written));
  }
}

function touch(guard: Entry | undefined): Operation {
  const expect = guard === undefined ? 'absent' : { revision: guard.revision };
  return { type: 'put', key: GUARD, value: {}, expect };
}

/** @param written  one per put among the steps, in order; more may follow */
function changed(steps: readonly Step[], written: readonly Entry[]): ResourceChanged[] {
  let next = 0;
  return steps.map(({ outcome, resource, operation }) => {
    const entry = operation?.type === 'put' ? written[next++] : undefined;
    return { outcome, resource: entry === undefined ? resource : toResource(entry) };
  });
}

function conflictOf({ failed, current }: Extract<Commit, { ok: false }>): Problem {
  const asked = typeof failed.expect === 'object' ? failed.expect.revision : failed.expect;
  return conflict(failed.key, asked, current);
}

function partly(count: number, of: number): Problem {
  return {
    code: 'PARTLY_WRITTEN',
    what: `${count} of ${of} resources had been written before this`,
    remedy: 'mend the cause and apply the same files again',
  };
}

function busy(): Problem {
  return {
    code: 'STORE_BUSY',
    what: `others changed the same resources ${ATTEMPTS} times in a row`,
    remedy: 'try again; if this persists, look for a program that rewrites them in a loop',
  };
}
