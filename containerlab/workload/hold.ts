/** One connection that is kept busy for as long as it lives: how it fares tells whether anything was disturbed. */
import { connect } from 'node:net';

const BEAT_MS = 50;

export interface HoldReport {
  readonly echoes: number;
  /** Why it ended; undefined while it lives. */
  readonly broken: string | undefined;
}

/** Sends an octet, waits for its echo, rests a moment, and again. */
export function hold(address: string, port: number): { report(): HoldReport; close(): void } {
  let echoes = 0;
  let broken: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let greeted = false;
  const socket = connect({ host: address, port, noDelay: true });
  socket.on('data', (chunk: Buffer) => {
    if (!greeted) {
      if (!chunk.includes(0x0a)) return;
      greeted = true;
    } else echoes++;
    timer = setTimeout(() => socket.write('.'), BEAT_MS);
  });
  const end = (why: string): void => {
    clearTimeout(timer);
    broken ??= why;
  };
  socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  socket.on('close', () => end('closed'));
  return {
    report: () => ({ echoes, broken }),
    close: () => socket.destroy(),
  };
}
