/** What every engine does with a commit before it looks at the store. */
import { stringifyJson } from './json.ts';
import { type Expectation, keyText, type Operation } from './store.ts';

/** One commit with its values already in text, so that later changes by the caller do not reach it. */
export interface PreparedCommit {
  readonly operations: readonly Operation[];
  /** By operation; undefined for all but puts. */
  readonly texts: readonly (string | undefined)[];
}

/** @throws Error on a key named twice: a bug of the caller */
export function refuseRepeats(operations: readonly Operation[]): void {
  const seen = new Set<string>();
  for (const { key } of operations) {
    const id = JSON.stringify([key.kind, key.scope, key.name]);
    if (seen.has(id)) throw new Error(`${keyText(key)} appears twice in one commit`);
    seen.add(id);
  }
}

/** @throws Error on a key named twice, TypeError on a value without JSON form: both are bugs of the caller */
export function prepareCommit(operations: readonly Operation[]): PreparedCommit {
  refuseRepeats(operations);
  return {
    operations: [...operations],
    texts: operations.map((operation) =>
      operation.type === 'put' ? stringifyJson(operation.value) : undefined,
    ),
  };
}

/** @param revision  of what the key holds; undefined when it holds nothing */
export function holds(expectation: Expectation, revision: string | undefined): boolean {
  if (expectation === 'any') return true;
  if (expectation === 'present') return revision !== undefined;
  if (expectation === 'absent') return revision === undefined;
  return revision === expectation.revision;
}
