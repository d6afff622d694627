/** What the control socket and the metrics are about. */
import type { Problem } from '../../api/index.ts';
import type { Engine } from './engine.ts';

/** A daemon, wherever its configuration comes from. */
export interface Subject {
  /** What it is called: the node, or its router id. */
  readonly node: string;
  readonly engine: Engine;
  /** Its whole configuration has been seen once. */
  readonly synced: boolean;
  readonly problems: readonly Problem[];
}
