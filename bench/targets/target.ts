/** What can be measured: a router as a file of configuration and a command. */
import type { IpVersion, Plan, Station } from '../traffic/plan.ts';

export interface Target {
  /** As in `--target` and in tables. */
  readonly name: string;
  /** What it is, for people: `BIRD 2.0.12`. Undefined: not installed. */
  version(): Promise<string | undefined>;
  /** The Debian package that has it. */
  readonly debian?: string;
  /** Files to write into the folder of the run, by name. */
  files(plan: Plan, folder: string): Readonly<Record<string, string>>;
  command(plan: Plan, folder: string): readonly [string, ...string[]];
  /** A process of ours in Node, started with `stall-probe.ts`, which reports stalls of its event loop. */
  readonly probed?: boolean;
}

export const ROUTER_ID = '10.19.0.1';

/** The same AS on both ends: all of ours are clients of a reflector then. */
export function isInternal({ target }: Plan, station: Station): boolean {
  return station.asn === target.asn;
}

export function familyWord(version: IpVersion): 'ipv4' | 'ipv6' {
  return version === 4 ? 'ipv4' : 'ipv6';
}
