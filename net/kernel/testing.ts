/**
 * For tests on the real kernel: namespaces of their own, gone afterwards, and a loud word where there is no root.
 */
import { readFileSync } from 'node:fs';
import { createNamespace, deleteNamespace, namespacePath } from './netns.ts';
import { run } from './process.ts';

/** Capability sets come as a hexadecimal mask; 12 is CAP_NET_ADMIN, 21 CAP_SYS_ADMIN. */
function mayMakeNamespaces(): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const needed = (1n << 12n) | (1n << 21n);
  return (BigInt(`0x${mask}`) & needed) === needed;
}

let count = 0;

/** A suite that may create network namespaces; says why when it cannot and counts as pending then. */
export function describeOnKernel(title: string, body: (this: Mocha.Suite) => void): void {
  if (mayMakeNamespaces()) {
    describe(title, body);
    return;
  }
  process.stderr.write(`SKIPPED: ${title}: needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN)\n`);
  describe.skip(title, body);
}

/** A fresh namespace for each test of the suite; the function returned tells its path, or its bare name. */
export function freshNamespace(): {
  path(): string;
  name(): string;
  ip(...args: readonly string[]): Promise<string>;
} {
  let name = '';
  beforeEach(() => {
    name = `poplin-test-${process.pid}-${++count}`;
    createNamespace(name);
  });
  afterEach(() => {
    deleteNamespace(name);
  });
  return {
    path: () => namespacePath(name),
    name: () => name,
    ip: async (...args) => (await run('ip', args, { netns: namespacePath(name) })).stdout,
  };
}

/** The lines of what `ip` shows, without the router preference that it adds to IPv6 routes. */
export function textLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().replace(/ pref medium$/, ''))
    .filter((line) => line !== '');
}
