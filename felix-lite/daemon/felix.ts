/**
 * The agent: follows the datastore, keeps the kernel to it, and says what it has done. It touches nothing
 * before it has seen the datastore in full once, and it never flushes: what a predecessor left is compared
 * and kept.
 */
import type { BGPConfiguration, FelixConfiguration, IPPool } from '../../api/index.ts';
import { validate } from '../../api/index.ts';
import { formatProblem, type Problem } from '../../api/problem.ts';
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';
import type { Log } from '../../daemon/log.ts';
import type { MetricsEndpoint } from '../../daemon/metrics-server.ts';
import { type Key, Mirror, type MirrorChange, type Store } from '../../datastore/index.ts';
import { Prefix } from '../../net/addr/index.ts';
import { CALC_KINDS } from '../calc/calculator.ts';
import type { InterfaceAddresses } from '../calc/local-hosts.ts';
import type { Applied } from '../dataplane/dataplane.ts';
import { readSettings } from './config.ts';
import { type EndpointStatus, EndpointStatusFiles } from './endpoint-status.ts';
import type { Explainable, FelixView } from './explain.ts';
import { watchInterfaces } from './interfaces.ts';
import { Pipeline } from './pipeline.ts';
import type { PolicyCounter } from './policy-counters.ts';

export interface FelixOptions {
  readonly node: string;
  readonly store: Store;
  readonly runDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Path of a network namespace to guard; default: the one we run in. */
  readonly netns?: string;
  /** Told where the configuration wants metrics to be read, with every pass. */
  readonly onMetrics?: (endpoint: MetricsEndpoint | undefined) => void;
}

const FIRST_RETRY: Millis = 100;
/** How long what nobody needs any more waits in the kernel to be wanted again, from the last change on. */
const REST: Millis = 10_000;
/** When what was written in haste is compared with what the kernel has made of it. */
const READ_BACK: Millis = 1_000;
const LONGEST_RETRY: Millis = 5_000;
const EDIT_PAUSE: Millis = 20;
const LOOK_AGAIN: Millis = 100;
const TELL_PAUSE: Millis = 200;
const COUNTERS_FRESH: Millis = 1_000;

export interface FelixStatus {
  readonly node: string;
  /** The datastore has been seen in full. */
  readonly synced: boolean;
  /** The kernel held everything at the end of the last pass. */
  readonly ready: boolean;
  /** Of the datastore, as far as it has been followed. */
  readonly revision: string | undefined;
  /** The kernel has been seen to hold the policy of this revision. */
  readonly appliedRevision: string | undefined;
  readonly endpoints: readonly { readonly endpoint: string; readonly interface: string }[];
  readonly passes: number;
  /** Passes that the kernel did not take. */
  readonly failures: number;
  readonly lastPass: { readonly at: string; readonly steps: number; readonly millis: Millis } | undefined;
  readonly lastError: string | undefined;
  readonly counts: object | undefined;
  readonly problems: readonly Problem[];
  /** Policies that cannot be enforced as they are written, with the endpoints of this node that they close. */
  readonly closed: readonly {
    readonly policy: string;
    readonly count: number;
    /** Of a hundred at most. */
    readonly endpoints: readonly string[];
  }[];
}

/** Endpoints that the status names for each policy. */
const NAMED = 100;

export class Felix implements Explainable {
  readonly #options: FelixOptions;
  readonly #mirror: Mirror;
  readonly #files: EndpointStatusFiles;
  #pipeline: Pipeline | undefined;
  #settings = '';
  #refreshMs: Millis = 0;
  #wanted: 'nothing' | 'apply' | 'reread' = 'nothing';
  #running: Promise<void> | undefined;
  #stopped = false;
  #retryMs = FIRST_RETRY;
  #timer: Cancel = () => {};
  #ready = false;
  #editSeen = false;
  #interfaces: InterfaceAddresses = new Map();
  #stopWatching: Promise<Cancel> | undefined;
  /** Workload endpoints whose status files may not be right. */
  #touched = new Set<string>();
  /** As if all of them were touched. */
  #filesUnknown = true;
  #passes = 0;
  #appliedRevision: string | undefined;
  #lastPass: FelixStatus['lastPass'];
  #lastError: string | undefined;
  #failures = 0;
  #counters: { readonly at: Millis; readonly read: Promise<readonly PolicyCounter[]> } | undefined;
  /** As they were told in the log. */
  #toldProblems: ReadonlySet<string> = new Set();
  #tellTimer: Cancel | undefined;

  constructor(options: FelixOptions) {
    this.#options = options;
    this.#files = new EndpointStatusFiles(options.runDir);
    const kinds = [...CALC_KINDS, 'FelixConfiguration', 'BGPConfiguration'];
    this.#mirror = new Mirror(
      options.store,
      kinds.map((kind) => ({ kind })),
      {
        clock: options.clock,
        onError: (error, retryInMs) =>
          options.log.warn(
            { error: String(error), retryInMs },
            'the datastore is out of reach; policy stays as it is',
          ),
        onHold: (held) =>
          options.log.warn(
            {},
            held
              ? 'a migration holds the datastore (datastoreReady is false); policy stays as it is'
              : 'the migration is over; policy follows the datastore again',
          ),
      },
    );
  }

  start(): void {
    this.#stopWatching = watchInterfaces(this.#options.netns, (interfaces) => {
      this.#interfaces = interfaces;
      this.#pipeline?.putInterfaces(interfaces);
      if (this.#pipeline !== undefined) this.#want('apply');
    });
    this.#stopWatching.catch((error: unknown) =>
      this.#options.log.error(
        { error: String(error) },
        'interfaces cannot be watched; host endpoints known by address guard nothing',
      ),
    );
    this.#mirror.onChange((changes) => this.#heard(changes));
    this.#mirror.onSync(() => this.#want('apply'));
    this.#mirror.start();
  }

  /** Leaves the kernel as it is: policy outlives its agent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer();
    this.#tellTimer?.();
    (await this.#stopWatching?.catch(() => undefined))?.();
    await this.#mirror.stop();
    await this.#running;
    this.#pipeline?.close();
  }

  status(): FelixStatus {
    return {
      node: this.#options.node,
      synced: this.#mirror.synced,
      ready: this.#ready,
      revision: this.#mirror.revision,
      appliedRevision: this.#appliedRevision,
      endpoints: [...(this.#pipeline?.endpoints ?? [])].map(([endpoint, name]) => ({
        endpoint,
        interface: name,
      })),
      passes: this.#passes,
      failures: this.#failures,
      lastPass: this.#lastPass,
      lastError: this.#lastError,
      counts: this.#pipeline?.counts,
      problems: this.#pipeline?.problems ?? [],
      closed: [...(this.#pipeline?.closed() ?? [])].map(([policy, endpoints]) => ({
        policy,
        count: endpoints.length,
        endpoints: endpoints.slice(0, NAMED),
      })),
    };
  }

  get node(): string {
    return this.#options.node;
  }

  /**
   * What rules of policies have counted, as the kernel says now. Read no more often than {@link COUNTERS_FRESH} whoever asks:
   * it costs a look at all rules.
   */
  async counters(): Promise<readonly PolicyCounter[]> {
    const now = this.#options.clock.now();
    if (this.#counters === undefined || now - this.#counters.at >= COUNTERS_FRESH)
      this.#counters = { at: now, read: this.#pipeline?.counters() ?? Promise.resolve([]) };
    return this.#counters.read;
  }

  /** Everything that is known, for explanations. */
  resources(): readonly unknown[] {
    return this.#mirror.entries().map(({ value }) => value);
  }

  /** What the kernel is to hold, and whether it is being brought there; undefined before the first pass. */
  view(): FelixView | undefined {
    const pipeline = this.#pipeline;
    if (pipeline === undefined) return undefined;
    const { interfacePrefix, failsafes, endpointToHost, loops } = pipeline.settings.rules;
    const { node, netns } = this.#options;
    return {
      resources: this.resources(),
      view: {
        name: node,
        interfacePrefix,
        interfaces: this.#interfaces,
        failsafes,
        endpointToHost,
        loops: (loops?.cidrs ?? []).flatMap((cidr) => Prefix.parse(cidr) ?? []),
      },
      backend: pipeline.backend,
      netns,
      state: `${this.#mirror.revision ?? ''} ${this.#passes}`,
      moving: this.#running !== undefined || this.#wanted !== 'nothing',
      lastError: this.#lastError,
    };
  }

  pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#options.clock.after(LOOK_AGAIN, 'compare with the kernel again', resolve);
    return promise;
  }

  #heard(changes: readonly MirrorChange[]): void {
    // The first list is read whole when the pipeline is made.
    if (!this.#mirror.synced) return;
    this.#pipeline?.update(changes);
    // A new revision is told even where it changes nothing in the kernel.
    for (const { key } of changes)
      if (key.kind === 'WorkloadEndpoint') this.#touched.add(`${key.scope}/${key.name}`);
    this.#want('apply');
  }

  #want(what: 'apply' | 'reread'): void {
    if (this.#wanted !== 'reread') this.#wanted = what;
    if (this.#stopped || this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    while (this.#wanted !== 'nothing' && !this.#stopped) {
      const reread = this.#wanted === 'reread';
      this.#wanted = 'nothing';
      this.#timer();
      try {
        const { leftover, resting = 0, unseen = false } = await this.#pass(reread);
        this.#tellProblemsSoon();
        this.#retryMs = FIRST_RETRY;
        this.#lastError = undefined;
        this.#ready = true;
        if (leftover > 0) this.#later(FIRST_RETRY, 'remove the sets left', 'apply');
        else if (resting > 0) this.#later(REST, 'remove what is not wanted again', 'apply');
        else if (unseen)
          this.#later(
            Math.min(READ_BACK, this.#refreshMs || READ_BACK),
            'read back what was written',
            'reread',
          );
        else if (this.#refreshMs > 0) this.#later(this.#refreshMs, 'look for edits by others', 'reread');
      } catch (error) {
        this.#ready = false;
        this.#failures++;
        this.#lastError = error instanceof Error ? error.message : String(error);
        this.#options.log.error(
          { error: this.#lastError, retryInMs: this.#retryMs },
          'the kernel did not take the policy',
        );
        this.#later(this.#retryMs, 'try again', 'reread');
        this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY);
        // Changes that come meanwhile are tried with the retry, or at once if they come later than that.
      }
    }
  }

  /** Passes may come a thousand a second, and problems be many. */
  #tellProblemsSoon(): void {
    this.#tellTimer ??= this.#options.clock.after(TELL_PAUSE, 'tell problems', () => {
      this.#tellTimer = undefined;
      this.#tellProblems();
    });
  }

  /** In the log, once when it comes and once when it is gone. */
  #tellProblems(): void {
    const problems = this.#pipeline?.problems ?? [];
    if (problems.length === 0 && this.#toldProblems.size === 0) return;
    const texts = new Map(problems.map((problem) => [formatProblem(problem), problem]));
    for (const [text, { code, resource, field, value }] of texts)
      if (!this.#toldProblems.has(text)) this.#options.log.warn({ code, resource, field, value }, text);
    for (const text of this.#toldProblems)
      if (!texts.has(text)) this.#options.log.info({}, `no longer so: ${text}`);
    this.#toldProblems = new Set(texts.keys());
  }

  /** A pause between two looks: who edits without end shall not have all of our time. */
  #edited(): void {
    if (this.#editSeen || this.#stopped) return;
    this.#editSeen = true;
    this.#options.clock.after(EDIT_PAUSE, 'look at edits by others', () => {
      this.#editSeen = false;
      this.#want('reread');
    });
  }

  #later(delay: Millis, name: string, what: 'apply' | 'reread'): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(delay, name, () => this.#want(what));
  }

  async #pass(reread: boolean): Promise<Applied> {
    const { clock, log } = this.#options;
    const began = clock.now();
    const pipeline = await this.#current();
    const applying = pipeline.apply(reread);
    // What apply() has taken in so far is what it puts into the kernel; later changes wait for the next pass.
    const all = reread || this.#filesUnknown;
    const up = this.#endpointsUp(pipeline, all ? pipeline.endpoints.keys() : this.#takeTouched(pipeline));
    // Until this pass has succeeded.
    this.#filesUnknown = true;
    const { revision } = this.#mirror;
    const applied = await applying;
    const { steps, failures } = applied;
    if (failures.length > 0) {
      throw new AggregateError(
        failures.map(({ error }) => error),
        failures.map(({ version, table, error }) => `IPv${version} ${table}: ${String(error)}`).join('; '),
      );
    }
    if (all) this.#files.reconcile(up);
    else this.#files.update(up);
    this.#filesUnknown = false;
    this.#passes++;
    this.#appliedRevision = revision;
    const millis = Math.round((clock.now() - began) * 10) / 10;
    this.#lastPass = { at: clock.wall().toISOString(), steps, millis };
    if (steps > 0) {
      log.info(
        { steps, millis, endpoints: pipeline.endpoints.size },
        reread ? 'repaired the kernel' : 'the kernel holds the policy',
      );
    }
    return applied;
  }

  #takeTouched(pipeline: Pipeline): ReadonlySet<string> {
    const touched = this.#touched.union(pipeline.takeChangedEndpoints());
    this.#touched = new Set();
    return touched;
  }

  /** Of those endpoints; undefined for one that is not up. */
  #endpointsUp(pipeline: Pipeline, keys: Iterable<string>): ReadonlyMap<string, EndpointStatus | undefined> {
    const up = new Map<string, EndpointStatus | undefined>();
    for (const key of keys) {
      const name = pipeline.endpoints.get(key);
      const slash = key.indexOf('/');
      const entry = this.#mirror.get({
        kind: 'WorkloadEndpoint',
        scope: key.slice(0, slash),
        name: key.slice(slash + 1),
      });
      const isUp = name !== undefined && entry !== undefined;
      up.set(key, isUp ? { status: 'up', interface: name, revision: entry.revision } : undefined);
    }
    return up;
  }

  /** A new one where the settings have changed: it reads the kernel and goes on from there. */
  async #current(): Promise<Pipeline> {
    const { node, netns } = this.#options;
    const settings = readSettings(
      this.#configuration('default'),
      this.#configuration(`node.${node}`),
      this.#pools(),
      this.#bgp(),
    );
    this.#options.onMetrics?.(settings.metrics);
    const text = JSON.stringify({ ...settings, refreshMs: undefined, metrics: undefined });
    if (this.#pipeline !== undefined && text === this.#settings) {
      this.#refreshMs = settings.refreshMs ?? this.#pipeline.refreshMs;
      return this.#pipeline;
    }
    await this.#stopWatching?.catch(() => undefined);
    const pipeline = await Pipeline.create({ node, settings, netns, onEdited: () => this.#edited() });
    // The old one's work stays until the new one's stands; it only lets go of its sockets.
    this.#pipeline?.close();
    // No await between the read of the mirror and the assignment: changes reach either the one or the other.
    pipeline.putInterfaces(this.#interfaces);
    pipeline.update(this.#mirror.entries().map(({ key, value }) => ({ key, value })));
    this.#pipeline = pipeline;
    this.#filesUnknown = true;
    this.#refreshMs = settings.refreshMs ?? pipeline.refreshMs;
    this.#settings = text;
    return pipeline;
  }

  #pools(): readonly IPPool[] {
    return this.#mirror.entries({ kind: 'IPPool' }).flatMap(({ value }) => {
      const read = validate(value);
      return read.ok && read.value.kind === 'IPPool' ? [read.value] : [];
    });
  }

  #bgp(): BGPConfiguration | undefined {
    const entry = this.#mirror.get({ kind: 'BGPConfiguration', scope: '', name: 'default' });
    const read = entry === undefined ? undefined : validate(entry.value);
    return read?.ok === true && read.value.kind === 'BGPConfiguration' ? read.value : undefined;
  }

  #configuration(name: string): FelixConfiguration | undefined {
    const key: Key = { kind: 'FelixConfiguration', scope: '', name };
    const entry = this.#mirror.get(key);
    if (entry === undefined) return undefined;
    const read = validate(entry.value);
    if (read.ok && read.value.kind === 'FelixConfiguration') return read.value;
    this.#options.log.warn({ name }, 'the FelixConfiguration is not valid and is left aside');
    return undefined;
  }
}
