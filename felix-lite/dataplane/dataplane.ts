/** What every backend does for the daemon. */
import type { Problem } from '../../api/problem.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import type { CalcDelta } from '../calc/model.ts';
import type { TableName } from '../rules/types.ts';

export interface Dataplane {
  /** Takes in a difference; nothing reaches the kernel before {@link apply}. */
  update(delta: CalcDelta): void;
  /**
   * Brings the kernel to what was taken in, in an order in which no packet meets a half-built policy.
   *
   * @param reread  compare with the kernel's present state; the first call does so in any case
   * @param rest  only where it is taken: what is still to come, which is members of sets and nothing else. Rules may be made
   *   ready meanwhile, and none of them comes into force before
   * @throws when nothing could be done at all; the kernel then holds what it held
   */
  apply(reread: boolean, rest?: Rest): Promise<Applied>;
  /** {@link apply} may be told of members when it has begun. Absent: it may not. */
  readonly takesRest?: boolean;
  readonly problems: readonly Problem[];
  /** What the kernel holds of ours. */
  readonly counts: { readonly rules: number; readonly sets: number };
  /** What each of our rules has counted since it was written. Read when asked; costs a look at all rules. */
  counters(): Promise<readonly RuleCounter[]>;
  close(): void;
}

/**
 * Works out what is still to come and calls {@link Dataplane.update} with it, a part at a time.
 *
 * @param each  is handed the call for each part, to make it when it likes; the next part is worked out once it resolves.
 *   Default: all calls are made at once
 */
export type Rest = (each?: (update: () => void) => Promise<void>) => Promise<void>;

export interface Applied {
  /** Single changes that the kernel took. */
  readonly steps: number;
  /** Failures of single tables; the other tables are as they should be. */
  readonly failures: readonly {
    readonly version: IpVersion;
    readonly table: TableName;
    readonly error: unknown;
  }[];
  /** Removals that were put off to keep the pass short. */
  readonly leftover: number;
  /**
   * What nothing refers to any more and stands in the kernel all the same, in case it is wanted again: a pass with nothing
   * else to do removes it. Absent: nothing.
   */
  readonly resting?: number;
  /** The kernel took it, and nobody has read it back: a pass that rereads, soon, does. Absent: no need. */
  readonly unseen?: boolean;
}

export interface RuleCounter {
  readonly version: IpVersion;
  readonly table: TableName;
  /** As `rules/` names it, whatever the backend. */
  readonly chain: string;
  /** Place in the chain, from 0. */
  readonly index: number;
  /** Of the rule and all above it: the same on every node that has the same policy. */
  readonly hash: string;
  readonly packets: bigint;
  readonly bytes: bigint;
}
