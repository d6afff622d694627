/**
 * The traffic program: every session of a run but the target's own ends, in one process. Started by the bench with a
 * channel; told a plan, it opens the sessions and says `ready`; told to go, it plays and says `done`.
 */
import { sceneOf, type Scene } from './acts.ts';
import type { FromTraffic, Plan, ToTraffic, TrafficResult } from './plan.ts';
import { TrafficSession } from './session.ts';
import { Tally } from './tally.ts';

/** How long to wait for End-of-RIB after the last session stands. Some targets gather what they tell a new peer. */
const END_OF_RIB_MS = 12_000;
const SETTLE_MS = 300;
/** Calls at one time: BIRD's listen queue holds 8, and what overflows it waits for seconds. */
const AT_ONCE = 5;

class Traffic {
  readonly #plan: Plan;
  readonly sessions: readonly TrafficSession[];
  #scene: Scene | undefined;
  #condition: (() => boolean) | undefined;
  #fulfilled: (() => void) | undefined;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.sessions = plan.stations.map((station) => {
      const { first, count } = station.expects ?? { first: 0, count: 0 };
      const tally = new Tally(plan.version, first, count);
      return new TrafficSession(plan, station, tally, {
        established: () => this.#look(),
        received: () => this.#look(),
        lost: (session, reason) => this.#lost(session, reason),
      });
    });
  }

  /** Opens all sessions, waits until the target has nothing more to say, and sets the scene. */
  async prepare(): Promise<void> {
    const { sessions } = this;
    for (const [i, session] of sessions.entries()) {
      session.open();
      const before = sessions[i - AT_ONCE + 1];
      if (before !== undefined) await this.until(() => before.established);
    }
    await this.until(() => sessions.every(({ established }) => established));
    const late = new Promise((resolve) => setTimeout(resolve, END_OF_RIB_MS).unref());
    await Promise.race([late, this.until(() => sessions.every(({ tally }) => tally.ended))]);
    for (const session of sessions) session.patient = false;
    const stage = { plan: this.#plan, sessions, until: (condition: () => boolean) => this.until(condition) };
    this.#scene = sceneOf(stage);
    await this.#scene.prepare();
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }

  async play(): Promise<TrafficResult> {
    const [out, into, entries] = [this.#octetsOut(), this.#octetsIn(), this.#entriesIn()];
    const cpu = process.cpuUsage();
    const from = performance.now();
    const latenciesMs = await this.#scene?.play();
    const seconds = (performance.now() - from) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    return {
      seconds,
      ...(latenciesMs === undefined ? {} : { latenciesMs }),
      cpuSeconds: (user + system) / 1e6,
      octetsOut: this.#octetsOut() - out,
      octetsIn: this.#octetsIn() - into,
      entriesIn: this.#entriesIn() - entries,
    };
  }

  until(condition: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#condition = condition;
    this.#fulfilled = resolve;
    this.#look();
    return promise;
  }

  /** For the report of a run that did not end. */
  progress(): string {
    const waiting = this.sessions.filter(({ station }) => station.expects !== undefined);
    const up = this.sessions.filter(({ established }) => established).length;
    const present = waiting.map(({ tally }) => tally.present);
    return `${up} of ${this.sessions.length} sessions stood, receivers had ${Math.min(...present)} to ${Math.max(...present)} prefixes`;
  }

  #look(): void {
    if (this.#condition?.() !== true) return;
    this.#condition = undefined;
    this.#fulfilled?.();
  }

  #lost({ station }: TrafficSession, reason: string): void {
    fail(`the session of ${station.address} ended: ${reason}`, this.progress());
  }

  #octetsOut(): number {
    return this.sessions.reduce((sum, session) => sum + session.octetsOut, 0);
  }

  #octetsIn(): number {
    return this.sessions.reduce((sum, session) => sum + session.octetsIn, 0);
  }

  #entriesIn(): number {
    return this.sessions.reduce((sum, { tally }) => sum + tally.entries, 0);
  }
}

function say(message: FromTraffic): void {
  process.send?.(message);
}

function fail(reason: string, progress: string): void {
  say({ type: 'failed', reason, progress });
}

let traffic: Traffic | undefined;

process.on('message', (message: ToTraffic) => {
  if (message.type === 'plan') {
    const next = new Traffic(message.plan);
    traffic = next;
    next.prepare().then(
      () => say({ type: 'ready' }),
      (error: unknown) => fail(String(error), next.progress()),
    );
  } else if (message.type === 'go')
    traffic?.play().then(
      (result) => say({ type: 'done', result }),
      (error: unknown) => fail(String(error), traffic?.progress() ?? ''),
    );
  else fail(message.reason, traffic?.progress() ?? '');
});
process.on('disconnect', () => process.exit());
