/**
 * Every test file, in as many mocha processes side by side as there are cores (four at most: each may start routers,
 * stores and kernels of its own). Files that take longest go first, so that no core waits for one of them at the end.
 *
 * Tests of different files therefore run at the same time: names of namespaces, ports and paths are a file's own.
 */
import { spawn } from 'node:child_process';
import { globSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const ROOMS =
  'api,bench,bgpd,cli,clock,cni-plugin,containerlab,daemon,datastore,felix-lite,ipam,net,node,test';
const MOST_JOBS = 4;

/** Folders whose files wait for real parts, the slowest first; the order within one is by size, a fair guess of length. */
const SLOWEST_FIRST = [
  'test/routes/',
  'test/felix/',
  'test/interop/',
  'test/cni/',
  'test/kubernetes/',
  'test/',
];

function rank(file: string): number {
  const at = SLOWEST_FIRST.findIndex((folder) => file.startsWith(folder));
  return at === -1 ? SLOWEST_FIRST.length : at;
}

const files = globSync(`{${ROOMS}}/**/*.test.ts`, { cwd: ROOT })
  .filter((file) => !file.includes('node_modules/'))
  .map((file) => ({ file, size: statSync(join(ROOT, file)).size }))
  .sort((a, b) => rank(a.file) - rank(b.file) || b.size - a.size)
  .map(({ file }) => file);

const jobs = Math.min(availableParallelism(), MOST_JOBS);
const mocha = spawn(
  join(ROOT, 'node_modules', '.bin', 'mocha'),
  ['--parallel', '--jobs', String(jobs), ...files],
  {
    cwd: ROOT,
    stdio: 'inherit',
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => mocha.kill(signal));
mocha.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 130)));
