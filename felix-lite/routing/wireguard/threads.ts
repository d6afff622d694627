/** Threads of the kernel's own for what a device receives (wireguardThreadingEnabled), so that several CPUs decrypt. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '../../../api/index.ts';

const SYSFS = '/sys';

/**
 * @param sysfs  shows the network of the process that mounted it: our own, where we run as a daemon does
 * @returns steps taken, or the problem that there are no such threads (before Linux 5.12)
 */
export function setThreaded(device: string, wanted: boolean, sysfs = SYSFS): number | Problem {
  const file = join(sysfs, 'class', 'net', device, 'threaded');
  const value = wanted ? '1' : '0';
  try {
    if (readFileSync(file, 'utf8').trim() === value) return 0;
    writeFileSync(file, value, { flag: 'r+' });
    return 1;
  } catch (error) {
    return wanted ? unthreaded(device, String(error)) : 0;
  }
}

function unthreaded(device: string, why: string): Problem {
  return {
    code: 'WIREGUARD_UNTHREADED',
    resource: 'FelixConfiguration/default',
    field: 'spec.wireguardThreadingEnabled',
    value: device,
    what: `the kernel has no threads for ${device}: ${why}`,
    remedy: 'switch it off, or use Linux 5.12 or later; packets are encrypted all the same',
  };
}
