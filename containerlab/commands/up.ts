/** `poplin lab up`: start, or heal what is damaged. */
import { checkMachine } from '../runner/machine.ts';
import { readLab, startLab } from '../runner/up.ts';
import type { Screen } from '../terminal/screen.ts';
import { narrate } from '../terminal/steps.ts';
import { unwrap } from '../../api/problem.ts';
import { changeLab } from './change.ts';

export interface LabUpOptions {
  /** Path of the topology file. */
  readonly topology: string;
}

/** @throws PoplinError with every problem of the topology, or the one that stood in the way */
export async function labUp({ topology: file }: LabUpOptions, screen: Screen): Promise<number> {
  const { topology, expectation } = readLab(file);
  unwrap(checkMachine(topology));
  const narrator = narrate(screen);
  return changeLab(topology.name, screen, async (interrupt) => {
    const { fresh } = await startLab(topology, expectation, narrator, interrupt);
    narrator.say(`\n  The lab "${topology.name}" ${fresh ? 'is up' : 'stands'}.\n`);
    return 0;
  });
}
