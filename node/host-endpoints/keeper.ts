/**
 * Keeps the automatic host endpoints of all nodes, in the one agent that leads: made for nodes that come, changed with
 * them, taken away with nodes that go and when the configuration says so. Two that lead for a moment do each other no harm:
 * both want the same, and write by compare-and-swap.
 *
 * A host without its endpoint is open, so in doubt nothing is taken away: not without a configuration that speaks of host
 * endpoints, not while there is no node at all.
 */
import {
  formatProblem,
  type HostEndpoint,
  type Kind,
  type Problem,
  type Resource,
  type ResourceOf,
  validate,
} from '../../api/index.ts';
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';
import type { Log } from '../../daemon/log.ts';
import { Mirror, type ResourceClient, type Store } from '../../datastore/index.ts';
import { isAutomatic, wantedHostEndpoints } from './wanted.ts';

export interface HostEndpointKeeperOptions {
  readonly store: Store;
  readonly client: ResourceClient;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether this agent is the one of the cluster that does such work, at this moment. */
  readonly leads: () => boolean;
}

/** How often it is asked who leads, and what could not be written is tried again. */
const LOOK: Millis = 5_000;

export class HostEndpointKeeper {
  readonly #options: HostEndpointKeeperOptions;
  #mirror: Mirror | undefined;
  #cancel: Cancel = () => undefined;
  #running: Promise<void> = Promise.resolve();
  #due = false;
  #stopped = false;
  #told: ReadonlySet<string> = new Set();

  constructor(options: HostEndpointKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#later();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
    await this.#mirror?.stop();
  }

  #later(): void {
    if (this.#stopped) return;
    this.#cancel = this.#options.clock.after(LOOK, 'look after host endpoints', () => {
      this.#running = this.#look().finally(() => this.#later());
    });
  }

  async #look(): Promise<void> {
    const { store, clock, log, leads } = this.#options;
    if (!leads()) {
      const mirror = this.#mirror;
      this.#mirror = undefined;
      await mirror?.stop();
      return;
    }
    if (this.#mirror === undefined) {
      const kinds = ['KubeControllersConfiguration', 'Node', 'HostEndpoint'];
      this.#mirror = new Mirror(
        store,
        kinds.map((kind) => ({ kind })),
        {
          clock,
          onError: (error) => log.warn({ error: String(error) }, 'host endpoints cannot be followed'),
          // Under the lock of a migration nothing is written.
          onHold: () => undefined,
        },
      );
      this.#mirror.onChange(() => void (this.#due = true));
      this.#mirror.onSync(() => void (this.#due = true));
      this.#mirror.start();
    }
    if (!this.#due || !this.#mirror.synced) return;
    this.#due = false;
    try {
      await this.#reconcile(this.#mirror);
    } catch (error) {
      this.#due = true;
      log.warn({ error: String(error) }, 'host endpoints could not be kept; it is tried again');
    }
  }

  async #reconcile(mirror: Mirror): Promise<void> {
    const config = this.#config(mirror);
    const nodes = this.#all(mirror, 'Node');
    if (config === undefined || nodes.length === 0) return;
    const { endpoints, problems } = wantedHostEndpoints(config, nodes);
    this.#tell(problems);
    const present = new Map(
      this.#all(mirror, 'HostEndpoint')
        .filter(isAutomatic)
        .map((each) => [each.metadata.name, each]),
    );
    for (const wanted of endpoints) {
      if (this.#stopped || !this.#options.leads()) return;
      const held = present.get(wanted.metadata.name);
      present.delete(wanted.metadata.name);
      if (held === undefined) await this.#write('made', wanted);
      else if (!isAsWanted(held, wanted)) await this.#write('changed', wanted);
    }
    for (const { metadata } of present.values()) {
      if (this.#stopped || !this.#options.leads()) return;
      const gone = await this.#options.client.delete('HostEndpoint', metadata.name);
      this.#toldOf('taken away', metadata.name, gone.ok ? [] : gone.problems);
    }
  }

  /** One of that name that is somebody's own stays as it is. */
  async #write(what: 'made' | 'changed', wanted: HostEndpoint): Promise<void> {
    const { client } = this.#options;
    const { name } = wanted.metadata;
    const found = await client.get('HostEndpoint', name);
    if (found.ok && !isAutomatic(found.value)) return;
    const written = found.ok
      ? await client.update({
          ...found.value,
          metadata: { ...found.value.metadata, labels: wanted.metadata.labels ?? {} },
          // Profiles and ports are as people may have made them since.
          spec: { ...wanted.spec, ...kept(found.value) },
        })
      : await client.create(wanted);
    this.#toldOf(what, name, written.ok ? [] : written.problems);
  }

  #toldOf(what: string, name: string, problems: readonly Problem[]): void {
    const { log } = this.#options;
    if (problems.length === 0) {
      log.info({ hostEndpoint: name }, `an automatic host endpoint was ${what}`);
      return;
    }
    // Others were quicker, or it cannot be written: the next look sees.
    this.#due = true;
    for (const problem of problems) log.warn({ hostEndpoint: name }, formatProblem(problem));
  }

  #config(mirror: Mirror): Parameters<typeof wantedHostEndpoints>[0] | undefined {
    const [config] = this.#all(mirror, 'KubeControllersConfiguration');
    const said = config?.spec.controllers.node?.hostEndpoint;
    return said?.autoCreate === undefined ? undefined : said;
  }

  /** Of thousands of nodes few change between two looks: each value is checked once. */
  readonly #checked = new WeakMap<object, Resource | undefined>();

  #all<K extends Kind>(mirror: Mirror, kind: K): readonly ResourceOf<K>[] {
    return mirror.entries({ kind }).flatMap(({ value }) => {
      if (typeof value !== 'object' || value === null) return [];
      if (!this.#checked.has(value)) {
        const read = validate(value);
        this.#checked.set(value, read.ok ? read.value : undefined);
      }
      return as(kind, this.#checked.get(value)) ?? [];
    });
  }

  #tell(problems: readonly Problem[]): void {
    const texts = new Set(problems.map(formatProblem));
    for (const text of texts) if (!this.#told.has(text)) this.#options.log.warn({}, text);
    this.#told = texts;
  }
}

function kept({ spec: { profiles, ports } }: HostEndpoint): Partial<HostEndpoint['spec']> {
  return { ...(profiles === undefined ? {} : { profiles }), ...(ports === undefined ? {} : { ports }) };
}

function isAsWanted(held: HostEndpoint, wanted: HostEndpoint): boolean {
  return ours(held) === ours(wanted);
}

/** What is ours to say of it. */
function ours({ metadata, spec }: HostEndpoint): string {
  const labels = Object.entries(metadata.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([labels, spec.node, spec.interfaceName, spec.expectedIPs]);
}

function as<K extends Kind>(kind: K, resource: Resource | undefined): ResourceOf<K> | undefined {
  return resource?.kind === kind ? (resource as ResourceOf<K>) : undefined;
}
