/** One run: one scenario against one target, in namespaces of its own, from nothing to figures. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { costOf, familyPids } from './process-cost.ts';
import { Rig } from './rig.ts';
import type { Scenario } from './scenarios.ts';
import type { Target } from './targets/index.ts';
import type { FromTraffic, Plan, ToTraffic, TrafficResult } from './traffic/plan.ts';

export interface Measured {
  readonly seconds: number;
  readonly latenciesMs?: readonly number[];
  /** Of the target, from the first octet to the last prefix. */
  readonly cpuSeconds: number;
  /** Of the target, since its start. */
  readonly peakBytes: number;
  /** Of the target's event loop, from the first octet to the last prefix; Poplin only. Where flaps are timed, an upper bound. */
  readonly stallMs?: number;
  /** The traffic program in the same time: near `seconds` means that it, and not the target, was measured. */
  readonly traffic: {
    readonly cpuSeconds: number;
    readonly octetsOut: number;
    readonly octetsIn: number;
    readonly entriesIn: number;
  };
}

export type Outcome =
  | { readonly ok: true; readonly measured: Measured }
  | {
      readonly ok: false;
      readonly reason: string;
      /** It was still at it after so long: a lower bound of what it would have taken. */
      readonly gaveUpAfterSeconds?: number;
    };

const TRAFFIC = join(import.meta.dirname, 'traffic/main.ts');
/** Sessions have to stand, and where the act begins with it a table has to be loaded, within this. */
const PREPARE_SECONDS = 120;

export interface RunOptions {
  readonly prepareSeconds?: number;
  /** Ends the run, without figures. */
  readonly signal?: AbortSignal;
}

export async function measure(
  scenario: Scenario,
  target: Target,
  scale: number,
  { prepareSeconds = PREPARE_SECONDS, signal }: RunOptions = {},
): Promise<Outcome> {
  const plan = scenario.plan(scale);
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-'));
  const rig = await Rig.make();
  const router = startTarget(target, plan, folder, rig);
  const traffic = new TrafficProcess(rig);
  router.once('exit', (code, signalled) => traffic.giveUp(`the target ended with ${code ?? signalled}`));
  const abort = (): void => traffic.kill();
  signal?.addEventListener('abort', abort);
  try {
    return await play({ scenario, target, plan, router, traffic, prepareSeconds });
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    const ended = router.exitCode !== null || router.signalCode !== null;
    const reason = `${error.message}${ended ? wordsOf(folder) : ''}`;
    const { gaveUpAfterSeconds } = error;
    return { ok: false, reason, ...(gaveUpAfterSeconds === undefined ? {} : { gaveUpAfterSeconds }) };
  } finally {
    signal?.removeEventListener('abort', abort);
    await Promise.all([traffic.end(), endFamily(router)]);
    rig.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The run has no figures, for a reason that belongs into the table. */
class RunFailure extends Error {
  readonly gaveUpAfterSeconds: number | undefined;

  constructor(reason: string, gaveUpAfterSeconds?: number) {
    super(reason);
    this.gaveUpAfterSeconds = gaveUpAfterSeconds;
  }
}

interface Cast {
  readonly scenario: Scenario;
  readonly target: Target;
  readonly plan: Plan;
  readonly router: ChildProcess;
  readonly traffic: TrafficProcess;
  readonly prepareSeconds: number;
}

async function play({ scenario, target, plan, router, traffic, prepareSeconds }: Cast): Promise<Outcome> {
  const pid = router.pid ?? 0;
  traffic.tell({ type: 'plan', plan });
  await traffic.hear('ready', prepareSeconds);
  // The probe's timer makes the kernel set its own anew for each flap, which costs as much as a third of the flap.
  const probed = target.probed === true && scenario.figure !== 'latency';
  if (probed) await stallOf(router);
  const before = costOf(pid);
  traffic.tell({ type: 'go' });
  const { result } = await traffic.hear('done', scenario.limitSeconds);
  const after = costOf(pid);
  const stallMs = probed ? await stallOf(router) : longestOf(target, result);
  return {
    ok: true,
    measured: measuredOf(result, after.cpuSeconds - before.cpuSeconds, after.peakBytes, stallMs),
  };
}

/** Whoever stalls answers late: no stall was longer than the longest flap. */
function longestOf(target: Target, { latenciesMs }: TrafficResult): number | undefined {
  return target.probed === true && latenciesMs !== undefined ? Math.max(...latenciesMs) : undefined;
}

function measuredOf(
  { seconds, latenciesMs, ...traffic }: TrafficResult,
  cpuSeconds: number,
  peakBytes: number,
  stallMs: number | undefined,
): Measured {
  return {
    seconds,
    cpuSeconds,
    peakBytes,
    ...(latenciesMs === undefined ? {} : { latenciesMs }),
    ...(stallMs === undefined ? {} : { stallMs }),
    traffic,
  };
}

function startTarget(target: Target, plan: Plan, folder: string, rig: Rig): ChildProcess {
  for (const [name, text] of Object.entries(target.files(plan, folder)))
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  const words = openSync(join(folder, 'words'), 'w');
  const stdout = target.probed === true ? 'pipe' : words;
  // Should the bench be killed, the target goes with it. Both helpers exec: the pid is the target's own.
  const helpers = [`--net=${rig.targetNetns}`, '--', 'setpriv', '--pdeathsig', 'KILL', '--'];
  const child = spawn('nsenter', [...helpers, ...target.command(plan, folder)], {
    stdio: ['ignore', stdout, words],
    cwd: folder,
    // Out of the terminal's reach: an interrupt ends the bench, and the bench ends the target.
    detached: true,
  });
  closeSync(words);
  return child;
}

/** Asks the probe in the target (`stall-probe.ts`) for the longest stall since it was last asked. */
async function stallOf(router: ChildProcess): Promise<number> {
  const { stdout } = router;
  if (stdout === null) throw new Error('a probed target writes to a pipe');
  const heard = once(stdout, 'data', { signal: AbortSignal.timeout(10_000) });
  router.kill('SIGUSR2');
  try {
    const [line]: unknown[] = await heard;
    return Number(JSON.parse(String(line)).stallMs);
  } catch {
    throw new RunFailure('the target does not say how long it stalled');
  }
}

/** The beginning of what the target said: what came first is the cause. */
function wordsOf(folder: string): string {
  const lines = readFileSync(join(folder, 'words'), 'utf8').split('\n');
  const words = lines.filter((line) => line.trim() !== '' && !line.startsWith('(')).slice(0, 4);
  return words.length === 0 ? '' : `; it said: ${words.map((line) => line.trim()).join(' | ')}`;
}

/** The traffic program, and the talk with it. */
class TrafficProcess {
  readonly #child: ChildProcess;

  constructor(rig: Rig) {
    this.#child = spawn('nsenter', [`--net=${rig.trafficNetns}`, '--', process.execPath, TRAFFIC], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  tell(message: ToTraffic): void {
    this.#child.send(message);
  }

  /** @throws RunFailure when it says something else, or nothing in time */
  async hear<T extends FromTraffic['type']>(
    type: T,
    withinSeconds: number,
  ): Promise<Extract<FromTraffic, { type: T }>> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.giveUp(`gave up after ${withinSeconds} s`);
    }, withinSeconds * 1000);
    const last = setTimeout(() => this.kill(), withinSeconds * 1000 + 15_000);
    try {
      const message = await this.#next();
      if (message.type === type) return message as Extract<FromTraffic, { type: T }>;
      if (message.type === 'failed') {
        // Before `ready` there is nothing yet whose time it would be.
        const bound = late && type === 'done' ? withinSeconds : undefined;
        throw new RunFailure(`${message.reason} (${message.progress})`, bound);
      }
      throw new Error(`the traffic program said ${message.type} where ${type} was due`);
    } finally {
      clearTimeout(timer);
      clearTimeout(last);
    }
  }

  #next(): Promise<FromTraffic> {
    const { promise, resolve, reject } = Promise.withResolvers<FromTraffic>();
    const ended = (): void => reject(new RunFailure('the traffic program ended'));
    this.#child.once('exit', ended);
    this.#child.once('message', (message) => {
      this.#child.off('exit', ended);
      resolve(message as FromTraffic);
    });
    return promise;
  }

  /** Has it say how far it came instead. */
  giveUp(reason: string): void {
    // It may have ended meanwhile, which is no failure of the bench.
    if (this.#child.connected)
      this.#child.send({ type: 'stop', reason } satisfies ToTraffic, () => undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async end(): Promise<void> {
    await endProcess(this.#child);
  }
}

/** The target and what it started; nothing else. */
async function endFamily(router: ChildProcess): Promise<void> {
  const rest = router.pid === undefined ? [] : familyPids(router.pid).filter((pid) => pid !== router.pid);
  await endProcess(router);
  for (const pid of rest) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It went with its parent.
    }
  }
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
