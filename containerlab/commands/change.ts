/** What every command that changes a lab has around it: the lock, and an orderly answer to Ctrl-C. */
import { PoplinError, unwrap } from '../../api/problem.ts';
import { type Interrupt, catchInterrupts } from '../runner/interrupt.ts';
import { lockLab } from '../runner/lock.ts';
import type { Screen } from '../terminal/screen.ts';

/** What a shell expects of a program that Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;

export async function changeLab(
  lab: string,
  screen: Screen,
  work: (interrupt: Interrupt) => Promise<number>,
): Promise<number> {
  const lock = unwrap(lockLab(lab));
  const interrupt = catchInterrupts();
  try {
    return await work(interrupt);
  } catch (error) {
    if (!(error instanceof PoplinError && error.problems.some(({ code }) => code === 'INTERRUPTED')))
      throw error;
    screen.out('\n  Interrupted. What had been made is removed again.\n');
    return EXIT_INTERRUPTED;
  } finally {
    interrupt.release();
    lock.release();
  }
}
