/**
 * The log of a daemon with a bound on all of it that peers can cause, beside the bound that each peer has: a thousand peers
 * that misbehave at once, each within its own, would write ten thousand lines a minute.
 */
import { seconds, type Clock } from '../../clock/clock.ts';
import type { Log } from '../../daemon/log.ts';
import { LogLimit } from '../speaker/log-limit.ts';

/** A reflector's thousands of clients that come up together are good news, and worth a line each. */
const INFO = 10_000;
const WARN = 1_000;
const PERIOD = seconds(60);

/** `error` and `debug` pass unbounded: no peer causes them. */
export function limitedLog(log: Log, clock: Clock): Log {
  const info = new LogLimit(clock, INFO, PERIOD);
  const warn = new LogLimit(clock, WARN, PERIOD);
  return {
    debug: (data, text) => log.debug(data, text),
    error: (data, text) => log.error(data, text),
    info: (data, text) => {
      const line = info.pass(text);
      if (line !== undefined) log.info(data, line);
    },
    warn: (data, text) => {
      const line = warn.pass(text);
      if (line !== undefined) log.warn(data, line);
    },
  };
}
