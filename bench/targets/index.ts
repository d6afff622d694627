/** All that can be measured, in the order of the table. */
import { bird } from './bird.ts';
import { frr } from './frr.ts';
import { gobgp } from './gobgp.ts';
import { openbgpd } from './openbgpd.ts';
import { pipe } from './pipe.ts';
import { poplin } from './poplin.ts';
import type { Target } from './target.ts';

export type { Target } from './target.ts';

export const TARGETS: readonly Target[] = [poplin, bird, frr, openbgpd, gobgp];

/** Measured when asked for by name. */
export const FLOOR: Target = pipe;
