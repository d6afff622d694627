/** What a target costs: processor time and memory of a process and all that descend from it, from /proc (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: 100 on every Linux that Debian builds. */
const TICKS_PER_SECOND = 100;

export interface Cost {
  readonly cpuSeconds: number;
  /** The peak resident set of each process (VmHWM), added up. Pages that they share count once for each. */
  readonly peakBytes: number;
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

export function costOf(pid: number): Cost {
  const family = familyOf(pid, readStats());
  return {
    cpuSeconds: family.reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND,
    peakBytes: family.reduce((sum, member) => sum + peakOf(member.pid), 0),
  };
}

/** The process and its living descendants. */
export function familyPids(pid: number): number[] {
  return familyOf(pid, readStats()).map((member) => member.pid);
}

function familyOf(pid: number, stats: readonly Stat[]): Stat[] {
  const family = stats.filter((stat) => stat.pid === pid);
  for (const member of family) family.push(...stats.filter(({ parent }) => parent === member.pid));
  return family;
}

function readStats(): Stat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(Number(name)) ?? []);
}

function statOf(pid: number): Stat | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command name may hold spaces and parentheses; the fields begin after the last one, with the third.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { pid, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
}

function peakOf(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '');
  return Number(line?.[1] ?? 0) * 1024;
}

/** Undefined when the process has ended in between. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
