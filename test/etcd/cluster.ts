/**
 * Three real etcd members, each in a network namespace of its own behind one bridge in another, so that a member can be
 * killed, stopped, or cut off from the other members while clients still reach it. Nothing of it is in the namespace of the
 * test itself, which reaches each member through a Unix socket (`door.ts`). Needs root.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Door } from './door.ts';

const READY_MS = 60_000;
/** Of the kernel's names for links, which take 15 characters. */
const TAG = `pe${process.pid % 100_000}`;
/** Holds the bridge, and what clients come through. */
const SQUARE = `${TAG}-0`;
const BRIDGE = 'square';
/** RFC 2544's range for tests of networks: on no real network. */
const NETWORK = '198.18.0';

export class EtcdCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), 'poplin-etcd-'));
  readonly members: readonly Member[] = [1, 2, 3].map((index) => new Member(index, this.#folder));
  #doors: ChildProcess | undefined;

  /** As a store's location has it. */
  get endpoints(): string {
    return this.members.map(({ endpoint }) => endpoint).join(',');
  }

  async start(): Promise<void> {
    ip('netns', 'add', SQUARE);
    ip('-n', SQUARE, 'link', 'set', 'lo', 'up');
    ip('-n', SQUARE, 'link', 'add', BRIDGE, 'type', 'bridge');
    ip('-n', SQUARE, 'address', 'add', `${NETWORK}.254/24`, 'dev', BRIDGE);
    ip('-n', SQUARE, 'link', 'set', BRIDGE, 'up');
    for (const member of this.members) {
      member.connect();
      member.start(this.members);
    }
    const pairs = this.members.flatMap(({ door, address }) => [door.path, `${address}:2379`]);
    this.#doors = await Door.openAll(SQUARE, pairs);
    for (const { door } of this.members) await door.listen();
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

  /** Hands leadership to another member, as before planned work on one. */
  async moveLeader(): Promise<void> {
    const leader = await this.leader();
    const next = this.members[(this.members.indexOf(leader) + 1) % this.members.length];
    const targetID = await next?.id();
    await leader.ask('v3/maintenance/transfer-leadership', { targetID });
  }

  async remove(): Promise<void> {
    for (const member of this.members) await member.remove();
    this.#doors?.kill('SIGKILL');
    tryIp('netns', 'delete', SQUARE);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class Member {
  readonly name: string;
  readonly address: string;
  readonly door: Door;
  readonly #namespace: string;
  readonly #data: string;
  #process: ChildProcess | undefined;

  constructor(index: number, folder: string) {
    this.name = `m${index}`;
    this.address = `${NETWORK}.${index}`;
    this.door = new Door(join(folder, `${this.name}.sock`));
    this.#namespace = `${TAG}-${index}`;
    this.#data = join(folder, this.name);
  }

  /** Where the test reaches it. */
  get endpoint(): string {
    return this.door.endpoint;
  }

  connect(): void {
    const inside = 'eth0';
    ip('netns', 'add', this.#namespace);
    ip(
      '-n',
      SQUARE,
      'link',
      'add',
      this.name,
      'type',
      'veth',
      'peer',
      'name',
      inside,
      'netns',
      this.#namespace,
    );
    ip('-n', SQUARE, 'link', 'set', this.name, 'master', BRIDGE, 'up');
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
    return (await this.ask('health')).includes('"true"');
  }

  async isLeader(): Promise<boolean> {
    const { header, leader } = await this.#status();
    return leader !== undefined && leader === header?.member_id;
  }

  async id(): Promise<string | undefined> {
    return (await this.#status()).header?.member_id;
  }

  async remove(): Promise<void> {
    await this.kill();
    await this.door.close();
    // Before the namespace, which lives on where another process has it mounted.
    tryIp('-n', SQUARE, 'link', 'delete', this.name);
    tryIp('netns', 'delete', this.#namespace);
  }

  /** Etcd's gateway from HTTP to gRPC. @returns '' when there is no answer */
  async ask(path: string, body?: object): Promise<string> {
    try {
      const signal = AbortSignal.timeout(1000);
      const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      const answer = await fetch(`http://${this.endpoint}/${path}`, { signal, ...post });
      return answer.ok ? await answer.text() : '';
    } catch {
      return '';
    }
  }

  async #status(): Promise<{ header?: { member_id?: string }; leader?: string }> {
    const text = await this.ask('v3/maintenance/status', {});
    return text === '' ? {} : (JSON.parse(text) as { header?: { member_id?: string }; leader?: string });
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
