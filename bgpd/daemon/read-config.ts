/**
 * Reads `router.yaml` in a thread of its own, which is gone when it has answered. What understands YAML and the schema
 * takes 20 MiB and 200 ms, and the check of 1,000 peers one turn of 100 ms: none of it is left in the daemon, and
 * sessions do not wait for it. Guarded by scenario (a) of the bench.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { fail, ok, type Result } from '../../api/problem.ts';
import { convert } from '../config/convert.ts';
import type { CheckedRouter, ReadRouter } from '../config/index.ts';

/** What the thread is started with. */
export interface ConfigText {
  readonly text: string;
  readonly file: string;
}

const THREAD = join(import.meta.dirname, 'config-thread.ts');

/** Reads and checks a configuration. A file that cannot be read is a problem like any other. */
export async function readConfig(file: string): Promise<Result<ReadRouter>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    return fail({
      code: 'CONFIG_UNREADABLE',
      at: { file },
      what: `the file cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: 'name a file that is there and readable',
    });
  }
  const checked = await check({ text, file });
  if (!checked.ok) return checked;
  const { config, warnings } = checked.value;
  return ok({ setup: convert(config), warnings });
}

function check(workerData: ConfigText): Promise<Result<CheckedRouter>> {
  const { promise, resolve, reject } = Promise.withResolvers<Result<CheckedRouter>>();
  let answer: Result<CheckedRouter> | undefined;
  const thread = new Worker(THREAD, { workerData });
  thread.once('message', (result: Result<CheckedRouter>) => (answer = result));
  thread.once('error', reject);
  // Not before the thread has ended: its memory is given back by then.
  thread.once('exit', (code) => {
    if (answer === undefined) reject(new Error(`the thread that reads the configuration ended with ${code}`));
    else resolve(answer);
  });
  return promise;
}
