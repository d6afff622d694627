/**
 * The node agent: `node node/main.ts --node N --datastore PATH --run-dir DIR`.
 * Runs bgpd and felix-lite, serves the CNI plugin, says how the node is.
 */
import { join } from 'node:path';
import { fail, formatProblem, ok, type Result } from '../api/index.ts';
import { NODE_FLAGS } from '../bgpd/daemon/node-flags.ts';
import { seconds } from '../clock/clock.ts';
import { SystemClock } from '../clock/system.ts';
import { createLog } from '../daemon/log.ts';
import { parseDaemonOptions } from '../daemon/options.ts';
import { onShutdown } from '../daemon/process.ts';
import { Agent } from './agent.ts';
import type { DaemonSpec } from './supervisor.ts';

const ROOT = join(import.meta.dirname, '..');

/** What Node itself is told. */
const FLAGS: Readonly<Record<string, readonly string[]>> = { bgpd: NODE_FLAGS };

const SCRIPTS: Readonly<Record<string, string>> = {
  bgpd: join(ROOT, 'bgpd', 'daemon', 'main.ts'),
  felix: join(ROOT, 'felix-lite', 'daemon', 'main.ts'),
};

/** `--policy-wait SECONDS` bounds ADD's wait for felix-lite; `--daemons bgpd,felix` or `none` says what to run. */
const EXTRA = ['policy-wait', 'daemons'] as const;
const POLICY_WAIT = '10';
const DAEMONS = 'bgpd,felix';

/** Children get five seconds to end, each; then the store closes. */
const STOP_WITHIN_MS = 15_000;

const options = parseDaemonOptions(process.argv.slice(2), process.env, EXTRA);
const policyWait = options.ok ? parseSeconds(options.value.extra['policy-wait'] ?? POLICY_WAIT) : options;
const names = options.ok ? parseDaemons(options.value.extra.daemons ?? DAEMONS) : options;
if (!options.ok || !policyWait.ok || !names.ok) {
  const wrong = [options, policyWait, names].find((result) => !result.ok);
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
  daemons: names.value.map(specFor),
  clock: new SystemClock(),
  log,
});
onShutdown((signal) => {
  log.info({ signal }, 'stopping');
  return agent.stop();
}, STOP_WITHIN_MS);
await agent.start();
log.info({ node, datastore, runDir }, 'serving');

function specFor(name: string): DaemonSpec {
  return {
    name,
    nodeFlags: FLAGS[name] ?? [],
    script: SCRIPTS[name] ?? name,
    args: ['--node', node, '--datastore', datastore, '--run-dir', runDir, '--log-level', logLevel],
  };
}

function parseSeconds(text: string): Result<number> {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return ok(value);
  return fail({
    code: 'OPTION_INVALID',
    field: '--policy-wait',
    value: text,
    what: `${JSON.stringify(text)} is not a number of seconds`,
    remedy: `use 0 or more, as in --policy-wait ${POLICY_WAIT}`,
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
