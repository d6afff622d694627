/** For tests: a terminal that remembers, and commands run as a user types them on a datastore of their own. */
import { join } from 'node:path';
import { temporaryFolder } from '../datastore/testing.ts';
import { run } from './run.ts';
import type { Terminal } from './terminal.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CommandLine {
  /** A folder for files of the test; the datastore is in it. */
  readonly folder: string;
  /** Words are separated by single spaces; `stdin` is what the command reads from `-f -`. */
  (line: string, stdin?: string): Promise<Ran>;
}

export function commandLine(): CommandLine {
  const folder = temporaryFolder();
  const poplin = async (line: string, stdin = ''): Promise<Ran> => {
    let out = '';
    let err = '';
    const terminal: Terminal = {
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      stdin: () => Promise.resolve(stdin),
      // No lab of this machine may lend its context to a test.
      env: { POPLIN_DATASTORE: join(folder, 'datastore.db'), POPLIN_CONTEXT: join(folder, 'none.json') },
      columns: undefined,
      colour: false,
    };
    const code = await run(line.split(' '), terminal);
    return { code, out, err };
  };
  return Object.assign(poplin, { folder });
}
