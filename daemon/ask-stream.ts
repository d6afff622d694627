/** The caller's side of an answer in pieces. */
import { type IncomingMessage, request } from 'node:http';
import { PoplinError, type Problem, type Result, ok } from '../api/problem.ts';
import { readAnswer, unreachable } from './control.ts';

export interface AskStreamOptions {
  /** Longest silence, in milliseconds. */
  readonly silenceMs?: number;
}

/**
 * Asks a daemon for many values, one a line. Read them at any pace: the daemon waits. Leaving the loop ends the
 * exchange.
 *
 * @returns problems as `askControl` does, where there is no answer at all
 * @throws PoplinError from the loop, `CONTROL_CUT` where the answer breaks off
 */
export function askControlLines<T>(
  path: string,
  url: string,
  options: AskStreamOptions = {},
): Promise<Result<AsyncIterable<T>>> {
  const silenceMs = options.silenceMs ?? 30_000;
  return new Promise((resolve) => {
    const outgoing = request({ socketPath: path, method: 'GET', path: url, agent: false }, (incoming) => {
      const status = incoming.statusCode ?? 500;
      if (status < 300) resolve(ok(values<T>(incoming, path)));
      else void whole(incoming).then((text) => resolve(readAnswer<AsyncIterable<T>>(status, text, path)));
    });
    outgoing.setTimeout(silenceMs, () => outgoing.destroy(new Error(`silent for ${silenceMs} ms`)));
    outgoing.on('error', (error) => resolve(unreachable(path, error.message)));
    outgoing.end();
  });
}

async function* values<T>(incoming: IncomingMessage, path: string): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as T;
    }
  } catch (error) {
    throw new PoplinError([cut(path, error)]);
  } finally {
    incoming.destroy();
  }
  if (rest !== '') throw new PoplinError([cut(path, 'the last line has no end')]);
}

function cut(path: string, error: unknown): Problem {
  return {
    code: 'CONTROL_CUT',
    value: path,
    what: `the answer on ${path} broke off: ${error instanceof Error ? error.message : String(error)}`,
    remedy: 'ask again; where it stays so, look at the log of the daemon',
  };
}

async function whole(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch {
    // What came is what there is to show.
  }
  return Buffer.concat(chunks).toString('utf8');
}
