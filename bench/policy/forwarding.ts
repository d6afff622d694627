/**
 * Scenario (e): what policies on other endpoints cost a packet. Two workloads talk through a router namespace that Poplin
 * guards; the others exist in its rules only. The kernel's own TCP makes the packets: one a segment, without offloads, so
 * that each walks the rules by itself.
 */
import { createNamespace, deleteNamespace, namespacePath, run } from '../../net/kernel/index.ts';
import { join } from 'node:path';
import { type BackendName, bring, openPipeline } from './subject.ts';
import { addressesOf, interfaceOf, worldOf } from './world.ts';

const CYCLES = 4;
const ROUTER = (id: string) => `${id}-router`;

export interface Forwarded {
  readonly policies: number;
  /** Of one connection, whole packets from the one workload to the other. */
  readonly packetsPerSecond: number;
}

export async function forwarding(
  backend: BackendName,
  policies: readonly number[],
  seconds: number,
): Promise<readonly Forwarded[]> {
  const id = `poplin-bench-${process.pid}-forward`;
  const names = [ROUTER(id), `${id}-0`, `${id}-1`];
  for (const name of names) createNamespace(name);
  try {
    await wire(id);
    const best = new Map(policies.map((count) => [count, 0]));
    // Round robin, and the best of each: what else runs on the machine only ever takes away.
    for (let cycle = 0; cycle < CYCLES; cycle++)
      for (const count of policies) {
        const pipeline = await openPipeline(backend, namespacePath(ROUTER(id)));
        await bring(pipeline, othersAndTwo(count));
        best.set(count, Math.max(best.get(count) ?? 0, await packets(id, seconds / CYCLES)));
        pipeline.close();
      }
    const results = [...best].map(([count, packetsPerSecond]) => ({ policies: count, packetsPerSecond }));
    return results;
  } finally {
    for (const name of names) deleteNamespace(name);
  }
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

async function wire(id: string): Promise<void> {
  const router = namespacePath(ROUTER(id));
  for (const index of [0, 1]) {
    const name = interfaceOf(index);
    const { 4: address } = addressesOf(index);
    const peer = namespacePath(`${id}-${index}`);
    await batch(router, [
      `link add ${name} type veth peer name eth0 netns ${id}-${index}`,
      `link set ${name} up gso_max_segs 1 gro_max_size 1500`,
      `address add 169.254.1.1/32 dev ${name}`,
      `route add ${address}/32 dev ${name} scope link`,
    ]);
    await batch(peer, [
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

/** Sends for a while, and reads from the interface's counter how many packets came out of the router. */
async function packets(id: string, seconds: number): Promise<number> {
  const [from, to] = [namespacePath(`${id}-0`), namespacePath(`${id}-1`)];
  const program = join(import.meta.dirname, 'stream.ts');
  const flags = ['--disable-warning=ExperimentalWarning', program];
  const { 4: address } = addressesOf(1);
  const sink = run(process.execPath, [...flags, 'sink', address], { netns: to });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { stdout } = await run(process.execPath, [...flags, 'source', address, String(seconds)], {
    netns: from,
  });
  await sink;
  return Number(stdout);
}
