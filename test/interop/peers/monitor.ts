/** What happens to a node's kernel routes while a test runs: `ip monitor route`, line by line. */
import type { ChildProcess } from 'node:child_process';
import type { Lab } from './lab.ts';

export class RouteMonitor {
  readonly lines: string[] = [];
  readonly #lab: Lab;
  readonly #child: ChildProcess;

  constructor(lab: Lab, node: string) {
    this.#lab = lab;
    this.#child = lab.start(node, 'ip', ['monitor', 'route']);
    let rest = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.lines.push(...lines);
    });
  }

  /** Changes of this prefix so far. */
  of(prefix: string): readonly string[] {
    return this.lines.filter((line) => line.includes(prefix));
  }

  async stop(): Promise<void> {
    await this.#lab.kill(this.#child);
  }
}
