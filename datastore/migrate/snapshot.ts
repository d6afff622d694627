/** All objects of a store as they were at one moment. */
import { fail, ok, type Problem, type Result } from '../../api/index.ts';
import { CompactedError, type Entry, keyText, type Store } from '../store.ts';
import { type Dumped, isRecord, misnamed } from './dump.ts';
import { MIGRATED_KINDS } from './kinds.ts';

/** How often to begin anew because history went away under the reading. */
const ATTEMPTS = 5;

/**
 * In the order of {@link MIGRATED_KINDS}, all at one revision, whatever others write meanwhile.
 *
 * @throws CompactedError when the store forgets faster than it can be read
 */
export async function snapshot(store: Store): Promise<readonly Entry[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      const entries: Entry[] = [];
      const revision = await store.revision();
      for (const kind of MIGRATED_KINDS) entries.push(...(await store.list({ kind }, revision)).entries);
      return entries;
    } catch (error) {
      if (!(error instanceof CompactedError) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** A snapshot that can move. What cannot is a problem: nothing is left behind in silence. */
export async function exportStore(store: Store): Promise<Result<Dumped[]>> {
  const problems: Problem[] = [];
  const objects: Dumped[] = [];
  for (const { key, value } of await snapshot(store)) {
    const fault = isRecord(value)
      ? misnamed({ key, value })
      : `holds ${keyText(key)}, which is no JSON object`;
    if (isRecord(value) && fault === undefined) objects.push({ key, value });
    else problems.push(unmovable(keyText(key), fault ?? ''));
  }
  return problems.length > 0 ? fail(...problems) : ok(objects);
}

function unmovable(resource: string, fault: string): Problem {
  return {
    code: 'STORE_OBJECT_BROKEN',
    resource,
    what: `the datastore ${fault}`,
    remedy:
      'write it anew or delete it with the tool that wrote it; poplin datastore check shows all of them',
  };
}
