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

  /** @param endpoints  all that are up, by `namespace/name`; undefined for one that is not */
  reconcile(endpoints: ReadonlyMap<string, EndpointStatus | undefined>): void {
    mkdirSync(this.#folder, { recursive: true });
    const known = new Set([...endpoints.keys()].map(encodeURIComponent));
    for (const name of readdirSync(this.#folder)) {
      if (!known.has(name)) rmSync(join(this.#folder, name), { force: true });
    }
    this.update(endpoints);
  }

  /** Leaves the files of all other endpoints as they are. */
  update(endpoints: ReadonlyMap<string, EndpointStatus | undefined>): void {
    for (const [key, status] of endpoints) {
      const path = join(this.#folder, encodeURIComponent(key));
      if (status === undefined) {
        rmSync(path, { force: true });
        continue;
      }
      const text = `${JSON.stringify(status)}\n`;
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
