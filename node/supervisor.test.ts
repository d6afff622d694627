import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { SystemClock } from '../clock/system.ts';
import { silent } from '../daemon/log.ts';
import { isAlive, processIdentity, readPidFile } from '../daemon/process.ts';
import { type DaemonSpec, type DaemonStatus, Supervisor } from './supervisor.ts';

const SLEEPER = 'console.log("up", ...process.argv.slice(2)); setInterval(() => {}, 1000);';
const QUITTER = 'process.exit(3);';
/** Of ten milliseconds, for what comes at once, unless the machine is busy. */
const TRIES = 6000;

describe('supervisor', function () {
  this.timeout(120_000);
  let runDir = '';
  let spec: DaemonSpec;
  const supervisors: Supervisor[] = [];

  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), 'poplin-supervisor-'));
    spec = daemon('bgpd', SLEEPER);
  });
  afterEach(async () => {
    await Promise.all(supervisors.splice(0).map((one) => one.stop()));
    rmSync(runDir, { recursive: true });
  });

  function daemon(
    name: string,
    program: string,
    args: readonly string[] = [`--run-dir=${runDir}`],
  ): DaemonSpec {
    const script = join(runDir, `${name}.mjs`);
    writeFileSync(script, program);
    return { name, script, args };
  }

  function start(...specs: DaemonSpec[]): Supervisor {
    const one = new Supervisor(specs, { runDir, clock: new SystemClock(), log: silent });
    supervisors.push(one);
    one.start();
    return one;
  }

  it('starts a daemon with its log in a file, and writes down who it is', async () => {
    const one = start(spec);
    const { pid } = await until(one, 'bgpd', ({ state }) => state === 'running');
    expect(readPidFile(join(runDir, 'bgpd.pid'))?.pid).to.equal(pid);
    for (
      let tries = 0;
      tries < TRIES && !readFileSync(join(runDir, 'log', 'bgpd.log'), 'utf8').includes('up');
      tries++
    )
      await sleep(10);
    expect(readFileSync(join(runDir, 'log', 'bgpd.log'), 'utf8')).to.contain(`up --run-dir=${runDir}`);
  });

  it('restarts a killed daemon at once', async () => {
    const one = start(spec);
    const first = pidOf(await until(one, 'bgpd', ({ state }) => state === 'running'));
    process.kill(first, 'SIGKILL');
    const second = await until(one, 'bgpd', ({ pid }) => pid !== undefined && pid !== first);
    expect(second).to.include({ state: 'running', restarts: 1, adopted: false });
  });

  it('adopts what an earlier agent left running, and restarts it when it ends', async () => {
    const first = start(spec);
    const { pid } = await until(first, 'bgpd', ({ state }) => state === 'running');
    const second = start(spec);
    expect(second.status()['bgpd']).to.deep.equal({ pid, state: 'running', restarts: 0, adopted: true });
    // The agent that started it is "gone": only the second one may act now.
    supervisors.splice(supervisors.indexOf(first), 1);
    first.abandon();
    process.kill(pid ?? 0, 'SIGKILL');
    const status = await until(second, 'bgpd', (now) => now.pid !== undefined && now.pid !== pid);
    expect(status).to.include({ state: 'running', restarts: 1, adopted: false });
  });

  it('finds a daemon whose pid file was never written', async () => {
    const first = start(spec);
    const { pid } = await until(first, 'bgpd', ({ state }) => state === 'running');
    rmSync(join(runDir, 'bgpd.pid'));
    expect(start(spec).status()['bgpd']).to.include({ pid, adopted: true });
    expect(readPidFile(join(runDir, 'bgpd.pid'))?.pid).to.equal(pid);
  });

  it('does not adopt one that runs with other arguments, but ends it', async () => {
    const first = start(spec);
    const pid = pidOf(await until(first, 'bgpd', ({ state }) => state === 'running'));
    const identity = processIdentity(pid);
    first.abandon();
    const second = start({ ...spec, args: ['--datastore=/elsewhere', `--run-dir=${runDir}`] });
    await until(second, 'bgpd', (now) => now.state === 'running' && now.pid !== pid);
    if (identity === undefined) throw new Error('it had ended before');
    for (let tries = 0; tries < TRIES && isAlive(identity); tries++) await sleep(10);
    expect(isAlive(identity)).to.equal(false);
  });

  it('does not let a daemon that fails at once eat the machine', async () => {
    const one = start(daemon('felix', QUITTER));
    const { restarts: before } = await until(one, 'felix', ({ restarts }) => restarts >= 2);
    const began = performance.now();
    await sleep(300);
    // The first restart is immediate, the next come a second later each, or more.
    const more = (one.status()['felix']?.restarts ?? 0) - before;
    expect(more).to.be.at.most(Math.ceil((performance.now() - began) / 1000));
  });

  it('ends every daemon when it is stopped, and starts none again', async () => {
    const one = start(spec, daemon('felix', SLEEPER));
    const pids = [
      pidOf(await until(one, 'bgpd', ({ state }) => state === 'running')),
      pidOf(await until(one, 'felix', ({ state }) => state === 'running')),
    ];
    await one.stop();
    expect(pids.map((pid) => processIdentity(pid))).to.deep.equal([undefined, undefined]);
    expect(one.status()['bgpd']?.state).to.equal('stopped');
    await sleep(100);
    expect(readPidFile(join(runDir, 'bgpd.pid'))).to.equal(undefined);
  });
});

async function until(
  one: Supervisor,
  name: string,
  holds: (status: DaemonStatus) => boolean,
): Promise<DaemonStatus> {
  for (let tries = 0; tries < TRIES; tries++) {
    const status = one.status()[name];
    if (status !== undefined && holds(status)) return status;
    await sleep(10);
  }
  throw new Error(`never: ${JSON.stringify(one.status())}`);
}

function pidOf(status: DaemonStatus): number {
  if (status.pid === undefined) throw new Error('no pid');
  return status.pid;
}
