/**
 * One file for each workload endpoint whose policy the kernel holds. The node agent waits for it before it
 * lets a workload start. Written whole or not at all; files of endpoints that are gone are removed.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface EndpointStatus {
  readonly status: 'up';
  readonly interface: string;
  /** Of the WorkloadEndpoint that the kernel's rules were made from. */
  readonly revision: string;
}

export class EndpointStatusFiles {
  readonly #folder: string;

  constructor(runDir: string) {
    this.#folder = join(runDir, 'endpoint-status');
  }

  /** @param endpoints  all that are up, by `namespace/name` */
  reconcile(endpoints: ReadonlyMap<string, EndpointStatus>): void {
    mkdirSync(this.#folder, { recursive: true });
    const wanted = new Map(
      [...endpoints].map(([key, status]) => [encodeURIComponent(key), `${JSON.stringify(status)}\n`]),
    );
    for (const name of readdirSync(this.#folder)) {
      if (!wanted.has(name)) rmSync(join(this.#folder, name), { force: true });
    }
    for (const [name, text] of wanted) {
      const path = join(this.#folder, name);
      if (this.#read(path) === text) continue;
      // A name that no endpoint has: `%` is always followed by digits in the others.
      const half = join(this.#folder, `%new`);
      writeFileSync(half, text);
      renameSync(half, path);
    }
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  }
}
