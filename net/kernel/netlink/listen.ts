/** A netlink socket that is told things: joined to groups, read whenever there is something. */
import { closeSync } from 'node:fs';
import type { Cancel } from '../../../clock/clock.ts';
import { pollReadable, setSocketOption } from '../libc.ts';
import { SOL_NETLINK } from './socket.ts';

const NETLINK_ADD_MEMBERSHIP = 1;
/** Datagrams taken per turn of the event loop. What is left makes the poll fire again. */
const PER_TURN = 256;

/**
 * Listens until cancelled, and closes the socket then. Alone, it does not keep the process running. Main thread only.
 *
 * @param fd  closed on failure too
 * @param take  takes one datagram; false when there was none
 */
export function listen(fd: number, groups: readonly number[], take: () => boolean): Cancel {
  const state = { cancelled: false, scheduled: false };

  const drain = () => {
    state.scheduled = false;
    for (let i = 0; i < PER_TURN && !state.cancelled; i++) if (!take()) return;
  };

  let stopPolling: () => void;
  try {
    for (const group of groups) setSocketOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
    // Out of libuv's callback first: promise jobs would not run inside it.
    stopPolling = pollReadable(fd, () => {
      if (state.scheduled) return;
      state.scheduled = true;
      setImmediate(drain);
    });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return () => {
    if (state.cancelled) return;
    state.cancelled = true;
    stopPolling();
    closeSync(fd);
  };
}
