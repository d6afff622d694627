/**
 * Keeps the daemons of a node running, and outlives itself: a daemon is started detached, with its log in a
 * file and not in a pipe of ours, so that `kill -9` of the agent touches no daemon. The next agent finds the ones
 * that still run, by pid file or by their command line, and watches them instead of starting others.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readFileSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Cancel, Clock, Millis } from '../clock/clock.ts';
import type { Log } from '../daemon/log.ts';
import {
  type ProcessIdentity,
  isAlive,
  processIdentity,
  readPidFile,
  removePidFile,
  terminate,
  writePidFile,
} from '../daemon/process.ts';

export interface DaemonSpec {
  /** Names its pid file and log. */
  readonly name: string;
  /** The file that Node runs. */
  readonly script: string;
  /** For Node itself, before the script. */
  readonly nodeFlags?: readonly string[];
  /** Must be unique on the machine: a running daemon is recognised by script and arguments. */
  readonly args: readonly string[];
}

export interface DaemonStatus {
  readonly pid: number | undefined;
  readonly state: 'running' | 'restarting' | 'stopped';
  /** Times it ended since the agent started. */
  readonly restarts: number;
  /** True when an earlier agent had started it. */
  readonly adopted: boolean;
}

/** How often an adopted daemon is looked at: nobody tells us when a process that is not our child ends. */
const LOOK_EVERY: Millis = 200;
const FIRST_BACKOFF: Millis = 1000;
const LONGEST_BACKOFF: Millis = 30_000;
/** A daemon that ran this long did not fail at its start; its next restart is immediate again. */
const STEADY_AFTER: Millis = 30_000;
const LOG_LIMIT = 16 * 1024 * 1024;

export interface SupervisorOptions {
  readonly runDir: string;
  readonly clock: Clock;
  readonly log: Log;
}

export class Supervisor {
  readonly #daemons: readonly Daemon[];

  constructor(specs: readonly DaemonSpec[], options: SupervisorOptions) {
    this.#daemons = specs.map((spec) => new Daemon(spec, options));
  }

  /** Adopts what runs, starts what does not. */
  start(): void {
    for (const daemon of this.#daemons) daemon.start();
  }

  status(): Readonly<Record<string, DaemonStatus>> {
    return Object.fromEntries(this.#daemons.map((daemon) => [daemon.spec.name, daemon.status()]));
  }

  /** Watches no more and leaves the daemons running, as a killed agent would. */
  abandon(): void {
    for (const daemon of this.#daemons) daemon.abandon();
  }

  /** Ends every daemon, politely first. */
  async stop(): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon.stop()));
  }
}

class Daemon {
  readonly spec: DaemonSpec;
  readonly #runDir: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pidFile: string;
  readonly #argv: readonly string[];
  #identity: ProcessIdentity | undefined;
  #adopted = false;
  #restarts = 0;
  #startedAt: Millis = 0;
  #backoff: Millis = 0;
  #timer: Cancel | undefined;
  #stopping = false;

  constructor(spec: DaemonSpec, { runDir, clock, log }: SupervisorOptions) {
    this.spec = spec;
    this.#runDir = runDir;
    this.#clock = clock;
    this.#log = log;
    this.#pidFile = join(runDir, `${spec.name}.pid`);
    this.#argv = [
      process.execPath,
      ...process.execArgv,
      ...(spec.nodeFlags ?? []),
      spec.script,
      ...spec.args,
    ];
  }

  status(): DaemonStatus {
    const state = this.#stopping ? 'stopped' : this.#identity === undefined ? 'restarting' : 'running';
    return { pid: this.#identity?.pid, state, restarts: this.#restarts, adopted: this.#adopted };
  }

  start(): void {
    const found = this.#find();
    if (found === undefined) return this.#spawn();
    this.#adopted = true;
    this.#running(found);
    this.#log.info({ daemon: this.spec.name, daemonPid: found.pid }, 'adopted a running daemon');
    this.#look(found);
  }

  abandon(): void {
    this.#stopping = true;
    this.#timer?.();
  }

  async stop(): Promise<void> {
    this.abandon();
    if (this.#identity !== undefined) await terminate(this.#identity, 5000);
    removePidFile(this.#pidFile);
  }

  /** A daemon of the same command line. One that runs with other arguments is none of ours any more, and is ended. */
  #find(): ProcessIdentity | undefined {
    const noted = readPidFile(this.#pidFile);
    if (noted !== undefined && this.#isOurs(noted.pid)) return noted;
    if (noted !== undefined && commandLine(noted.pid).includes(this.spec.script)) {
      this.#log.warn(
        { daemon: this.spec.name, daemonPid: noted.pid },
        'ending a daemon that runs with other arguments',
      );
      void terminate(noted, 5000);
    }
    // An agent killed between starting a daemon and writing its pid file leaves one that only this finds.
    const pids = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
    const pid = pids.find((candidate) => this.#isOurs(candidate));
    return pid === undefined ? undefined : processIdentity(pid);
  }

  #isOurs(pid: number): boolean {
    const running = commandLine(pid);
    return running.length === this.#argv.length && this.#argv.every((part, index) => running[index] === part);
  }

  #spawn(): void {
    this.#adopted = false;
    const log = this.#openLog();
    const child = spawn(process.execPath, this.#argv.slice(1), {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
    });
    closeSync(log);
    child.once('error', (error) => {
      this.#log.error({ daemon: this.spec.name, error: error.message }, 'cannot start the daemon');
      if (child.pid === undefined) this.#ended('it could not be started');
    });
    if (child.pid === undefined) return;
    child.once('exit', (code, signal) => this.#ended(signal ?? `exit code ${code}`));
    // A child that is already gone has no identity; its exit event follows and restarts it.
    const identity = processIdentity(child.pid);
    if (identity === undefined) return;
    this.#running(identity);
    this.#log.info({ daemon: this.spec.name, daemonPid: child.pid }, 'started the daemon');
  }

  #running(identity: ProcessIdentity): void {
    this.#identity = identity;
    this.#startedAt = this.#clock.now();
    writePidFile(this.#pidFile, identity);
  }

  #look(identity: ProcessIdentity): void {
    this.#timer = this.#clock.after(LOOK_EVERY, `look at ${this.spec.name}`, () => {
      if (isAlive(identity)) this.#look(identity);
      else this.#ended('it ended');
    });
  }

  #ended(how: string): void {
    const ranFor = this.#clock.now() - this.#startedAt;
    this.#identity = undefined;
    if (this.#stopping) return;
    this.#restarts++;
    // The first restart is at once: sessions and connections wait for it. A crash loop must not eat the machine.
    if (ranFor >= STEADY_AFTER) this.#backoff = 0;
    const delay = this.#backoff;
    this.#backoff = Math.min(delay === 0 ? FIRST_BACKOFF : delay * 2, LONGEST_BACKOFF);
    this.#log.warn({ daemon: this.spec.name, how, restartInMs: delay }, 'the daemon ended');
    this.#timer = this.#clock.after(delay, `restart ${this.spec.name}`, () => this.#spawn());
  }

  #openLog(): number {
    const folder = join(this.#runDir, 'log');
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${this.spec.name}.log`);
    try {
      if (statSync(path).size > LOG_LIMIT) renameSync(path, `${path}.1`);
    } catch {
      // There is no log yet.
    }
    return openSync(path, 'a', 0o640);
  }
}

/** Arguments of a living process; empty for a dead one, a kernel thread, or one we may not look at. */
function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}
