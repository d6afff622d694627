/**
 * Where a run takes place: two namespaces and a cable, the target alone in one and the traffic program in the other.
 * Every run gets a fresh pair, so that no run finds sockets, neighbours or memory of the one before.
 */
import { processIdentity } from '../daemon/process.ts';
import { createNamespace, deleteNamespace, listNamespaces, namespacePath, run } from '../net/kernel/index.ts';

export const TARGET_V4 = '10.19.0.1';
export const TARGET_V6 = 'fd00:19::1';
const CABLE_V4 = '10.19.0.2';
const CABLE_V6 = 'fd00:19::2';

const PREFIX = 'poplin-bench-';

let count = 0;

/** Removes what benches left behind that were killed: namespaces named after a process that is gone. */
export function sweepRigs(): void {
  for (const name of listNamespaces()) {
    const owner = name.startsWith(PREFIX) ? /^\d+/.exec(name.slice(PREFIX.length))?.[0] : undefined;
    if (owner !== undefined && processIdentity(Number(owner)) === undefined) deleteNamespace(name);
  }
}

export class Rig {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  static async make(): Promise<Rig> {
    const rig = new Rig(`${PREFIX}${process.pid}-${++count}`);
    try {
      await rig.#build();
    } catch (error) {
      rig.remove();
      throw error;
    }
    return rig;
  }

  get targetNetns(): string {
    return namespacePath(`${this.#name}-target`);
  }

  get trafficNetns(): string {
    return namespacePath(`${this.#name}-traffic`);
  }

  remove(): void {
    deleteNamespace(`${this.#name}-target`);
    deleteNamespace(`${this.#name}-traffic`);
  }

  async #build(): Promise<void> {
    createNamespace(`${this.#name}-target`);
    createNamespace(`${this.#name}-traffic`);
    const peer = ['peer', 'name', 'b0', 'netns', `${this.#name}-traffic`];
    await this.#ip('target', ['link', 'add', 'b0', 'type', 'veth', ...peer]);
    for (const [side, v4, v6] of [
      ['target', TARGET_V4, TARGET_V6],
      ['traffic', CABLE_V4, CABLE_V6],
    ] as const) {
      await this.#ip(side, ['link', 'set', 'lo', 'up']);
      await this.#ip(side, ['address', 'add', `${v4}/24`, 'dev', 'b0']);
      await this.#ip(side, ['address', 'add', `${v6}/64`, 'dev', 'b0', 'nodad']);
      await this.#ip(side, ['link', 'set', 'b0', 'up']);
    }
    await this.#stations();
  }

  /**
   * The stations' addresses: 10.19.0.3 and on are on the cable (eBGP wants its neighbours there), 10.20.0.0/16 and
   * fd00:20::/64 are behind it, as many as one likes, and cost the target one neighbour entry.
   */
  async #stations(): Promise<void> {
    await this.#ip('target', ['route', 'add', '10.20.0.0/16', 'via', CABLE_V4]);
    await this.#ip('target', ['-6', 'route', 'add', 'fd00:20::/64', 'via', CABLE_V6]);
    await this.#ip('traffic', ['route', 'add', 'local', '10.20.0.0/16', 'dev', 'lo']);
    await this.#ip('traffic', ['-6', 'route', 'add', 'local', 'fd00:20::/64', 'dev', 'lo']);
    for (let i = 3; i < 3 + ON_CABLE; i++) {
      await this.#ip('traffic', ['address', 'add', `10.19.0.${i}/24`, 'dev', 'b0']);
      await this.#ip('traffic', ['address', 'add', `fd00:19::${i.toString(16)}/64`, 'dev', 'b0', 'nodad']);
    }
  }

  async #ip(side: 'target' | 'traffic', args: readonly string[]): Promise<void> {
    await run('ip', args, { netns: namespacePath(`${this.#name}-${side}`) });
  }
}

/** How many stations may sit on the cable itself. */
export const ON_CABLE = 12;
