/** What requests of all kinds have in common: how many go together, and which refusals are no failure. */
import { isKernelError } from '../errors.ts';
import type { MessageWriter } from './message.ts';
import type { RequestSocket } from './socket.ts';

/**
 * Messages in one send. Each send is a hand-over to a thread and back, in which the kernel stands still: with 128 routes a
 * sixth of the time, with 512 none of it that could be measured (kernel 6.18; bench routes).
 */
export const BATCH = 512;

/** True when done, false when the kernel refuses with one of `codes`: what was asked for is so already. */
export async function unless(
  socket: RequestSocket,
  codes: readonly string[],
  call: string,
  encode: (w: MessageWriter) => void,
): Promise<boolean> {
  try {
    await socket.request(call, encode);
    return true;
  } catch (error) {
    if (isKernelError(error, ...codes)) return false;
    throw error;
  }
}

/** For a dump of what this kernel does not have: a table nobody made, an IP version it was built without. */
export function noneFor(...codes: readonly string[]): (error: unknown) => never[] {
  return (error) => {
    if (isKernelError(error, ...codes)) return [];
    throw error;
  };
}
