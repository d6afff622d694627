/** Who changes nf_tables: told by the kernel with each transaction, whoever made it. */
import type { Cancel } from '../../../../clock/clock.ts';
import { isKernelError } from '../../errors.ts';
import { setSocketOption } from '../../libc.ts';
import { listen } from '../listen.ts';
import { NETLINK_NETFILTER, openNetlinkSocket, SOL_NETLINK, takeDatagram } from '../socket.ts';
import { decodeGeneration, decodePlace, eventGeneration, isTable, MESSAGE } from './messages.ts';
import type { TableRef } from './model.ts';

/** NFNLGRP_NFTABLES, from linux/netfilter/nfnetlink.h. */
const GROUP = 7;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_DROP_MEMBERSHIP = 2;
/** A transaction of 100,000 elements tells of each. */
const RECEIVE_BUFFER = 16 * 1024 * 1024;

export interface RulesetEdit {
  /** The kernel's count of transactions behind it. Undefined when events were lost: anything may have changed. */
  readonly generation: number | undefined;
  /** The program that made it, as the kernel names its thread (15 characters), and the thread's id. */
  readonly program: string;
  readonly pid: number;
}

export interface WatchedTable extends TableRef {
  /** Which of its chains matter; default: everything in the table. */
  readonly chains?: (name: string) => boolean;
}

/** Ends when it is called. */
export interface RulesetWatch extends Cancel {
  /**
   * The kernel tells us of nothing from now on. As long as anybody listens it writes down every rule that comes or goes, an
   * eighth of the work that a new policy is, for the one who made it, too. What happens until {@link resume} is only to be
   * seen by the count of generations.
   */
  pause(): void;
  resume(): void;
  /** Takes at once all that was told until now. */
  drain(): void;
}

/**
 * Calls `edited` once for each transaction, anybody's, that touched one of the tables; until cancelled. Main thread only.
 *
 * @param passed  called for each transaction, whatever it touched, before `edited`
 * @throws KernelError, or the file system's error when the namespace has gone
 */
export function watchTables(
  netns: string | undefined,
  tables: readonly WatchedTable[],
  edited: (edit: RulesetEdit) => void,
  passed: (generation: number) => void = () => undefined,
): RulesetWatch {
  const fd = openNetlinkSocket(netns, RECEIVE_BUFFER, NETLINK_NETFILTER);
  /** Low 16 bits of the generation whose events are coming in, once one of them is about our tables. */
  let touched: number | undefined;
  const state = { open: true, paused: false };
  const take = (): boolean => {
    try {
      return takeDatagram(fd, (bytes, message) => {
        // The event that closes a transaction comes last and tells who.
        if (message.type === MESSAGE.generation) {
          const { id, pid, program } = decodeGeneration(bytes, message);
          passed(id);
          if (touched === (id & 0xffff)) edited({ generation: id, program, pid });
          touched = undefined;
          return;
        }
        if (touched === eventGeneration(bytes, message)) return;
        const { family, table, chain } = decodePlace(bytes, message);
        const matters = tables.some(
          (each) =>
            isTable(each, family, table) &&
            (each.chains === undefined || (chain !== undefined && each.chains(chain))),
        );
        if (matters) touched = eventGeneration(bytes, message);
      });
    } catch (error) {
      if (!isKernelError(error, 'ENOBUFS')) throw error;
      edited({ generation: undefined, program: '', pid: 0 });
      return true;
    }
  };
  const cancel = listen(fd, [GROUP], take);
  const turn = (pause: boolean): void => {
    if (!state.open || state.paused === pause) return;
    state.paused = pause;
    const option = pause ? NETLINK_DROP_MEMBERSHIP : NETLINK_ADD_MEMBERSHIP;
    setSocketOption(fd, SOL_NETLINK, option, GROUP);
  };
  const watch = (): void => {
    state.open = false;
    cancel();
  };
  return Object.assign(watch, {
    pause: () => turn(true),
    resume: () => turn(false),
    drain: () => {
      while (state.open && take());
    },
  });
}
