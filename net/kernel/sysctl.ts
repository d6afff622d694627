/** Kernel parameters under /proc/sys, of this or another network namespace. */
import { readFileSync, writeFileSync } from 'node:fs';
import { inNamespace } from './netns.ts';

/**
 * The file of a parameter. Both spellings of sysctl(8) are understood: the separator that comes first in the
 * name is the separator, so that `net/ipv4/conf/eth0.100/forwarding` means the interface `eth0.100`, as
 * does `net.ipv4.conf.eth0/100.forwarding`.
 */
export function sysctlPath(name: string): string {
  const dotted = /^[^/]*\./.test(name);
  const path = dotted ? name.replace(/[./]/g, (c) => (c === '.' ? '/' : '.')) : name;
  if (path === '' || path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw new RangeError(`not the name of a kernel parameter: ${JSON.stringify(name)}`);
  return `/proc/sys/${path}`;
}

/**
 * The value without its line end, or undefined when this kernel (or interface) has no such parameter.
 *
 * @param netns  path of a network namespace; /proc/sys/net shows the namespace of the thread that looks
 */
export function readSysctl(name: string, netns?: string): string | undefined {
  const path = sysctlPath(name);
  const read = () => {
    try {
      return readFileSync(path, 'utf8').trimEnd();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  };
  return netns === undefined ? read() : inNamespace(netns, read);
}

/** Sets the value. Throws the file system's error: ENOENT (no such parameter), EACCES, EINVAL (value refused). */
export function writeSysctl(name: string, value: string | number, netns?: string): void {
  const path = sysctlPath(name);
  // One write(2) of the whole value: the kernel parses each write by itself.
  const write = () => writeFileSync(path, String(value), { flag: 'r+' });
  if (netns === undefined) write();
  else inNamespace(netns, write);
}
