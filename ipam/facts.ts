/** What an assignment goes by beside blocks and handles: pools, reservations, settings. */
import type { IPAMConfiguration, IPPool, IPReservation } from '../api/index.ts';
import { Mirror, type MirrorOptions, type Store } from '../datastore/index.ts';
import { Records } from './records.ts';
import { type IPAMConfig, type IpamSettings, Reservations, readSettings, settingsOf } from './settings.ts';

export interface Facts {
  readonly pools: readonly IPPool[];
  readonly reservations: Reservations;
  readonly settings: IpamSettings;
  /** Read from the store for whoever goes by them. */
  readonly isFresh: boolean;
}

export interface FactsSource {
  /** As known without asking, where that can be; then at most as old as a watch event takes to arrive. */
  read(): Promise<Facts>;
  /** As the store has them now: nobody is refused an address for what was true a moment ago. */
  fresh(): Promise<Facts>;
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

  async fresh(): Promise<Facts> {
    const [pools, reservations, settings] = await Promise.all([
      this.#records.resources<IPPool>('IPPool'),
      Reservations.read(this.#records),
      readSettings(this.#records),
    ]);
    return { pools, reservations, settings, isFresh: true };
  }
}

const KINDS = ['IPPool', 'IPReservation', 'IPAMConfig', 'IPAMConfiguration'] as const;

/** Follows the store, so that an address costs no read. For daemons, with {@link start} and {@link stop}. */
export class FollowedFacts implements FactsSource {
  readonly #mirror: Mirror;
  readonly #stored: StoredFacts;
  #known: Facts | undefined;

  constructor(store: Store, options?: MirrorOptions) {
    this.#stored = new StoredFacts(new Records(store));
    this.#mirror = new Mirror(
      store,
      KINDS.map((kind) => ({ kind })),
      options,
    );
    this.#mirror.onChange(() => (this.#known = undefined));
  }

  start(): void {
    this.#mirror.start();
  }

  async stop(): Promise<void> {
    await this.#mirror.stop();
  }

  async read(): Promise<Facts> {
    if (!this.#mirror.synced) return this.#stored.fresh();
    this.#known ??= {
      pools: this.#all<IPPool>('IPPool'),
      reservations: new Reservations(this.#all<IPReservation>('IPReservation')),
      settings: settingsOf(
        this.#one('IPAMConfig') as IPAMConfig | undefined,
        this.#one('IPAMConfiguration') as IPAMConfiguration | undefined,
      ),
      isFresh: false,
    };
    return this.#known;
  }

  async fresh(): Promise<Facts> {
    return this.#stored.fresh();
  }

  #all<T>(kind: (typeof KINDS)[number]): T[] {
    return this.#mirror.entries({ kind }).map(({ value }) => value as T);
  }

  #one(kind: (typeof KINDS)[number]): unknown {
    return this.#mirror.get({ kind, scope: '', name: 'default' })?.value;
  }
}
