/** `poplin lab down`: remove everything that a lab made. */
import { type Problem, PoplinError } from '../../api/problem.ts';
import { removeLab } from '../runner/down.ts';
import { chooseLab } from '../runner/lab.ts';
import type { Screen } from '../terminal/screen.ts';
import { machineOf, stopMachine } from '../uml/lab-machine.ts';
import { changeLab } from './change.ts';

export interface LabDownOptions {
  /** Without it, the lab that runs. */
  readonly lab?: string | undefined;
}

/** Succeeds when there is no lab: what was asked for is then true already. */
export async function labDown({ lab }: LabDownOptions, screen: Screen): Promise<number> {
  const machine = machineOf(lab);
  if (machine !== undefined)
    return changeLab(machine.lab, screen, () => stopMachine(machine, (text) => screen.out(text)));
  const chosen = chooseLab(lab);
  if (!chosen.ok) {
    if (!isMissing(chosen.problems)) throw new PoplinError(chosen.problems);
    if (lab === undefined) {
      screen.out('There is no lab to remove.\n');
      return 0;
    }
  }
  // A lab whose folder is gone can still have namespaces.
  const name = chosen.ok ? chosen.value : (lab ?? '');
  return changeLab(name, screen, async () => {
    const { namespaces, anything } = await removeLab(name);
    screen.out(
      anything
        ? `Lab "${name}" removed: its processes, ${namespaces} network namespaces, state and datastore.\n`
        : `There is no lab "${name}" to remove.\n`,
    );
    return 0;
  });
}

function isMissing(problems: readonly Problem[]): boolean {
  return problems.every(({ code }) => code === 'LAB_NOT_FOUND');
}
