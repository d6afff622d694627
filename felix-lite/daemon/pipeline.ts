/** calc, rules and dataplane in a row, made from one set of settings. A change of settings makes a new one. */
import type { CalcDelta } from '../calc/model.ts';
import { Calculator, type ResourceChange } from '../calc/calculator.ts';
import type { InterfaceAddresses } from '../calc/local-hosts.ts';
import { type Backend, chooseBackend } from '../dataplane/backend.ts';
import type { Applied, Dataplane, Rest } from '../dataplane/dataplane.ts';
import { openDataplane, ruleTables } from '../dataplane/open.ts';
import { enableForwarding, presentVersions } from '../dataplane/sysctl.ts';
import type { Problem } from '../../api/problem.ts';
import type { Millis } from '../../clock/clock.ts';
import type { RuleTables } from '../rules/tables.ts';
import type { FelixSettings } from './config.ts';
import { type PolicyCounter, policyCounters } from './policy-counters.ts';
import { ReturnPaths } from './return-paths.ts';
import { divideFeed } from './set-feed.ts';

/**
 * Calico's, where the kernel tells of edits: its `iptablesRefreshInterval`, or with ipsets, of whose edits it tells nothing,
 * its `ipsetsRefreshInterval`. It tells nothing at all of the legacy tables.
 */
const REFRESH: Readonly<Record<Backend, Millis>> = { nftables: 180_000, nft: 90_000, legacy: 10_000 };

/** Resources that are read in one turn of the event loop, in a few milliseconds. */
const SLICE = 250;
/** In one part. */
const SLICES = 8;

export interface PipelineOptions {
  readonly node: string;
  readonly settings: FelixSettings;
  /** Path of a network namespace; default: ours. */
  readonly netns: string | undefined;
  /** Somebody else has changed rules of ours in the kernel: time to look. */
  readonly onEdited?: (() => void) | undefined;
}

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #versions: ReturnType<typeof presentVersions>;
  readonly #calculator: Calculator;
  readonly #dataplane: Dataplane;
  readonly #tables: RuleTables;
  /** Endpoints whose rules are part of the state last handed to the dataplane: key to interface. */
  readonly #endpoints = new Map<string, string>();
  readonly #returnPaths: ReturnPaths;
  #changedEndpoints = new Set<string>();
  #isNew = true;
  /** Of the first list, what rules do not depend on: see set-feed.ts. */
  #rest: readonly ResourceChange[] = [];
  /** Comes while that is being taken in, and goes behind it. */
  #waiting: ResourceChange[] | undefined;
  /** How often the kernel is to be read for edits by others, unless the configuration says. */
  readonly refreshMs: Millis;
  readonly backend: Backend;

  static async create(options: PipelineOptions): Promise<Pipeline> {
    const { settings, netns, onEdited } = options;
    const versions = presentVersions(netns).filter((version) => version === 4 || settings.ipv6);
    const backend = await chooseBackend(settings.backend, netns, versions);
    const tables = ruleTables(backend, settings.rules);
    const dataplane = openDataplane(backend, {
      rules: settings.rules,
      tables,
      versions,
      netns,
      maxSetSize: settings.maxSetSize,
      cutDenied: settings.cutDenied,
      onEdited,
    });
    return new Pipeline(options, versions, tables, dataplane, backend.use);
  }

  private constructor(
    options: PipelineOptions,
    versions: ReturnType<typeof presentVersions>,
    tables: RuleTables,
    dataplane: Dataplane,
    backend: Backend,
  ) {
    this.#tables = tables;
    this.backend = backend;
    this.refreshMs = REFRESH[backend];
    const { node, settings } = options;
    this.#options = options;
    this.#returnPaths = new ReturnPaths(options.netns);
    this.#versions = versions;
    this.#calculator = new Calculator({
      node,
      interfacePrefix: settings.rules.interfacePrefix,
      externalNodes: settings.externalNodes,
    });
    this.#dataplane = dataplane;
  }

  get settings(): FelixSettings {
    return this.#options.settings;
  }

  /** All interfaces of the node with their addresses. */
  putInterfaces(interfaces: InterfaceAddresses): void {
    this.#calculator.putInterfaces(interfaces);
  }

  /** The first changes are taken for a list of the whole: what feeds sets alone is put off until rules are on their way. */
  update(changes: readonly ResourceChange[]): void {
    if (this.#waiting !== undefined) this.#waiting.push(...changes);
    else if (this.#isNew && this.#dataplane.takesRest === true) {
      const { first, rest } = divideFeed(changes, this.#options.node);
      this.#calculator.update(first);
      this.#rest = rest;
    } else {
      this.#takeRestAtOnce();
      this.#calculator.update(changes);
    }
    this.#isNew = false;
  }

  /** One pass: everything taken in so far is in the kernel when this resolves without failures. */
  async apply(reread: boolean): Promise<Applied> {
    this.#hand();
    const applied = await (this.#rest.length === 0
      ? this.#dataplane.apply(reread)
      : this.#applyWithRest(reread));
    // After the rules: they look at what the kernel then no longer does.
    if (applied.failures.length === 0) this.#returnPaths.apply(reread);
    // After the rules: a router without them would forward what policy denies.
    if (this.#options.settings.forwarding && applied.failures.length === 0) {
      enableForwarding(this.#versions, this.#options.netns);
    }
    return applied;
  }

  #hand(): void {
    const delta = this.#calculator.take();
    this.#dataplane.update(delta);
    this.#follow(delta);
  }

  async #applyWithRest(reread: boolean): Promise<Applied> {
    this.#waiting = [];
    try {
      return await this.#dataplane.apply(reread, (each) => this.#takeRest(each));
    } finally {
      // Where the dataplane came to no end, the next pass has it.
      this.#takeRestAtOnce();
      const came = this.#waiting;
      this.#waiting = undefined;
      this.#calculator.update(came);
    }
  }

  /** In slices, as the tools that read rules meanwhile have to be fed, and in parts that are worth a write. */
  async #takeRest(each?: Parameters<Rest>[0]): Promise<void> {
    for (let slice = 1; this.#rest.length > 0; slice++) {
      this.#calculator.update(this.#rest.slice(0, SLICE));
      this.#rest = this.#rest.slice(SLICE);
      await new Promise((resolve) => setImmediate(resolve));
      if (slice % SLICES > 0 && this.#rest.length > 0) continue;
      if (each === undefined) this.#hand();
      else await each(() => this.#hand());
    }
  }

  #takeRestAtOnce(): void {
    this.#calculator.update(this.#rest);
    this.#rest = [];
  }

  get endpoints(): ReadonlyMap<string, string> {
    return this.#endpoints;
  }

  /** Those that came, went or changed in what was handed to the dataplane; each is told once. */
  takeChangedEndpoints(): ReadonlySet<string> {
    const changed = this.#changedEndpoints;
    this.#changedEndpoints = new Set();
    return changed;
  }

  get problems(): readonly Problem[] {
    return [...this.#calculator.problems, ...this.#dataplane.problems];
  }

  /** Endpoints of this node under each policy that cannot be enforced as it is written. */
  closed(): ReadonlyMap<string, readonly string[]> {
    return this.#calculator.closed();
  }

  get counts(): object {
    return { needed: this.#calculator.counts, inKernel: this.#dataplane.counts };
  }

  /** What each rule of policies, profiles and tiers has counted in the kernel since it was written there. */
  async counters(): Promise<readonly PolicyCounter[]> {
    return policyCounters(this.#tables, await this.#dataplane.counters(), this.backend);
  }

  /** Lets go of sockets; what is in the kernel stays. */
  close(): void {
    this.#dataplane.close();
  }

  #follow({ endpoints }: CalcDelta): void {
    for (const [key, endpoint] of endpoints) {
      this.#changedEndpoints.add(key);
      const before = this.#endpoints.get(key);
      if (before !== undefined && before !== endpoint?.interfaceName) this.#returnPaths.delete(before);
      if (endpoint !== undefined) {
        const spoofs = this.settings.rules.sourceSpoofing && endpoint.sources !== undefined;
        this.#returnPaths.put(endpoint.interfaceName, spoofs);
      }
      if (endpoint === undefined) this.#endpoints.delete(key);
      else this.#endpoints.set(key, endpoint.interfaceName);
    }
  }
}
