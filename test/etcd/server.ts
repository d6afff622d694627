/** A real etcd of the test's own: one member, its data in a folder of its own, on loopback ports that were free. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SmallDisk } from './small-disk.ts';

const READY_MS = 60_000;

export class EtcdServer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'poplin-etcd-'));
  #ports: readonly [client: number, peer: number, metrics: number] | undefined;
  #process: ChildProcess | undefined;
  #log = '';
  readonly #flags: readonly string[];
  readonly #disk: SmallDisk | undefined;

  /**
   * @param flags  etcd's own, added to what it is started with
   * @param disk  for its data
   */
  constructor(flags: readonly string[] = [], disk?: SmallDisk) {
    this.#flags = flags;
    this.#disk = disk;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#ports?.[0] ?? 0}`;
  }

  /** Starts, or starts again on the same data and ports, and returns once it answers. */
  async start(): Promise<void> {
    this.#ports ??= [await freePort(), await freePort(), await freePort()];
    const [client, peer, metrics] = this.#ports;
    const metricsUrl = `http://127.0.0.1:${metrics}`;
    const scheme = this.#flags.some((flag) => flag.startsWith('--cert-file')) ? 'https' : 'http';
    const [clientUrl, peerUrl] = [`${scheme}://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
    const [program, ...before] = [...(this.#disk?.entering ?? []), 'etcd'];
    const child = spawn(program, [
      ...before,
      '--data-dir',
      join(this.#disk?.folder ?? this.#folder, 'data'),
      '--listen-client-urls',
      clientUrl,
      '--advertise-client-urls',
      clientUrl,
      '--listen-peer-urls',
      peerUrl,
      '--initial-advertise-peer-urls',
      peerUrl,
      // Asked for health without TLS, and without being anybody.
      '--listen-metrics-urls',
      metricsUrl,
      '--initial-cluster',
      `default=${peerUrl}`,
      // What is tested is the client; a disk sync per write would only make the tests slow.
      '--unsafe-no-fsync',
      ...this.#flags,
    ]);
    this.#process = child;
    child.stderr.on('data', (text: Buffer) => {
      this.#log = (this.#log + text.toString()).slice(-4000);
    });
    const started = performance.now();
    while (!(await this.#isHealthy())) {
      if (child.exitCode !== null || performance.now() - started > READY_MS) {
        throw new Error(`etcd did not start:\n${this.#log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Resolves when etcd has ended by itself. */
  async ended(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((resolve) => child.once('exit', resolve));
  }

  /** As a crash does: no goodbye to anybody. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#ports?.[2] ?? 0}/health`);
      return answer.ok && (await answer.text()).includes('true');
    } catch {
      return false;
    }
  }
}

/** Below those that the kernel gives to whoever calls (32768 and up). */
const PORTS = { first: 10_000, count: 20_000 } as const;
const given = new Set<number>();

/**
 * A port of 127.0.0.1 for a server that may go away and come back. Never one that a client may be given meanwhile: it would
 * keep the server from its port, and who calls a server that is down may even be given its port and so reach itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listens = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (listens) await new Promise((resolve) => server.close(resolve));
  return listens;
}
