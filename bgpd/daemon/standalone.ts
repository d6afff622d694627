/**
 * The daemon that runs alone: `router.yaml` -> speaker -> kernel, no datastore. The file is read again when asked to; one
 * that is broken changes nothing.
 */
import { formatProblem, ok, type Problem, type Result } from '../../api/problem.ts';
import type { Log } from '../../daemon/log.ts';
import type { ReadRouter, RouterSetup } from '../config/index.ts';
import { formatRouterId } from '../fsm/negotiate.ts';
import { plan, type Plan } from '../speaker/plan.ts';
import type { SpeakerConfig } from '../speaker/config.ts';
import { DynamicPeers } from './dynamic.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { readConfig } from './read-config.ts';

/** What reading the file again came to. */
export interface Reloaded extends Plan {
  /** Fields that count from the next start of the daemon on. */
  readonly waiting: readonly string[];
  readonly warnings: readonly Problem[];
}

export class Standalone {
  readonly engine: Engine;
  readonly dynamic: DynamicPeers;
  readonly synced = true;
  readonly #file: string;
  readonly #log: Log;
  #setup: RouterSetup;
  #warnings: readonly Problem[] = [];
  /** Why the file as it is now is not what runs; empty where it is. */
  #refused: readonly Problem[] = [];

  /** Ready, and silent until {@link begin}. @throws PoplinError where the kernel cannot be read */
  static async open(file: string, read: ReadRouter, options: EngineOptions): Promise<Standalone> {
    let daemon: Standalone | undefined;
    const stranger = (address: string): void => daemon?.dynamic.connected(address);
    daemon = new Standalone(file, read.setup, options.log, await Engine.open({ ...options, stranger }));
    return daemon;
  }

  private constructor(file: string, setup: RouterSetup, log: Log, engine: Engine) {
    this.#file = file;
    this.#log = log;
    this.engine = engine;
    this.#setup = setup;
    this.dynamic = new DynamicPeers({
      clock: engine.clock,
      idle: (name) => this.#isIdle(name),
      changed: () => this.#apply(),
      refused: (address, why) => log.warn({ address }, `connection refused: ${why}`),
    });
  }

  begin({ warnings }: ReadRouter): void {
    this.#apply();
    this.#noteWarnings(warnings);
  }

  get node(): string {
    return formatRouterId(this.#setup.speaker.routerId);
  }

  get problems(): readonly Problem[] {
    return [...this.#refused, ...this.#warnings, ...this.engine.problems];
  }

  /**
   * Reads the file again and becomes what it says, touching only what differs.
   *
   * @param pretend  tell what would happen, and change nothing
   */
  async reload(pretend = false): Promise<Result<Reloaded>> {
    const read = await readConfig(this.#file);
    if (!read.ok) {
      if (!pretend) this.#refuse(read.problems);
      return read;
    }
    const { setup, warnings } = read.value;
    const answer = {
      ...plan(this.#withGuests(this.#setup), this.#withGuests(setup)),
      waiting: waitingFields(this.#setup, setup),
      warnings,
    };
    if (pretend) return ok(answer);
    this.#refused = [];
    this.#setup = {
      ...setup,
      kernelExport: this.#setup.kernelExport,
      controlSocket: this.#setup.controlSocket,
    };
    this.#apply();
    this.#noteWarnings(warnings);
    this.#log.info(summary(answer), `read ${this.#file} again`);
    return ok(answer);
  }

  async stop(how: 'restart' | 'shutdown'): Promise<void> {
    this.dynamic.stop();
    await this.engine.stop(how);
  }

  #apply(): void {
    const { speaker, listen, dynamic } = this.#setup;
    this.dynamic.setRanges(dynamic, new Set(speaker.peers.map(({ session }) => session.peerAddress)));
    this.engine.configure({ ...speaker, peers: [...speaker.peers, ...this.dynamic.peers] }, listen);
  }

  /** As it would be with the guests that are there now. */
  #withGuests({ speaker, dynamic }: RouterSetup): SpeakerConfig {
    const configured = new Set(speaker.peers.map(({ session }) => session.peerAddress));
    return { ...speaker, peers: [...speaker.peers, ...this.dynamic.under(dynamic, configured)] };
  }

  #isIdle(name: string): boolean {
    const neighbour = this.engine.speaker.neighbours.find((each) => each.name === name);
    return neighbour === undefined || (neighbour.negotiated === undefined && neighbour.staleRoutes === 0);
  }

  #refuse(problems: readonly Problem[]): void {
    this.#refused = problems;
    for (const problem of problems) this.#log.error({}, formatProblem(problem));
    this.#log.error({}, `${this.#file} is refused; what runs goes on unchanged`);
  }

  #noteWarnings(warnings: readonly Problem[]): void {
    const known = new Set(this.#warnings.map(formatProblem));
    for (const text of warnings.map(formatProblem)) if (!known.has(text)) this.#log.warn({}, text);
    this.#warnings = warnings;
  }
}

function waitingFields(before: RouterSetup, after: RouterSetup): readonly string[] {
  return (['kernelExport', 'controlSocket'] as const).filter((field) => before[field] !== after[field]);
}

/** For the log: names under what happened to them, without those to whom nothing did. */
function summary({ peers, router, waiting }: Reloaded): object {
  const touched = peers.filter(({ action }) => action !== 'nothing');
  return {
    ...Object.fromEntries(
      Map.groupBy(touched, ({ action }) => action)
        .entries()
        .map(([action, group]) => [action, group.map(({ peer }) => peer)]),
    ),
    ...(router.length === 0 ? {} : { router }),
    ...(waiting.length === 0 ? {} : { waiting }),
  };
}
