/**
 * `npm run soak -- ipam [--minutes N] [--processes N]`: IPAM on an etcd of its own, under processes that are killed.
 * `npm run soak -- ipam-model [--minutes N]`: interleavings of IPAM and its collector, drawn anew all the time.
 * Both end with 1 and say what they saw when the law was broken.
 * `npm run soak -- kubernetes [--pods N]`: what it costs felix-lite to follow that many pods on a real API server.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EtcdServer } from '../etcd/server.ts';
import { soakIpam } from '../ipam/soak.ts';
import { kubernetesLoad } from '../kubernetes/load.ts';

const USAGE =
  'usage: npm run soak -- ipam|ipam-model [--minutes N] [--processes N]\n       npm run soak -- kubernetes [--pods N]\n';

/** Interleavings per process of the test runner: then a fresh one, so that memory stays what it is. */
const RUNS_AT_ONCE = 2_000;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      minutes: { type: 'string', default: '1' },
      processes: { type: 'string', default: '20' },
      pods: { type: 'string', default: '20000' },
    },
  });
  const minutes = Number(values.minutes);
  const processes = Number(values.processes);
  const pods = Number(values.pods);
  if (!(minutes > 0) || !Number.isInteger(processes) || processes < 1 || !Number.isInteger(pods) || pods < 1)
    return usage();
  switch (positionals.join()) {
    case 'ipam':
      return ipam(minutes, processes);
    case 'ipam-model':
      return ipamModel(minutes);
    case 'kubernetes':
      return kubernetesLoad(pods);
    default:
      return usage();
  }
}

function usage(): number {
  process.stderr.write(USAGE);
  return 2;
}

async function ipam(minutes: number, processes: number): Promise<number> {
  const etcd = new EtcdServer();
  await etcd.start();
  try {
    const { broken, ...figures } = await soakIpam({
      location: `etcd://${etcd.endpoint}/soak`,
      processes,
      ms: minutes * 60_000,
      killEveryMs: 500,
    });
    const { attached, detached, refused, busy, kills, collected } = figures;
    process.stdout.write(
      `${processes} processes, ${minutes} min: ${attached} attached, ${detached} detached, ${refused} refused for want of addresses, ${busy} told to try again, ${kills} killed, ${collected} leaked addresses collected\n`,
    );
    process.stdout.write(broken.length === 0 ? 'no double, no leak\n' : `${broken.join('\n')}\n`);
    return broken.length === 0 ? 0 : 1;
  } finally {
    await etcd.remove();
  }
}

function ipamModel(minutes: number): number {
  const root = join(import.meta.dirname, '..', '..');
  const end = performance.now() + minutes * 60_000;
  let runs = 0;
  while (performance.now() < end) {
    const { status } = spawnSync(
      join(root, 'node_modules', '.bin', 'mocha'),
      [
        join(root, 'ipam', 'gc', 'law.test.ts'),
        join(root, 'ipam', 'interleaving.test.ts'),
        '--grep',
        'holds',
      ],
      {
        cwd: root,
        stdio: 'inherit',
        env: {
          ...process.env,
          POPLIN_IPAM_GC_RUNS: String(RUNS_AT_ONCE),
          POPLIN_IPAM_RUNS: String(RUNS_AT_ONCE),
        },
      },
    );
    if (status !== 0) return 1;
    runs += 4 * RUNS_AT_ONCE;
  }
  process.stdout.write(`${runs} interleavings: the law held in all\n`);
  return 0;
}

process.exitCode = await main();
