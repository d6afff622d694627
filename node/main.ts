/**
 * The node agent: `node node/main.ts --node N --datastore PATH --run-dir DIR`.
 * Runs bgpd and felix-lite, serves the CNI plugin, says how the node is.
 */
import { join } from 'node:path';
import { fail, formatProblem, ok, type Result } from '../api/index.ts';
import { NODE_FLAGS } from '../bgpd/daemon/node-flags.ts';
import { type Millis, seconds } from '../clock/clock.ts';
import { SystemClock } from '../clock/system.ts';
import { createLog } from '../daemon/log.ts';
import { type MetricsEndpoint, parseMetricsEndpoint, serveMetrics } from '../daemon/metrics-server.ts';
import { parseDaemonOptions } from '../daemon/options.ts';
import { onShutdown } from '../daemon/process.ts';
import { FELIX_FLAGS } from '../felix-lite/daemon/node-flags.ts';
import type { NodeWishes } from './addresses/node-resource.ts';
import { parseWishes, wishTexts } from './addresses/wishes.ts';
import { Agent } from './agent.ts';
import { AGENT_METRICS } from './metrics.ts';
import type { DaemonSpec } from './supervisor.ts';

const ROOT = join(import.meta.dirname, '..');

/** Where the daemons find their sources as Node has read them before: they are there sooner, with 12 MiB less. */
process.env['NODE_COMPILE_CACHE'] ??= join(ROOT, '.cache', 'compile');

/** What Node itself is told. */
const FLAGS: Readonly<Record<string, readonly string[]>> = { bgpd: NODE_FLAGS, felix: FELIX_FLAGS };

const SCRIPTS: Readonly<Record<string, string>> = {
  bgpd: join(ROOT, 'bgpd', 'daemon', 'main.ts'),
  felix: join(ROOT, 'felix-lite', 'daemon', 'main.ts'),
};

/**
 * `--policy-wait SECONDS` bounds ADD's wait for felix-lite; `--daemons bgpd,felix` or `none` says what to run;
 * `--leak-grace-period SECONDS`: how long an address must look leaked before the garbage collector of IPAM frees it, 0 for
 * never, by default as KubeControllersConfiguration says; `--metrics ENDPOINT` (or `POPLIN_NODE_METRICS`): a port for
 * Prometheus; `--ip`, `--ip6`, `--ip-autodetection-method`, `--ip6-autodetection-method`, `--as` (or Calico's environment
 * variables): make this machine's Node, and keep its addresses true, as `poplin node init` does once.
 */
const EXTRA = [
  'policy-wait',
  'daemons',
  'leak-grace-period',
  'metrics',
  'ip',
  'ip6',
  'ip-autodetection-method',
  'ip6-autodetection-method',
  'as',
] as const;
const POLICY_WAIT = '10';
const DAEMONS = 'bgpd,felix';

/** Children get five seconds to end, each; then the store closes. */
const STOP_WITHIN_MS = 15_000;

const options = parseDaemonOptions(process.argv.slice(2), process.env, EXTRA);
const policyWait = options.ok
  ? parseSeconds('--policy-wait', options.value.extra['policy-wait'] ?? POLICY_WAIT)
  : options;
const names = options.ok ? parseDaemons(options.value.extra.daemons ?? DAEMONS) : options;
const leakGrace = options.ok ? parseLeakGrace(options.value.extra['leak-grace-period']) : options;
const metrics = options.ok ? parseMetrics(options.value.extra.metrics) : options;
const addresses = options.ok ? parseAddresses(options.value.extra) : options;
if (!options.ok || !policyWait.ok || !names.ok || !leakGrace.ok || !metrics.ok || !addresses.ok) {
  const wrong = [options, policyWait, names, leakGrace, metrics, addresses].find((result) => !result.ok);
  for (const problem of wrong?.ok === false ? wrong.problems : [])
    process.stderr.write(`${formatProblem(problem)}\n`);
  process.exit(2);
}

const { node, datastore, runDir, logLevel } = options.value;
const log = createLog('node-agent', logLevel);
const agent = new Agent({
  node,
  datastore,
  runDir,
  policyWait: seconds(policyWait.value),
  leakGrace: leakGrace.value,
  addresses: addresses.value,
  daemons: names.value.map(specFor),
  clock: new SystemClock(),
  log,
});
onShutdown((signal) => {
  log.info({ signal }, 'stopping');
  return agent.stop();
}, STOP_WITHIN_MS);
await agent.start();
if (metrics.value !== undefined) await openMetricsPort(metrics.value);
log.info({ node, datastore, runDir }, 'serving');

function specFor(name: string): DaemonSpec {
  return {
    name,
    nodeFlags: FLAGS[name] ?? [],
    script: SCRIPTS[name] ?? name,
    args: ['--node', node, '--datastore', datastore, '--run-dir', runDir, '--log-level', logLevel],
  };
}

/** A port that cannot be had is told in the log: no workload depends on metrics. It is open until the process ends. */
async function openMetricsPort(endpoint: MetricsEndpoint): Promise<void> {
  const served = await serveMetrics(endpoint, AGENT_METRICS, agent.measured);
  if (served.ok) log.info({ address: endpoint.address, port: served.value.port }, 'metrics are served');
  else for (const problem of served.problems) log.error({}, formatProblem(problem));
}

function parseMetrics(text = process.env['POPLIN_NODE_METRICS']): Result<MetricsEndpoint | undefined> {
  return text === undefined || text === '' ? ok(undefined) : parseMetricsEndpoint(text);
}

/** Undefined where neither options nor Calico's variables say a word: the Node is others' to write then. */
function parseAddresses(
  extra: Readonly<Partial<Record<(typeof EXTRA)[number], string>>>,
): Result<NodeWishes | undefined> {
  const given = {
    ip: extra.ip,
    ip6: extra.ip6,
    method: extra['ip-autodetection-method'],
    method6: extra['ip6-autodetection-method'],
    asNumber: extra.as,
  };
  const texts = wishTexts(given, process.env);
  return Object.values(texts).every((text) => text === undefined) ? ok(undefined) : parseWishes(texts);
}

function parseLeakGrace(text: string | undefined): Result<Millis | undefined> {
  if (text === undefined) return ok(undefined);
  const parsed = parseSeconds('--leak-grace-period', text);
  return parsed.ok ? ok(seconds(parsed.value)) : parsed;
}

function parseSeconds(flag: string, text: string): Result<number> {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return ok(value);
  return fail({
    code: 'OPTION_INVALID',
    field: flag,
    value: text,
    what: `${JSON.stringify(text)} is not a number of seconds`,
    remedy: `use 0 or more, as in ${flag} 10`,
  });
}

function parseDaemons(text: string): Result<string[]> {
  const list = text === 'none' ? [] : text.split(',');
  const unknown = list.find((name) => !Object.hasOwn(SCRIPTS, name));
  if (unknown === undefined) return ok(list);
  return fail({
    code: 'OPTION_INVALID',
    field: '--daemons',
    value: text,
    what: `${JSON.stringify(unknown)} is not a daemon that the agent runs`,
    remedy: `use ${Object.keys(SCRIPTS).join(', ')} with commas between, or none`,
  });
}
