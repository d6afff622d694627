/**
 * Answers larger than memory on the control socket. Whoever answers writes a generator; it is drawn from for a few
 * milliseconds at a time, never faster than the caller reads, and other work of the daemon runs in between.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

export const NDJSON = 'application/x-ndjson';

/** Text in pieces of any size. `undefined`: nothing to send yet, but time was spent. */
export type Pieces = Iterator<string | undefined, void>;

const STREAM = Symbol('streamed answer');

export interface Streamed {
  readonly type: string;
  readonly pieces: Pieces;
}

export function streamed(type: string, pieces: Pieces): Streamed {
  return Object.assign({ type, pieces }, { [STREAM]: true as const });
}

/** One JSON value a line. */
export function streamedLines(values: Iterator<object | undefined, void>): Streamed {
  return streamed(NDJSON, lines(values));
}

function* lines(values: Iterator<object | undefined, void>): Generator<string | undefined, void> {
  for (let next = values.next(); next.done !== true; next = values.next())
    yield next.value === undefined ? undefined : `${JSON.stringify(next.value)}\n`;
}

export function isStreamed(value: unknown): value is Streamed {
  return typeof value === 'object' && value !== null && STREAM in value;
}

export interface Pace {
  /** Longest time in one turn of the event loop. */
  readonly milliseconds: number;
  /** Characters gathered for one write. */
  readonly characters: number;
}

const PACE: Pace = { milliseconds: 4, characters: 64 * 1024 };

/** Sends the whole answer, or stops when the caller is gone. An error cuts the answer short, so that nobody takes it for whole. */
export async function sendStream(
  { type, pieces }: Streamed,
  outgoing: ServerResponse,
  pace: Pace = PACE,
): Promise<void> {
  try {
    // What is wrong from the start is told as any other answer is: so the first piece comes before the head.
    let turn = draw(pieces, pace);
    outgoing.writeHead(200, { 'content-type': type });
    while (!outgoing.destroyed) {
      if (turn.text !== '' && !outgoing.write(turn.text)) await room(outgoing);
      if (turn.done) break;
      await new Promise((resolve) => setImmediate(resolve));
      turn = draw(pieces, pace);
    }
    outgoing.end();
  } catch (error) {
    if (!outgoing.headersSent) throw error;
    outgoing.destroy();
  }
}

function draw(pieces: Pieces, { milliseconds, characters }: Pace): { text: string; done: boolean } {
  const until = performance.now() + milliseconds;
  let text = '';
  for (;;) {
    const next = pieces.next();
    if (next.done === true) return { text, done: true };
    text += next.value ?? '';
    if (text.length >= characters || performance.now() >= until) return { text, done: false };
  }
}

async function room(outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  outgoing.once('close', leave);
  try {
    await once(outgoing, 'drain', { signal: gone.signal });
  } catch {
    // Gone: the loop sees it.
  } finally {
    outgoing.off('close', leave);
  }
}
