/** `poplin lab up`: start, or heal what is damaged. */
import { checkMachine } from '../runner/machine.ts';
import { readLab, startLab } from '../runner/up.ts';
import type { Screen } from '../terminal/screen.ts';
import { narrate } from '../terminal/steps.ts';
import { PoplinError, unwrap } from '../../api/problem.ts';
import { inMachine, machineOf, startMachine, stopMachine } from '../uml/lab-machine.ts';
import { lackingDevices } from '../uml/devices.ts';
import { umlPresent } from '../uml/uml.ts';
import { changeLab } from './change.ts';

export interface LabUpOptions {
  /** Path of the topology file. */
  readonly topology: string;
  /** `host` or `uml`; without it this machine's own, unless it lacks a kind of device that the lab needs. */
  readonly kernel?: string | undefined;
}

/** @throws PoplinError with every problem of the topology, or the one that stood in the way */
export async function labUp({ topology: file, kernel }: LabUpOptions, screen: Screen): Promise<number> {
  const { topology, expectation } = readLab(file);
  unwrap(checkMachine(topology));
  const machine = machineOf(topology.name);
  const lacking = kernel === undefined && machine === undefined ? await lackingDevices(topology) : [];
  if (lacking.length > 0 && umlPresent())
    screen.out(
      `  This kernel has no ${lacking.join(', ')} devices: the lab gets a user-mode kernel that has.\n`,
    );
  if (machine !== undefined && kernel === 'host') throw new PoplinError([runsInMachine(topology.name)]);
  if (machine !== undefined || kernel === 'uml' || (lacking.length > 0 && umlPresent()))
    return upInMachine(topology.name, topology.file, screen);
  const narrator = narrate(screen);
  return changeLab(topology.name, screen, async (interrupt) => {
    const { fresh } = await startLab(topology, expectation, narrator, interrupt);
    narrator.say(`\n  The lab "${topology.name}" ${fresh ? 'is up' : 'stands'}.\n`);
    return 0;
  });
}

/** A machine that cannot bring the lab up is of no use. */
async function upInMachine(lab: string, file: string, screen: Screen): Promise<number> {
  const known = machineOf(lab);
  return changeLab(lab, screen, async (interrupt) => {
    const machine = known ?? (await startMachine(lab, file));
    const command = ['lab', 'up', file, '--kernel', 'host'];
    const code = await inMachine(machine, command, (text) => screen.out(text));
    if (code !== 0 && known === undefined) await stopMachine(machine, () => undefined);
    interrupt.check();
    return code;
  });
}

function runsInMachine(lab: string) {
  return {
    code: 'LAB_DIFFERS',
    value: lab,
    what: `the lab "${lab}" runs in a user-mode kernel`,
    remedy: `take it down first: poplin lab down ${lab}`,
  };
}
