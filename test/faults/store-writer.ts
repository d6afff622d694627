/**
 * A process of its own that writes to an embedded datastore, for the drills beside it. Says on stdout, one line each, what
 * has been promised to be durable.
 *
 *   counter  adds 1 to each of two objects in one commit, by compare-and-swap, `count` times
 *   pairs    writes two objects that must always agree, until killed
 */
import { writeSync } from 'node:fs';
import { EmbeddedStore } from '../../datastore/embedded/embedded.ts';
import type { Entry, Key, Store } from '../../datastore/store.ts';

const [, , mode = '', path = '', name = '', count = '0'] = process.argv;

function key(name: string): Key {
  return { kind: 'Drill', scope: '', name };
}

async function counter(store: Store): Promise<void> {
  for (let done = 0; done < Number(count); ) {
    const before = await Promise.all([store.get(key('left')), store.get(key('right'))]);
    const commit = await store.commit(
      before.map((entry, i) => ({
        type: 'put' as const,
        key: key(i === 0 ? 'left' : 'right'),
        value: { n: numberIn(entry) + 1, by: name },
        expect: entry === undefined ? ('absent' as const) : { revision: entry.revision },
      })),
    );
    if (commit.ok) done++;
  }
}

/** Large values, so that a commit takes many pages and a kill often falls into the middle of one. */
async function pairs(store: Store): Promise<void> {
  const padding = 'x'.repeat(30_000);
  for (let n = numberIn(await store.get(key(`${name}-a`))) + 1; ; n++) {
    const commit = await store.commit(
      ['a', 'b'].map((half) => ({
        type: 'put' as const,
        key: key(`${name}-${half}`),
        value: { n, padding },
        expect: 'any' as const,
      })),
    );
    // Written by the system call itself: a kill right after must not find it in a buffer.
    if (commit.ok) writeSync(1, `${n}\n`);
  }
}

function numberIn(entry: Entry | undefined): number {
  return (entry?.value as { readonly n: number } | undefined)?.n ?? 0;
}

const store = await EmbeddedStore.open(path, { keepRevisions: 400 });
writeSync(1, 'ready\n');
if (mode === 'counter') await counter(store);
else await pairs(store);
await store.close();
