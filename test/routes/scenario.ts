/** What is tried inside a user-mode kernel, and what it says of it. */
import type { Fabric } from './fabric.ts';

/** Goes on from where the one before ended. */
export interface Scenario {
  readonly title: string;
  readonly run: (fabric: Fabric) => Promise<void>;
}

export interface Outcome {
  readonly title: string;
  readonly error?: string | undefined;
}

/** Before the JSON of an outcome, among what else a machine says. */
export const SAID = 'POPLIN-SCENARIO ';
