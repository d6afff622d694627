/** A runtime and a node for tests: the real agent in a network namespace, the real executable, as libcni calls it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KINDS, type Resource, unwrap } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { PendingDeletions } from '../../cni-plugin/pending.ts';
import { askControl } from '../../daemon/control.ts';
import { openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import { Ipam } from '../../ipam/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PLUGIN = join(ROOT, 'cni-plugin', 'poplin');

export interface Call {
  readonly command: string;
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifName?: string;
  readonly args?: string;
  readonly conf?: object;
  /** Instead of `conf`. */
  readonly stdin?: string;
  /** CNI_PATH. */
  readonly path?: string;
}

export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  /** Parsed stdout; undefined when there was none. */
  readonly output: Readonly<Record<string, unknown>> | undefined;
}

interface StartOptions {
  readonly datastore?: string;
  /** False: answering is enough. */
  readonly ready?: boolean;
  /** A command that runs the rest of its words. */
  readonly within?: readonly string[];
}

/** One node: its run directory, its store, its agent when it runs. */
export class TestNode {
  readonly folder = mkdtempSync(join(tmpdir(), 'poplin-cni-'));
  readonly runDir = join(this.folder, 'run');
  readonly datastore = join(this.folder, 'datastore.db');
  readonly socket = join(this.runDir, 'agent.sock');
  readonly #hostNetns: string;
  #agent: ChildProcess | undefined;
  #store: Store | undefined;

  constructor(hostNetns: string) {
    this.#hostNetns = hostNetns;
  }

  async apply(...resources: readonly Resource[]): Promise<void> {
    const { client } = await this.open();
    for (const resource of resources) unwrap(await client.apply(resource));
  }

  async open(): Promise<{ readonly client: ResourceClient; readonly ipam: Ipam }> {
    this.#store ??= await openStore(this.datastore);
    const clock = new SystemClock();
    return {
      client: new ResourceClient(this.#store, clock),
      ipam: new Ipam(this.#store, clock, Math.random),
    };
  }

  /** Starts the agent and waits until it works, or only until it answers. */
  async start(options: StartOptions = {}): Promise<void> {
    this.#agent = spawn(
      'nsenter',
      [
        `--net=${this.#hostNetns}`,
        '--',
        ...(options.within ?? []),
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        join(ROOT, 'node', 'main.ts'),
        '--node',
        'n1',
        '--datastore',
        options.datastore ?? this.datastore,
        '--run-dir',
        this.runDir,
        '--daemons',
        'none',
        '--policy-wait',
        '0',
      ],
      { stdio: ['ignore', 'ignore', process.env['POPLIN_TEST_LOG'] === undefined ? 'ignore' : 'inherit'] },
    );
    for (let tries = 0; tries < 2400; tries++) {
      const status = await askControl<{ ready: boolean }>(this.socket, 'GET', '/status');
      if (status.ok && (status.value.ready || options.ready === false)) return;
      await sleep(25);
    }
    throw new Error('the agent did not get ready');
  }

  get pid(): number | undefined {
    return this.#agent?.pid;
  }

  get isRunning(): boolean {
    return this.#agent !== undefined && this.#agent.exitCode === null && this.#agent.signalCode === null;
  }

  /** Takes out of the store whatever was not there at first. */
  async reset(): Promise<void> {
    const { client, ipam } = await this.open();
    const kept = new Set([NODE, ...POOLS].map(({ kind, metadata }) => `${kind}/${metadata.name}`));
    for (const { kind } of KINDS) {
      for (const { metadata } of unwrap(await client.list(kind))) {
        if (!kept.has(`${kind}/${metadata.name}`))
          await client.delete(kind, metadata.name, metadata.namespace);
      }
    }
    await ipam.releaseHost('n1');
    await this.apply(NODE, ...POOLS);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined) return;
    this.#agent = undefined;
    if (agent.exitCode === null && agent.signalCode === null) {
      const ended = once(agent, 'exit');
      agent.kill(signal);
      await ended;
    }
  }

  async remove(): Promise<void> {
    await this.kill();
    await this.#store?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  conf(extra: object = {}): object {
    return { cniVersion: '1.1.0', name: 'net', type: 'poplin', agent_socket: this.socket, ...extra };
  }

  async call(call: Call): Promise<Answer> {
    const env: Record<string, string> = {
      PATH: '/usr/bin:/bin',
      CNI_COMMAND: call.command,
      CNI_PATH: call.path ?? join(ROOT, 'cni-plugin'),
    };
    if (call.containerId !== undefined) env['CNI_CONTAINERID'] = call.containerId;
    if (call.netns !== undefined) env['CNI_NETNS'] = call.netns;
    if (call.ifName !== undefined) env['CNI_IFNAME'] = call.ifName;
    if (call.args !== undefined) env['CNI_ARGS'] = call.args;
    const child = spawn(PLUGIN, [], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    const [stdout, stderr] = [child.stdout, child.stderr].map(collect);
    child.stdin.end(call.stdin ?? JSON.stringify(call.conf ?? this.conf()));
    const [exitCode] = (await once(child, 'close')) as [number];
    const text = stdout?.() ?? '';
    // Runtimes log what comes here, and some take it for a part of the answer. A warning of Node's would be such.
    const stray = stderr?.() ?? '';
    if (stray !== '') throw new Error(`${call.command} wrote to standard error: ${stray}`);
    return {
      exitCode,
      stdout: text,
      output: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>),
    };
  }

  /** Deletions that were promised and not done yet. */
  owed(): number {
    return new PendingDeletions(this.runDir).list().length;
  }
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

export const POOLS: readonly Resource[] = [
  pool('lab-v4', '10.65.0.0/24', 29),
  pool('lab-v6', 'fd00:10:65::/64', 125),
];

export const NODE: Resource = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'Node',
  metadata: { name: 'n1' },
  spec: {},
};

export function pool(name: string, cidr: string, blockSize: number): Resource {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name },
    spec: {
      cidr,
      blockSize,
      natOutgoing: false,
      ipipMode: 'Never',
      vxlanMode: 'Never',
      nodeSelector: 'all()',
      allowedUses: ['Workload'],
      assignmentMode: 'Automatic',
    },
  };
}
