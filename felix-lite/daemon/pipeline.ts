/** calc, rules and dataplane in a row, made from one set of settings. A change of settings makes a new one. */
import type { CalcDelta } from '../calc/model.ts';
import { Calculator, type ResourceChange } from '../calc/calculator.ts';
import { type Applied, Dataplane } from '../dataplane/dataplane.ts';
import { kernelIpsets } from '../dataplane/ipset/sets.ts';
import { type ChosenBackend, chooseBackend } from '../dataplane/iptables/backend.ts';
import { kernelIptables } from '../dataplane/iptables/table.ts';
import { enableForwarding, presentVersions } from '../dataplane/sysctl.ts';
import { RuleTables } from '../rules/tables.ts';
import type { Problem } from '../../api/problem.ts';
import type { FelixSettings } from './config.ts';

export interface PipelineOptions {
  readonly node: string;
  readonly settings: FelixSettings;
  /** Path of a network namespace; default: ours. */
  readonly netns: string | undefined;
}

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #versions: ReturnType<typeof presentVersions>;
  readonly #calculator: Calculator;
  readonly #dataplane: Dataplane;
  /** Endpoints whose rules are part of the state last handed to the dataplane: key to interface. */
  readonly #endpoints = new Map<string, string>();

  static async create(options: PipelineOptions): Promise<Pipeline> {
    const { settings, netns } = options;
    return new Pipeline(options, await chooseBackend(settings.backend, netns));
  }

  private constructor(options: PipelineOptions, { use, abandon }: ChosenBackend) {
    const { node, settings, netns } = options;
    this.#options = options;
    this.#versions = presentVersions(netns).filter((version) => version === 4 || settings.ipv6);
    this.#calculator = new Calculator({ node, interfacePrefix: settings.rules.interfacePrefix });
    this.#dataplane = new Dataplane({
      rules: new RuleTables(settings.rules),
      versions: this.#versions,
      iptables: kernelIptables({ netns, backend: use }),
      abandoned: abandon === undefined ? undefined : kernelIptables({ netns, backend: abandon }),
      ipset: kernelIpsets({ netns }),
      maxSetSize: settings.maxSetSize,
    });
  }

  update(changes: readonly ResourceChange[]): void {
    this.#calculator.update(changes);
  }

  /** One pass: everything taken in so far is in the kernel when this resolves without failures. */
  async apply(reread: boolean): Promise<Applied> {
    const delta = this.#calculator.take();
    this.#dataplane.update(delta);
    this.#follow(delta);
    const applied = await this.#dataplane.apply(reread);
    // After the rules: a router without them would forward what policy denies.
    if (this.#options.settings.forwarding && applied.failures.length === 0) {
      enableForwarding(this.#versions, this.#options.netns);
    }
    return applied;
  }

  get endpoints(): ReadonlyMap<string, string> {
    return this.#endpoints;
  }

  get problems(): readonly Problem[] {
    return [...this.#calculator.problems, ...this.#dataplane.problems];
  }

  get counts(): object {
    return { needed: this.#calculator.counts, inKernel: this.#dataplane.counts };
  }

  #follow({ endpoints }: CalcDelta): void {
    for (const [key, endpoint] of endpoints) {
      if (endpoint === undefined) this.#endpoints.delete(key);
      else this.#endpoints.set(key, endpoint.interfaceName);
    }
  }
}
