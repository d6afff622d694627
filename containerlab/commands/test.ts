/** `poplin lab test`: measure the matrix again, from live connections. */
import { PoplinError, unwrap } from '../../api/problem.ts';
import { loadExpectation } from '../expectation.ts';
import { openLab } from '../runner/lab.ts';
import type { Screen } from '../terminal/screen.ts';
import { painter } from '../terminal/screen.ts';
import { drawMatrix, drawWrong } from '../verdict/draw.ts';
import { measureMatrix, wrongCells } from '../verdict/matrix.ts';
import { tellMatrix } from '../verdict/verdict.ts';
import { inMachine, machineOf } from '../uml/lab-machine.ts';

export interface LabTestOptions {
  readonly lab?: string | undefined;
  readonly output?: string | undefined;
}

/** @returns 1 when a pair differs from the expectation */
export async function labTest({ lab: name, output }: LabTestOptions, screen: Screen): Promise<number> {
  const machine = machineOf(name);
  if (machine !== undefined)
    return inMachine(
      machine,
      ['lab', 'test', machine.lab, ...(output === undefined ? [] : ['--output', output])],
      (text) => screen.out(text),
    );
  const lab = unwrap(openLab(name));
  const expectation = unwrap(loadExpectation(lab.topology));
  if (expectation === undefined)
    throw new PoplinError([
      {
        code: 'NO_EXPECTATION',
        value: lab.topology.file,
        what: `the lab "${lab.topology.name}" has no workloads to measure`,
        remedy: 'write an .expect.yml beside its topology; topologies/quickstart.expect.yml is an example',
      },
    ]);
  const matrix = await measureMatrix(lab, expectation);
  const wrong = wrongCells(matrix);
  if (output === 'json') screen.out(`${JSON.stringify(matrix, null, 2)}\n`);
  else {
    const paint = painter(screen);
    screen.out(
      `${drawMatrix(matrix, paint)}\n  ${paint(wrong.length === 0 ? 'green' : 'red', tellMatrix(matrix))}\n`,
    );
    if (wrong.length > 0) screen.out(`\n${drawWrong(matrix)}`);
  }
  return wrong.length === 0 ? 0 : 1;
}
