/**
 * The processes inside a network namespace, and their end. A namespace that the lab made is as good a mark of
 * ownership as a recorded pid: nothing is in it that was not put there through the lab.
 */
import { readdirSync } from 'node:fs';
import { type ProcessIdentity, isAlive, processIdentity, signal } from '../../daemon/process.ts';
import { namespaceIdentity, namespacePath } from '../../net/kernel/index.ts';

export function membersOf(namespaces: readonly string[]): ProcessIdentity[] {
  const identities = new Set(namespaces.flatMap((name) => identityOf(namespacePath(name)) ?? []));
  // A name that was never mounted on shows the identity of a plain file, which no process is in.
  if (identities.size === 0) return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      const identity = identityOf(`/proc/${pid}/ns/net`);
      return identity !== undefined && identities.has(identity) ? (processIdentity(Number(pid)) ?? []) : [];
    });
}

function identityOf(path: string): string | undefined {
  try {
    return namespaceIdentity(path);
  } catch {
    return undefined;
  }
}

/**
 * Asks every process in the namespaces to end, then insists. Processes that are started meanwhile are found
 * by looking again.
 */
export async function endMembers(namespaces: readonly string[], graceMs = 2000): Promise<void> {
  const asked = membersOf(namespaces);
  for (const member of asked) signal(member, 'SIGTERM');
  const deadline = performance.now() + graceMs;
  while (asked.some(isAlive) && performance.now() < deadline) await pause(20);
  for (let round = 0; round < 50; round++) {
    const left = membersOf(namespaces);
    if (left.length === 0) return;
    for (const member of left) signal(member, 'SIGKILL');
    await pause(20);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
