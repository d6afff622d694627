/** One operation of a transaction to come. */
import type { NftOperation } from '../../../net/kernel/index.ts';

export interface Planned {
  readonly operation: NftOperation;
  /** The chain that it is about, to set aside if it is refused. */
  readonly chain?: string;
  /** Called when the kernel has taken it; with the handle of a new rule, if it told. */
  readonly done?: (handle: bigint | undefined) => void;
}
