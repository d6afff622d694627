/** What an assignment goes by beside blocks and handles: pools, reservations, settings. */
import type { IPAMConfiguration, IPPool, IPReservation } from '../api/index.ts';
import type { Clock } from '../clock/clock.ts';
import { Mirror, type MirrorOptions, type Store } from '../datastore/index.ts';
import type { Cooldown } from './cooldown.ts';
import { Records } from './records.ts';
import { type IPAMConfig, type IpamSettings, Reservations, readSettings, settingsOf } from './settings.ts';

export interface Facts {
  readonly pools: readonly IPPool[];
  readonly reservations: Reservations;
  readonly settings: IpamSettings;
  /** Read from the store for whoever goes by them. */
  readonly isFresh: boolean;
}

/** For whoever only gives back. */
export const NO_FACTS: Facts = {
  pools: [],
  reservations: new Reservations([]),
  settings: settingsOf(undefined, undefined),
  isFresh: true,
};

export interface FactsSource {
  /** As known without asking, where that can be; then at most as old as a watch event takes to arrive. */
  read(): Promise<Facts>;
  /** As {@link read}, where the settings are all that counts. */
  settings(): Promise<IpamSettings>;
  /** As the store has them now: nobody is refused an address for what was true a moment ago. */
  fresh(): Promise<Facts>;
}

/** For {@link Records}. */
export function cooldownBy(facts: FactsSource, clock: Clock): () => Promise<Cooldown> {
  return async () => ({ seconds: (await facts.settings()).ipCooldownSeconds, now: clock.wall() });
}

/** Asks each time. For programs that ask once. */
export class StoredFacts implements FactsSource {
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  async read(): Promise<Facts> {
    return this.fresh();
  }

  async settings(): Promise<IpamSettings> {
    return readSettings(this.#records);
  }

  async fresh(): Promise<Facts> {
    const [pools, reservations, settings] = await Promise.all([
      this.#records.resources<IPPool>('IPPool'),
      Reservations.read(this.#records),
      readSettings(this.#records),
    ]);
    return { pools, reservations, settings, isFresh: true };
  }
}

/** Neighbours in etcd, where a watch takes a stretch of keys: together with IPAMConfig they would enclose every handle. */
const STRETCHES = [['IPAMConfiguration', 'IPPool', 'IPReservation'], ['IPAMConfig']] as const;

/** Follows the store, so that an address costs no read. For daemons, with {@link start} and {@link stop}. */
export class FollowedFacts implements FactsSource {
  readonly #mirrors: readonly Mirror[];
  readonly #stored: StoredFacts;
  #known: Facts | undefined;

  constructor(store: Store, options?: MirrorOptions) {
    this.#stored = new StoredFacts(new Records(store));
    this.#mirrors = STRETCHES.map((kinds) => {
      const selections = kinds.map((kind) => ({ kind }));
      return new Mirror(store, selections, options);
    });
    for (const mirror of this.#mirrors) mirror.onChange(() => (this.#known = undefined));
  }

  /** Resolves once all is known; until then the store is asked. */
  async start(): Promise<void> {
    await Promise.all(
      this.#mirrors.map(async (mirror) => {
        mirror.start();
        return new Promise<void>((resolve) => void mirror.onSync(resolve));
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#mirrors.map(async (mirror) => mirror.stop()));
  }

  async read(): Promise<Facts> {
    if (!this.#mirrors.every(({ synced }) => synced)) return this.#stored.fresh();
    this.#known ??= {
      pools: this.#all('IPPool') as IPPool[],
      reservations: new Reservations(this.#all('IPReservation') as IPReservation[]),
      settings: settingsOf(
        this.#all('IPAMConfig')[0] as IPAMConfig | undefined,
        this.#all('IPAMConfiguration', 'default')[0] as IPAMConfiguration | undefined,
      ),
      isFresh: false,
    };
    return this.#known;
  }

  async settings(): Promise<IpamSettings> {
    if (!this.#mirrors.every(({ synced }) => synced)) return this.#stored.settings();
    return (await this.read()).settings;
  }

  async fresh(): Promise<Facts> {
    return this.#stored.fresh();
  }

  #all(kind: (typeof STRETCHES)[number][number], name?: string): unknown[] {
    return this.#mirrors.flatMap((mirror) =>
      mirror
        .entries({ kind })
        .filter(({ key }) => name === undefined || key.name === name)
        .map(({ value }) => value),
    );
  }
}
