/** Our BGP daemon, as a process in a node of a {@link Lab}, with a datastore of its own. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { unwrap } from '../../../api/index.ts';
import { askControl } from '../../../daemon/control.ts';
import { type Key, openStore, type Store } from '../../../datastore/index.ts';
import type { Lab } from './lab.ts';

const MAIN = join(import.meta.dirname, '../../../bgpd/daemon/main.ts');

export interface Route {
  readonly prefix: string;
  readonly paths: readonly { readonly peer: string; readonly reason: string; readonly stale: boolean }[];
  readonly installed?: { readonly state: string; readonly reason?: string };
}

interface Status {
  readonly restarting: boolean;
  readonly peers: readonly {
    readonly name: string;
    readonly state: string;
    readonly prefixesStale: number;
  }[];
  readonly problems: readonly { readonly code: string }[];
}

export class BgpdProcess {
  readonly store: Store;
  /** Everything the daemon has logged. */
  readonly lines: string[] = [];
  readonly #lab: Lab;
  readonly #node: string;
  readonly #database: string;
  readonly #runDir: string;
  #child: ChildProcess | undefined;

  /** @param name  of the datastore; nodes of one cluster share one */
  static async create(lab: Lab, node: string, name = node): Promise<BgpdProcess> {
    const database = join(lab.folder, `${name}.db`);
    return new BgpdProcess(lab, node, database, await openStore(database));
  }

  private constructor(lab: Lab, node: string, database: string, store: Store) {
    this.#lab = lab;
    this.#node = node;
    this.#database = database;
    this.#runDir = join(lab.folder, `${node}.run`);
    this.store = store;
  }

  start(...more: readonly string[]): void {
    const args = ['--node', this.#node, '--datastore', this.#database, '--run-dir', this.#runDir, ...more];
    this.#child = this.#lab.start(this.#node, process.execPath, [MAIN, ...args]);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.lines.push(text));
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child !== undefined) await this.#lab.kill(this.#child, signal);
  }

  async put(
    kind: string,
    name: string,
    spec: object,
    scope = '',
    labels: Record<string, string> = {},
  ): Promise<void> {
    const metadata = { name, labels, ...(scope === '' ? {} : { namespace: scope }) };
    await this.putRaw({ kind, scope, name }, { apiVersion: 'projectcalico.org/v3', kind, metadata, spec });
  }

  async putRaw(key: Key, value: unknown): Promise<void> {
    await this.store.commit([{ type: 'put', key, value, expect: 'any' }]);
  }

  async remove(kind: string, name: string, scope = ''): Promise<void> {
    await this.store.commit([{ type: 'delete', key: { kind, scope, name }, expect: 'any' }]);
  }

  async block(cidr: string, state = 'confirmed'): Promise<void> {
    await this.putRaw(
      { kind: 'BlockAffinity', scope: `host:${this.#node}`, name: cidr },
      { state, deleted: false },
    );
  }

  async status(): Promise<Status> {
    return this.#ask<Status>('/status');
  }

  async route(prefix: string): Promise<Route | undefined> {
    return (await this.#ask<{ routes: Route[] }>(`/routes?prefix=${encodeURIComponent(prefix)}`)).routes[0];
  }

  async #ask<T>(url: string): Promise<T> {
    return unwrap(await askControl<T>(join(this.#runDir, 'bgpd.sock'), 'GET', url));
  }
}
