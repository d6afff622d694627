/**
 * Three real etcd members, each in a network namespace of its own behind one bridge, so that a member can be killed,
 * stopped, or cut off from the other members while clients still reach it. Needs root.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY_MS = 20_000;
/** Of the kernel's names for links, which take 15 characters. */
const TAG = `pe${process.pid % 100_000}`;
const BRIDGE = `${TAG}br`;
/** RFC 2544's range for tests of networks: on no real network. */
const NETWORK = `198.18.${process.pid % 250}`;

export class EtcdCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), 'poplin-etcd-'));
  readonly members: readonly Member[] = [1, 2, 3].map((index) => new Member(index, this.#folder));

  /** As a store's location has it. */
  get endpoints(): string {
    return this.members.map(({ address }) => `${address}:2379`).join(',');
  }

  async start(): Promise<void> {
    ip('link', 'add', BRIDGE, 'type', 'bridge');
    ip('address', 'add', `${NETWORK}.254/24`, 'dev', BRIDGE);
    ip('link', 'set', BRIDGE, 'up');
    for (const member of this.members) {
      member.connect();
      member.start(this.members);
    }
    await this.healthy();
  }

  /** Waits until all members serve, each of them. */
  async healthy(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    for (const member of this.members) {
      while (!(await member.isHealthy())) {
        if (performance.now() > deadline) throw new Error(`etcd member ${member.name} does not serve`);
        await pause(20);
      }
    }
  }

  /** @param apartFrom  a member that is not asked, and is no answer */
  async leader(apartFrom?: Member): Promise<Member> {
    const deadline = performance.now() + READY_MS;
    while (performance.now() < deadline) {
      for (const member of this.members) {
        if (member !== apartFrom && (await member.isLeader())) return member;
      }
      await pause(20);
    }
    throw new Error('the cluster has no leader');
  }

  async remove(): Promise<void> {
    for (const member of this.members) await member.remove();
    tryIp('link', 'delete', BRIDGE);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class Member {
  readonly name: string;
  readonly address: string;
  readonly #namespace: string;
  readonly #data: string;
  #process: ChildProcess | undefined;

  constructor(index: number, folder: string) {
    this.name = `m${index}`;
    this.address = `${NETWORK}.${index}`;
    this.#namespace = `${TAG}-${index}`;
    this.#data = join(folder, this.name);
  }

  connect(): void {
    const [outside, inside] = [`${TAG}${this.name}`, `${TAG}${this.name}i`];
    ip('netns', 'add', this.#namespace);
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', this.#namespace);
    ip('link', 'set', outside, 'master', BRIDGE, 'up');
    ip('-n', this.#namespace, 'address', 'add', `${this.address}/24`, 'dev', inside);
    ip('-n', this.#namespace, 'link', 'set', inside, 'up');
    ip('-n', this.#namespace, 'link', 'set', 'lo', 'up');
  }

  start(members: readonly Member[]): void {
    const [client, peer] = [`http://${this.address}:2379`, `http://${this.address}:2380`];
    const options: Readonly<Record<string, string>> = {
      name: this.name,
      'data-dir': this.#data,
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': members.map(({ name, address }) => `${name}=http://${address}:2380`).join(','),
      'heartbeat-interval': '50',
      'election-timeout': '500',
    };
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const command = ['netns', 'exec', this.#namespace, 'etcd', ...flags, '--unsafe-no-fsync'];
    this.#process = spawn('ip', command, { stdio: 'ignore' });
  }

  /** `ip netns exec` becomes etcd, so the signal reaches etcd itself. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal);
  }

  /** As a crash does. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  /** From the other members; clients still reach it. */
  partition(): void {
    this.#filter('-A');
  }

  heal(): void {
    this.#filter('-D');
  }

  async isHealthy(): Promise<boolean> {
    return (await this.#ask('health', 'GET')).includes('"true"');
  }

  async isLeader(): Promise<boolean> {
    const text = await this.#ask('v3/maintenance/status', 'POST');
    if (text === '') return false;
    const { header, leader } = JSON.parse(text) as { header?: { member_id?: string }; leader?: string };
    return leader !== undefined && leader === header?.member_id;
  }

  async remove(): Promise<void> {
    await this.kill();
    // Before the namespace, which lives on where another process has it mounted.
    tryIp('link', 'delete', `${TAG}${this.name}`);
    tryIp('netns', 'delete', this.#namespace);
  }

  #filter(operation: '-A' | '-D'): void {
    for (const [chain, port] of [
      ['INPUT', '--sport'],
      ['INPUT', '--dport'],
      ['OUTPUT', '--sport'],
      ['OUTPUT', '--dport'],
    ] as const) {
      const rule = ['iptables', '-w', operation, chain, '-p', 'tcp', port, '2380', '-j', 'DROP'];
      ip('netns', 'exec', this.#namespace, ...rule);
    }
  }

  async #ask(path: string, method: 'GET' | 'POST'): Promise<string> {
    try {
      const signal = AbortSignal.timeout(1000);
      const body = method === 'POST' ? { body: '{}' } : {};
      const answer = await fetch(`http://${this.address}:2379/${path}`, { method, signal, ...body });
      return answer.ok ? await answer.text() : '';
    } catch {
      return '';
    }
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function tryIp(...args: readonly string[]): void {
  try {
    ip(...args);
  } catch {
    // Never made, or gone already.
  }
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
