/**
 * `npm run bench -- policy`: from a change in the datastore to the kernel, on each backend, beside the bare tools and bare
 * netlink in the same run. See README.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SCENARIOS, type BenchSize, type Row } from './scenarios.ts';
import { BACKENDS, type BackendName } from './subject.ts';

export const POLICY_USAGE = `usage: npm run bench -- policy [--scenario a,b,c,d,e] [--backend ${BACKENDS.join(',')}] [--scale 0.1]
                              [--rounds 200] [--endpoints 100,1000,10000] [--churn-seconds 60] [--json]

  --scenario       a: first load; b: a pod's label changes; c: a member of a large set; d: 1,000 changes a second;
                   e: packets a second; default: all
  --backend        default: all
  --scale          of endpoints, policies and members; default 1
  --rounds         of b and c; default 200
  --endpoints      of the clusters of b; default 100,1000,10000
  --churn-seconds  of d; default 60
  --json           figures as JSON on stdout`;

/** @throws TypeError when the arguments are not as in the usage */
export async function policyBench(args: readonly string[], machine: object): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string', default: Object.keys(SCENARIOS).join(',') },
      backend: { type: 'string', default: BACKENDS.join(',') },
      scale: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '200' },
      endpoints: { type: 'string', default: '100,1000,10000' },
      'churn-seconds': { type: 'string', default: '60' },
      json: { type: 'boolean', default: false },
    },
  });
  const size: BenchSize = {
    scale: positive('scale', values.scale),
    rounds: positive('rounds', values.rounds),
    clusters: values.endpoints.split(',').map((text) => positive('endpoints', text)),
    churnSeconds: positive('churn-seconds', values['churn-seconds']),
    streamSeconds: 6,
  };
  const rows: Row[] = [];
  for (const letter of values.scenario.split(',')) {
    const scenario = SCENARIOS[letter];
    if (scenario === undefined)
      throw new TypeError(`--scenario ${letter} is none of ${Object.keys(SCENARIOS).join()}`);
    for (const backend of values.backend.split(',')) {
      for (const row of await scenario(backendOf(backend), size)) {
        rows.push(row);
        if (!values.json) console.log(lineOf(row));
      }
    }
  }
  const result = { machine, ...size, rows };
  if (values.json) console.log(JSON.stringify(result, undefined, 2));
  keep(result);
}

function backendOf(name: string): BackendName {
  const backend = BACKENDS.find((each) => each === name);
  if (backend === undefined) throw new TypeError(`--backend ${name} is none of ${BACKENDS.join()}`);
  return backend;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new TypeError(`--${name} ${text} is not above 0`);
  return value;
}

/** `(a) nftables        ms 950  CPU s 1.2  …   ✔ at most 1.3 x the fastest bare tool`. */
export function lineOf({ scenario, backend, figures, target }: Row): string {
  const cells = Object.entries(figures).map(([name, value]) => `${name} ${shown(value)}`);
  const verdict = target === undefined ? '' : `   ${target.met ? '✔' : '✘'} ${target.text}`;
  return `(${scenario}) ${backend}`.padEnd(34) + cells.join('  ') + verdict;
}

/** Three digits that count. */
function shown(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function keep(result: object): void {
  const folder = join(import.meta.dirname, '..', 'results');
  mkdirSync(folder, { recursive: true });
  const name = `policy-${new Date().toISOString().replaceAll(':', '-')}.json`;
  writeFileSync(join(folder, name), `${JSON.stringify(result, undefined, 2)}\n`);
}
