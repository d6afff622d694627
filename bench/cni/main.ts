/**
 * `npm run bench -- cni`: what a call of the plugin costs a runtime, beside Debian's plugins and the kernel's own work in
 * the same run. See README.md for how to read what it prints.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '../../net/kernel/index.ts';
import { FLOOR, SUBJECT } from './peers.ts';
import { type Figures, type Size, tableOf, verdictsOf } from './verdict.ts';

export const CNI_USAGE = `usage: npm run bench -- cni [--rounds 100] [--at-once 50] [--restart 250] [--json]

  --rounds   ADDs and DELs one after another, for each peer; default 100
  --at-once  calls that start together; default 50
  --restart  pods of a node that comes up again; default 250
  --json     figures as JSON on stdout`;

const DEADLINE_MS = 900_000;

/** @throws TypeError when the arguments are not as in the usage */
export async function cniBench(args: readonly string[], machine: object): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '100' },
      'at-once': { type: 'string', default: '50' },
      restart: { type: 'string', default: '250' },
      json: { type: 'boolean', default: false },
    },
  });
  const size: Size = {
    rounds: positive('rounds', values.rounds),
    atOnce: positive('at-once', values['at-once']),
    restart: positive('restart', values.restart),
  };
  const figures = await inItsOwnNamespaces(size);
  const verdicts = verdictsOf(figures, size, SUBJECT, FLOOR);
  const result = { machine, size, figures, verdicts };
  if (values.json) console.log(JSON.stringify(result, undefined, 2));
  else {
    console.log(tableOf(figures, size));
    for (const { target, found, isMet } of verdicts)
      console.log(`${isMet ? 'met   ' : 'MISSED'}  ${target}: ${found}`);
  }
  keep(result);
}

/** Everything that is made lies in these namespaces and ends with them, however the run ends. */
async function inItsOwnNamespaces(size: Size): Promise<Figures[]> {
  const worker = join(import.meta.dirname, 'worker.ts');
  const prepare =
    'mkdir -p /run/netns /var/lib/cni && mount -t tmpfs none /run/netns && mount -t tmpfs none /var/lib/cni && ip link set lo up && exec "$@"';
  const own = [process.execPath, '--disable-warning=ExperimentalWarning'];
  const { stdout } = await run(
    'unshare',
    ['--net', '--mount', '--', 'sh', '-c', prepare, 'sh', ...own, worker, JSON.stringify(size)],
    { deadlineMs: DEADLINE_MS },
  );
  return JSON.parse(stdout) as Figures[];
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0)
    throw new TypeError(`--${name} ${text} is no whole number above 0`);
  return value;
}

/** For comparisons later; the folder is not committed. */
function keep(result: object): void {
  const folder = join(import.meta.dirname, '..', 'results');
  mkdirSync(folder, { recursive: true });
  const name = `cni-${new Date().toISOString().replaceAll(':', '-')}.json`;
  writeFileSync(join(folder, name), `${JSON.stringify(result, undefined, 2)}\n`);
}
