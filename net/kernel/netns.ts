/**
 * Network namespaces by path, and named ones as `ip netns` makes them: a file in /run/netns on which the
 * namespace is bind-mounted.
 *
 * The calls here change the namespace of the *calling thread*, synchronously, and change it back before they
 * return. A child process started in between would inherit the wrong one, so {@link inNamespace} takes
 * synchronous functions only; to run a program elsewhere give `netns` to `run()`.
 */
import { closeSync, mkdirSync, openSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { PoplinError } from '../../api/problem.ts';
import { isKernelError } from './errors.ts';
import {
  CLONE_NEWNET,
  lockExclusive,
  MS_BIND,
  MS_REC,
  MS_SHARED,
  mount,
  setns,
  unmount,
  unshare,
} from './libc.ts';

const DIRECTORY = '/run/netns';
const OWN = '/proc/thread-self/ns/net';

/** `/run/netns/a1` for `a1`. Throws on names that `ip netns` would refuse. */
export function namespacePath(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name) || Buffer.byteLength(name) > 255)
    throw new PoplinError([
      {
        code: 'NETNS_NAME_INVALID',
        what: `${JSON.stringify(name)} cannot name a network namespace`,
        remedy: 'use a name without slashes, of 1 to 255 bytes',
        value: name,
      },
    ]);
  return `${DIRECTORY}/${name}`;
}

/**
 * Runs `fn` with this thread inside the namespace at `path`, and comes back whatever `fn` does.
 *
 * Sockets opened inside stay in that namespace. Costs some microseconds.
 *
 * @throws KernelError when the namespace cannot be entered; the error of the file system when `path` is gone
 */
export function inNamespace<T>(path: string, fn: () => T): T {
  const target = openSync(path, 'r');
  try {
    const home = openSync(OWN, 'r');
    try {
      setns(target, CLONE_NEWNET);
      try {
        return synchronous(fn());
      } finally {
        goHome(home);
      }
    } finally {
      closeSync(home);
    }
  } finally {
    closeSync(target);
  }
}

function synchronous<T>(value: T): T {
  if (value instanceof Promise)
    throw new TypeError('inNamespace: the function is asynchronous; its later half would run elsewhere');
  return value;
}

/** A thread that cannot go back would do every later piece of work in a stranger's namespace: worse than ending. */
function goHome(home: number): void {
  try {
    setns(home, CLONE_NEWNET);
  } catch (error) {
    process.stderr.write(`cannot return from a network namespace: ${String(error)}\n`);
    process.abort();
  }
}

/**
 * Creates the named namespace, its loopback still down.
 *
 * @returns its path
 * @throws KernelError with EEXIST when the name is taken, EPERM without privilege
 */
export function createNamespace(name: string): string {
  const path = namespacePath(name);
  prepareDirectory();
  try {
    closeSync(openSync(path, 'wx', 0o000));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    throw new PoplinError([
      {
        code: 'NETNS_EXISTS',
        what: `a network namespace named "${name}" exists already`,
        remedy: `choose another name, or remove it with: ip netns delete ${name}`,
        value: name,
      },
    ]);
  }
  const home = openSync(OWN, 'r');
  try {
    unshare(CLONE_NEWNET);
    try {
      mount(OWN, path, 'none', MS_BIND);
    } finally {
      goHome(home);
    }
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(home);
  }
  return path;
}

/**
 * /run/netns must be a shared mount of its own, so that other mount namespaces see names come and go; the lock
 * keeps two processes from stacking two mounts (as in iproute2's netns_add).
 */
function prepareDirectory(): void {
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o755 });
  const fd = openSync(DIRECTORY, 'r');
  try {
    lockExclusive(fd);
    try {
      mount('', DIRECTORY, 'none', MS_SHARED | MS_REC);
    } catch (error) {
      if (!isKernelError(error, 'EINVAL')) throw error;
      mount(DIRECTORY, DIRECTORY, 'none', MS_BIND | MS_REC);
      mount('', DIRECTORY, 'none', MS_SHARED | MS_REC);
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * Removes the name. The namespace itself goes when the last process, socket or mount in it is gone.
 *
 * @returns false when there was no such name
 */
export function deleteNamespace(name: string): boolean {
  const path = namespacePath(name);
  try {
    unmount(path);
  } catch (error) {
    // A file that is not mounted on is what a crash between creating and mounting leaves.
    if (!isKernelError(error, 'EINVAL', 'ENOENT')) throw error;
  }
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** The names in /run/netns, sorted. */
export function listNamespaces(): string[] {
  try {
    return readdirSync(DIRECTORY).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Equal for two paths exactly when they lead to the same namespace. Default: this thread's. */
export function namespaceIdentity(path: string = OWN): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}
