/** The executable as the node agent starts it, in the network namespace of a test's node. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { askControl } from '../../daemon/control.ts';
import type { FelixStatus } from '../../felix-lite/daemon/felix.ts';
import { NODE, type TestNode } from './node.ts';

const MAIN = join(import.meta.dirname, '../../felix-lite/daemon/main.ts');
/** However long a busy machine takes to start it. */
const PATIENCE_MS = 60_000;

export class Agent {
  readonly #node: TestNode;
  #process: ChildProcess | undefined;

  constructor(node: TestNode) {
    this.#node = node;
  }

  start(...more: readonly string[]): ChildProcess {
    const { datastore, runDir, netns } = this.#node;
    const flags = ['--node', NODE, '--datastore', datastore, '--run-dir', runDir, '--log-level', 'error'];
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', MAIN, ...flags, ...more];
    this.#process = spawn('nsenter', [`--net=${netns}`, '--', ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return this.#process;
  }

  /** Resolves with its exit code once it has ended, if it runs. */
  async kill(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    return new Promise((resolve) => {
      child.once('exit', (code) => resolve(code));
      // nsenter has become the daemon: it has the same pid.
      child.kill(signal);
    });
  }

  /** @throws when it does not answer */
  async status(): Promise<FelixStatus> {
    const asked = await askControl<FelixStatus>(join(this.#node.runDir, 'felix.sock'), 'GET', '/status');
    if (!asked.ok) throw new Error(JSON.stringify(asked.problems));
    return asked.value;
  }

  /** Resolves as soon as it answers. */
  answering(): Promise<FelixStatus> {
    return this.#until(() => true);
  }

  /** Resolves when the kernel holds the newest revision. */
  async ready(): Promise<FelixStatus> {
    const wanted = await this.#node.store.revision();
    return this.#until(({ ready, appliedRevision }) => ready && appliedRevision === wanted);
  }

  async #until(isSo: (status: FelixStatus) => boolean): Promise<FelixStatus> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const said = await this.status().catch((error: unknown) => String(error));
      if (typeof said !== 'string' && isSo(said)) return said;
      if (performance.now() > deadline) throw new Error(`not so: ${JSON.stringify(said)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
