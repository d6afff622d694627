/**
 * Where kube-apiserver is: in KUBEBUILDER_ASSETS, in PATH, or built once from `test/kube-apiserver/` into `.cache/`, which
 * `bin/test` begins before it does anything else. Building takes minutes of CPU, so nobody builds twice at once.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT } from '../house/sources.ts';

const BUILD = join(ROOT, 'bin', 'kube-apiserver');

type Found = { readonly binary: string } | { readonly missing: string };

let found: Found | undefined;

/** The binary, or why there is none. Tried once: a build that fails would fail again for each file of tests. */
export function findKubeApiserver(): Found {
  return (found ??= find());
}

function find(): Found {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  const folders = [
    ...(assets === undefined ? [] : [assets]),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  const present = folders.map((folder) => join(folder, 'kube-apiserver')).find((path) => existsSync(path));
  if (present !== undefined) return { binary: present };
  // Waits for a build that runs, or builds: the lock is its own.
  const built = spawnSync('sh', [BUILD], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (built.status === 0) return { binary: built.stdout.trim() };
  return { missing: built.stdout.trim() || 'kube-apiserver could not be built' };
}
