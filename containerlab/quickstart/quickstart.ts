/** The whole tour: a lab started, proved, disturbed, proved again, and left running for its visitor. */
import { join } from 'node:path';
import { unwrap } from '../../api/problem.ts';
import { changeLab } from '../commands/change.ts';
import { checkMachine } from '../runner/machine.ts';
import { removeLab } from '../runner/down.ts';
import { REPOSITORY } from '../runner/paths.ts';
import { type Started, readLab, startLab } from '../runner/up.ts';
import type { Interrupt } from '../runner/interrupt.ts';
import type { Screen } from '../terminal/screen.ts';
import { type Narrator, narrate } from '../terminal/steps.ts';
import { drawMatrix, drawWrong } from '../verdict/draw.ts';
import { drill } from '../verdict/drill.ts';
import { type Matrix, wrongCells } from '../verdict/matrix.ts';
import { proveRoutes, proveSessions, proveTraffic } from '../verdict/verdict.ts';
import { PICTURE, farewell } from './words.ts';

export interface QuickstartOptions {
  readonly topology?: string | undefined;
}

/** @returns 0 when everything was as expected; 1 leaves the lab running to be looked at */
export async function labQuickstart(options: QuickstartOptions, screen: Screen): Promise<number> {
  const { topology, expectation } = readLab(
    options.topology ?? join(REPOSITORY, 'topologies', 'quickstart.clab.yml'),
  );
  unwrap(checkMachine(topology));
  const narrator = narrate(screen);
  const began = performance.now();
  narrator.say(
    `\n  ${narrator.paint('bold', 'Poplin: a small data centre on this machine')}\n\n${PICTURE}\n`,
  );
  return changeLab(topology.name, screen, async (interrupt) => {
    const started = await startLab(topology, expectation, narrator, interrupt);
    try {
      const matrix = await prove(started, narrator, interrupt);
      const seconds = (performance.now() - began) / 1000;
      narrator.say(farewell(started.lab, matrix, seconds, narrator.paint));
      return matrix === undefined || wrongCells(matrix).length === 0 ? 0 : 1;
    } catch (error) {
      // Ctrl-C takes the lab away; a proof that failed leaves it for whoever wants to know why.
      if (interrupt.signal.aborted) await removeLab(topology.name);
      throw error;
    }
  });
}

async function prove(
  { lab, expectation }: Started,
  narrator: Narrator,
  interrupt: Interrupt,
): Promise<Matrix | undefined> {
  await proveSessions(lab, narrator, interrupt);
  if (expectation === undefined) return undefined;
  const blocks = await proveRoutes(lab, narrator, interrupt);
  const first = await proveTraffic(lab, expectation, narrator, interrupt);
  narrator.say(`\n${drawMatrix(first, narrator.paint)}\n`);
  if (wrongCells(first).length > 0) {
    narrator.say(`${drawWrong(first)}\n`);
    return first;
  }
  await drill(lab, blocks, expectation, narrator, interrupt);
  const second = await proveTraffic(lab, expectation, narrator, interrupt);
  if (wrongCells(second).length > 0)
    narrator.say(`\n${drawMatrix(second, narrator.paint)}\n${drawWrong(second)}\n`);
  return second;
}
