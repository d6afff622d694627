/** Tells a long piece of work step by step: what is being done, what came of it, how long it took. */
import { type Paint, type Screen, padTo, painter } from './screen.ts';

const TITLE_WIDTH = 12;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;

export interface Narrator {
  /**
   * Runs the work under a title. Its text becomes the line's end; on a terminal the line moves while it runs.
   * A rejection marks the line as failed and travels on.
   */
  step(title: string, doing: string, work: () => Promise<string>): Promise<void>;
  say(text: string): void;
  readonly paint: Paint;
}

export function narrate(screen: Screen): Narrator {
  const paint = painter(screen);
  return {
    paint,
    say: (text) => screen.out(text),
    async step(title, doing, work) {
      const began = performance.now();
      const head = paint('bold', padTo(title, TITLE_WIDTH));
      const waiting = wait(
        screen,
        (frame) => `  ${paint('cyan', frame)} ${head} ${paint('dim', fitting(doing, screen.columns))}`,
      );
      const took = (): string => paint('dim', `${((performance.now() - began) / 1000).toFixed(1)} s`);
      try {
        const told = await work();
        waiting.end();
        const [first = '', ...more] = told.split('\n');
        screen.out(`  ${paint('green', '✓')} ${head} ${first}  ${took()}\n`);
        for (const line of more) screen.out(`    ${' '.repeat(TITLE_WIDTH)} ${line}\n`);
      } catch (error) {
        waiting.end();
        screen.out(`  ${paint('red', '✗')} ${head} ${doing}  ${took()}\n`);
        throw error;
      }
    },
  };
}

/** A line that wraps could not be taken back. */
function fitting(text: string, columns: number | undefined): string {
  const room = Math.max(0, (columns || 80) - TITLE_WIDTH - 7);
  return text.length <= room ? text : `${text.slice(0, Math.max(0, room - 1))}…`;
}

/** A moving line on a terminal; nothing anywhere else. */
function wait(screen: Screen, line: (frame: string) => string): { end(): void } {
  if (screen.columns === undefined || !screen.colour) return { end: () => undefined };
  let turn = 0;
  const draw = (): void => screen.out(`\r\u001b[K${line(FRAMES[turn++ % FRAMES.length] ?? '')}`);
  draw();
  const timer = setInterval(draw, FRAME_MS);
  return {
    end: () => {
      clearInterval(timer);
      screen.out('\r\u001b[K');
    },
  };
}
