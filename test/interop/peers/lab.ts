/**
 * Network namespaces joined by veth pairs, for tests with real routers. Names carry the pid, so that runs do not
 * meet; `close` removes all of it, and ends only processes that were started through it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseInterfaceAddress } from '../../../net/addr/index.ts';
import {
  createNamespace,
  deleteNamespace,
  namespacePath,
  Netlink,
  run,
  writeSysctl,
} from '../../../net/kernel/index.ts';

/** A node forwards, and duplicate address detection would keep every address unusable for a second. */
const SWITCHES = [
  ['net.ipv4.ip_forward', 1],
  ['net.ipv6.conf.all.forwarding', 1],
  ['net.ipv6.conf.all.accept_dad', 0],
  ['net.ipv6.conf.default.accept_dad', 0],
] as const;

/** One end of a link: where it is and what it is called there. */
export interface LinkEnd {
  readonly node: string;
  readonly interface: string;
  /** With their lengths, `10.0.0.1/30`. */
  readonly addresses: readonly string[];
}

let count = 0;

export class Lab {
  /** A folder for configurations and sockets; anyone may look in, as FRR's daemons do not run as root. */
  readonly folder: string;
  readonly #prefix: string;
  readonly #nodes = new Set<string>();
  readonly #children = new Set<ChildProcess>();

  constructor() {
    this.#prefix = `poplin-${process.pid}-${++count}-`;
    this.folder = mkdtempSync(join(tmpdir(), this.#prefix));
    chmodSync(this.folder, 0o755);
  }

  /** Makes the node's namespace, with loopback up. */
  async node(name: string): Promise<void> {
    createNamespace(this.#prefix + name);
    this.#nodes.add(name);
    const netns = this.netns(name);
    using netlink = Netlink.open({ netns });
    await netlink.setLink('lo', { up: true });
    for (const [name, value] of SWITCHES) writeSysctl(name, value, netns);
  }

  /** Path of the node's namespace. */
  netns(node: string): string {
    return namespacePath(this.#prefix + node);
  }

  async link(a: LinkEnd, b: LinkEnd): Promise<void> {
    const netns = this.netns(b.node);
    using near = Netlink.open({ netns: this.netns(a.node) });
    using far = Netlink.open({ netns });
    await near.createVeth({ name: a.interface, up: true, peer: { name: b.interface, netns } });
    await far.setLink(b.interface, { up: true });
    for (const { end, netlink } of [
      { end: a, netlink: near },
      { end: b, netlink: far },
    ])
      for (const text of end.addresses) {
        const given = parseInterfaceAddress(text);
        if (given === undefined) throw new Error(`not an address with its length: ${text}`);
        await netlink.addAddress(end.interface, given.address, given.prefix.length, {
          noDuplicateDetection: true,
        });
      }
  }

  /** Runs a program in the node to its end. @returns what it wrote */
  async run(node: string, file: string, args: readonly string[]): Promise<string> {
    return (await run(file, args, { netns: this.netns(node) })).stdout;
  }

  /** Starts a program in the node; `close` ends it, unless {@link kill} did. */
  start(
    node: string,
    file: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
  ): ChildProcess {
    const child = spawn('nsenter', [`--net=${this.netns(node)}`, file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    // Pipes left unread would fill and stop the daemon.
    child.stdout.resume();
    child.stderr.resume();
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  async kill(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    // One that was stopped does not see SIGTERM before it goes on.
    child.kill('SIGCONT');
    child.kill(signal);
    await gone;
  }

  /** For signals that do not end a process: SIGSTOP, SIGCONT. */
  signal(child: ChildProcess, signal: NodeJS.Signals): void {
    child.kill(signal);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.kill(child)));
    for (const name of this.#nodes) deleteNamespace(this.#prefix + name);
    this.#nodes.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
