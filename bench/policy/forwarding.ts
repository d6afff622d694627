/**
 * Scenario (e): what policies on other endpoints cost a packet. Two workloads talk through a router namespace that Poplin
 * guards; the others exist in its rules only. The kernel's own TCP makes the packets: one a segment, without offloads, so
 * that each walks the rules by itself.
 *
 * All routers stand at once, and short streams through them take turns: what else runs on the machine meets all alike, and
 * medians leave it out. Processor time of a packet is told beside packets a second, since others can take away the one and
 * hardly the other.
 */
import { createNamespace, deleteNamespace, namespacePath, run } from '../../net/kernel/index.ts';
import { join } from 'node:path';
import { quantile } from './stats.ts';
import type { Streamed } from './stream.ts';
import { type BackendName, bring, openPipeline } from './subject.ts';
import { addressesOf, interfaceOf, worldOf } from './world.ts';

export interface Forwarded {
  readonly policies: number;
  /** Of one connection, whole packets from the one workload to the other; the median of all streams. */
  readonly packetsPerSecond: number;
  /** Of both workloads and the router between them; the median of all streams. */
  readonly cpuMicrosPerPacket: number;
}

/** Three namespaces, the middle one with a policy for others. */
interface Path {
  readonly policies: number;
  readonly router: string;
  readonly ends: readonly [string, string];
}

export async function forwarding(
  backend: BackendName,
  policies: readonly number[],
  rounds: number,
  seconds: number,
): Promise<readonly Forwarded[]> {
  const paths = policies.map((count): Path => {
    const id = `poplin-bench-${process.pid}-forward-${count}`;
    return { policies: count, router: `${id}-router`, ends: [`${id}-0`, `${id}-1`] };
  });
  const names = paths.flatMap(({ router, ends }) => [router, ...ends]);
  for (const name of names) createNamespace(name);
  try {
    for (const path of paths) {
      await wire(path);
      const pipeline = await openPipeline(backend, namespacePath(path.router));
      await bring(pipeline, othersAndTwo(path.policies));
      pipeline.close();
    }
    const streams = new Map(paths.map((path): [Path, Stream[]] => [path, []]));
    for (let round = 0; round < rounds; round++)
      for (const path of turned(paths, round)) streams.get(path)?.push(await stream(path, seconds));
    return [...streams].map(([path, all]) => ({
      policies: path.policies,
      packetsPerSecond: quantile(
        all.map(({ rate }) => rate),
        0.5,
      ),
      cpuMicrosPerPacket: quantile(
        all.map(({ micros }) => micros),
        0.5,
      ),
    }));
  } finally {
    for (const name of names) deleteNamespace(name);
  }
}

/** Another one begins each time, so that nobody always follows the same. */
function turned(paths: readonly Path[], round: number): readonly Path[] {
  const first = round % paths.length;
  return [...paths.slice(first), ...paths.slice(0, first)];
}

/** The two that talk, whom no policy selects, and others, whom all of them do. */
function othersAndTwo(policies: number): ReturnType<typeof worldOf> {
  const others = worldOf({ local: 2 + Math.min(policies, 500), remote: 0, policies });
  return [
    ...worldOf({ local: 2, remote: 0, policies: 0 }),
    ...others.filter(({ value }) => !concerns(value)),
  ];
}

/** Policies that select one of the two. */
function concerns(value: unknown): boolean {
  const text = JSON.stringify(value);
  return text.includes('"selector":"app == \'a0\'"') || text.includes('"selector":"app == \'a1\'"');
}

async function wire({ router: name, ends }: Path): Promise<void> {
  const router = namespacePath(name);
  for (const [index, end] of ends.entries()) {
    const link = interfaceOf(index);
    const { 4: address } = addressesOf(index);
    await batch(router, [
      `link add ${link} type veth peer name eth0 netns ${end}`,
      `link set ${link} up gso_max_segs 1 gro_max_size 1500`,
      `address add 169.254.1.1/32 dev ${link}`,
      `route add ${address}/32 dev ${link} scope link`,
    ]);
    await batch(namespacePath(end), [
      'link set lo up',
      'link set eth0 up gso_max_segs 1',
      `address add ${address}/32 dev eth0`,
      'route add 169.254.1.1 dev eth0 scope link',
      'route add default via 169.254.1.1 dev eth0',
    ]);
  }
  await run('sysctl', ['-qw', 'net.ipv4.ip_forward=1'], { netns: router });
}

async function batch(netns: string, commands: readonly string[]): Promise<void> {
  await run('ip', ['-batch', '-'], { netns, stdin: `${commands.join('\n')}\n` });
}

interface Stream {
  readonly rate: number;
  readonly micros: number;
}

/** Sends for a while; the interface's counter says how many packets that were. */
async function stream({ ends: [from, to] }: Path, seconds: number): Promise<Stream> {
  const program = join(import.meta.dirname, 'stream.ts');
  const flags = ['--disable-warning=ExperimentalWarning', program];
  const { 4: address } = addressesOf(1);
  const sink = run(process.execPath, [...flags, 'sink', address], { netns: namespacePath(to) });
  await listening(namespacePath(to));
  const source = await run(process.execPath, [...flags, 'source', address, String(seconds)], {
    netns: namespacePath(from),
  });
  const [sent, received] = [source, await sink].map(({ stdout }) => JSON.parse(stdout) as Streamed);
  if (sent === undefined || received === undefined) throw new Error('a stream has two ends');
  const cpu = sent.cpuSeconds / sent.seconds + received.cpuSeconds / received.seconds;
  const rate = sent.packets / sent.seconds;
  return { rate, micros: (cpu / rate) * 1e6 };
}

/** Until somebody listens in the namespace. */
async function listening(netns: string): Promise<void> {
  for (;;) {
    const { stdout } = await run('ss', ['-Hltn'], { netns });
    if (stdout !== '') return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
