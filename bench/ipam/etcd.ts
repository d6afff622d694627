/** An etcd of the bench's own: one member, every write synced as in production, and what it says of itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_MS = 20_000;

export interface EtcdCost {
  /** Synced writes of the log; several requests may share one. */
  readonly syncs: number;
  readonly syncSeconds: number;
  readonly cpuSeconds: number;
}

export class BenchEtcd {
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #client: number;
  readonly #metrics: number;

  private constructor(folder: string, process: ChildProcess, client: number, metrics: number) {
    this.#folder = folder;
    this.#process = process;
    this.#client = client;
    this.#metrics = metrics;
  }

  /** @param parent  the folder on the file system that is to be measured */
  static async start(parent: string): Promise<BenchEtcd> {
    const folder = mkdtempSync(join(parent, 'poplin-bench-etcd-'));
    const [client, peer, metrics] = [await freePort(), await freePort(), await freePort()];
    const flags = {
      'data-dir': join(folder, 'data'),
      'listen-client-urls': at(client),
      'advertise-client-urls': at(client),
      'listen-peer-urls': at(peer),
      'initial-advertise-peer-urls': at(peer),
      'initial-cluster': `default=${at(peer)}`,
      'listen-metrics-urls': at(metrics),
    };
    // Should the bench be killed, etcd goes with it.
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', 'etcd'].concat(
        Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      ),
      { stdio: 'ignore' },
    );
    let lost: string | undefined;
    child.once('error', (error) => (lost = String(error)));
    child.once('exit', (code, signal) => (lost = `it ended with ${code ?? signal}`));
    const etcd = new BenchEtcd(folder, child, client, metrics);
    const deadline = performance.now() + READY_MS;
    while (!(await etcd.#isHealthy())) {
      if (lost !== undefined || performance.now() > deadline) {
        await etcd.stop();
        throw new Error(
          `etcd did not start in ${folder} (${lost ?? 'no answer'}); to have it: apt-get install etcd-server`,
        );
      }
      await sleep(20);
    }
    return etcd;
  }

  /** @param prefix  a world of its own */
  location(prefix: string): string {
    return `etcd://127.0.0.1:${this.#client}/${prefix}`;
  }

  async cost(): Promise<EtcdCost> {
    const text = await (await fetch(`http://127.0.0.1:${this.#metrics}/metrics`)).text();
    const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
    return {
      syncs: value('etcd_disk_wal_fsync_duration_seconds_count'),
      syncSeconds: value('etcd_disk_wal_fsync_duration_seconds_sum'),
      cpuSeconds: cpuSecondsOf(this.#process.pid),
    };
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = new Promise((resolve) => this.#process.once('exit', resolve));
      if (this.#process.kill('SIGKILL')) await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#metrics}/health`);
      return answer.ok && (await answer.text()).includes('true');
    } catch {
      return false;
    }
  }
}

/** Ticks are hundredths of a second on Linux, whatever the kernel's own clock does (proc(5)). */
function cpuSecondsOf(pid: number | undefined): number {
  const stat = readFileSync(`/proc/${pid ?? 0}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function at(port: number): string {
  return `http://127.0.0.1:${port}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
