/**
 * `npm run bench -- ipam`: addresses a second on a real etcd, beside a compare-and-swap for each address as Calico does
 * it and beside what etcd gives the same client by itself. See README.md for how to read what it prints.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { coldStart } from './cold-start.ts';
import { BenchEtcd } from './etcd.ts';
import { type Load, type Rate, Session } from './measure.ts';
import { BARE, ONE_BY_ONE, POPLIN, prepare } from './peers.ts';
import { type Comparison, linesOf, type Section, tableOf, verdictsOf } from './verdict.ts';

export const IPAM_USAGE = `usage: npm run bench -- ipam [--nodes 1,10,100] [--callers 1,10] [--seconds 2] [--disk tmpfs,disk] [--json] [--quiet]

  --nodes    of the cluster, each with a connection of its own; default 1,10,100
  --callers  at once on each node; default 1,10
  --seconds  to measure for, each peer under each load; default 2
  --disk     where etcd has its data: tmpfs (/dev/shm), disk (the folder for temporary files); default both
  --json     figures as JSON on stdout
  --quiet    no line for each measurement`;

const DISKS: Readonly<Record<string, string>> = { tmpfs: '/dev/shm', disk: tmpdir() };
const COLD_NODES = 100;
const COLD_PODS = 50;

/** @throws TypeError when the arguments are not as in the usage */
export async function ipamBench(args: readonly string[], machine: object): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: 'string', default: '1,10,100' },
      callers: { type: 'string', default: '1,10' },
      seconds: { type: 'string', default: '2' },
      disk: { type: 'string', default: 'tmpfs,disk' },
      json: { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
    },
  });
  const loads = numbers('nodes', values.nodes).flatMap((nodes) =>
    numbers('callers', values.callers).map((callers): Load => ({ nodes, callers })),
  );
  const [seconds = 2] = numbers('seconds', values.seconds);
  const sections: Section[] = [];
  for (const disk of values.disk.split(',')) {
    const parent = DISKS[disk];
    if (parent === undefined) throw new TypeError(`--disk ${disk} is neither tmpfs nor disk`);
    const section = await runOn(disk, parent, loads, seconds, values.quiet ? () => {} : console.error);
    if (!values.json) console.log(`\n${tableOf(section)}`);
    sections.push(section);
  }
  const verdicts = sections.flatMap(verdictsOf);
  if (!values.json) console.log(`\n${linesOf(verdicts)}`);
  const result = { machine, seconds, sections, verdicts };
  if (values.json) console.log(JSON.stringify(result, undefined, 2));
  keep(result);
}

const ROUNDS = 3;

async function runOn(
  disk: string,
  parent: string,
  loads: readonly Load[],
  seconds: number,
  tell: (line: string) => void,
): Promise<Section> {
  const etcd = await BenchEtcd.start(parent);
  try {
    const comparisons: Comparison[] = [];
    for (const load of loads) {
      const rates = await compare(etcd, load, `load-${comparisons.length}`, seconds);
      for (const { peer, perSecond } of rates)
        tell(`  (${disk}, ${load.nodes} × ${load.callers}) ${peer}: ${perSecond.toFixed(0)} a second`);
      comparisons.push({ ...load, rates });
    }
    await prepare(etcd.location('cold'));
    return { disk, comparisons, coldStart: await coldStart(etcd.location('cold'), COLD_NODES, COLD_PODS) };
  } finally {
    await etcd.stop();
  }
}

/** Peers take turns, so that a busy minute of the machine hits all alike. */
async function compare(etcd: BenchEtcd, load: Load, world: string, seconds: number): Promise<Rate[]> {
  const sessions: Session[] = [];
  try {
    for (const [i, peer] of [BARE, ONE_BY_ONE, POPLIN].entries()) {
      const location = etcd.location(`${world}-${i}`);
      await prepare(location);
      sessions.push(await Session.open(peer, load, etcd, location));
    }
    for (let turn = 0; turn < ROUNDS; turn++)
      for (const session of sessions) await session.run(seconds / ROUNDS);
    return sessions.map(({ rate }) => rate);
  } finally {
    await Promise.all(sessions.map(async (session) => session.close()));
  }
}

function numbers(name: string, list: string): number[] {
  return list.split(',').map((word) => {
    const number = Number(word);
    if (!(number > 0)) throw new TypeError(`--${name} ${list} is no list of numbers above 0`);
    return number;
  });
}

/** For comparisons later; the folder is not committed. */
function keep(result: object): void {
  const folder = join(import.meta.dirname, '..', 'results');
  mkdirSync(folder, { recursive: true });
  const name = `ipam-${new Date().toISOString().replaceAll(':', '-')}.json`;
  writeFileSync(join(folder, name), `${JSON.stringify(result, undefined, 2)}\n`);
}
