/** Structured logs: one JSON object a line on standard error, named after the daemon. */
import { pino } from 'pino';

/** The part of pino that the rest of the house may rely on; tests hand in {@link silent}. */
export interface Log {
  debug(data: object, message: string): void;
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** Synchronous, so that the last line before a crash is there to be read. */
export function createLog(name: string, level: Level = 'info'): Log {
  return pino(
    { name, level, base: { name, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
}

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
