/** Speakers that peer with each other on a simulated clock, for tests that read like a network diagram. */
import { SimulatedClock } from '../../../clock/simulated.ts';
import { Address, Prefix } from '../../../net/addr/index.ts';
import { ACCEPT_ALL } from '../../filter/policy.ts';
import { FAMILIES, type Family } from '../../wire/types.ts';
import type { PeerConfig, SpeakerConfig } from '../config.ts';
import type { ForwardingEntry, ForwardingStatus, ForwardingTable, SpeakerEvent } from '../ports.ts';
import { Speaker, type SpeakerOptions } from '../speaker.ts';
import { SimulatedSessions } from './simulated-sessions.ts';

export function address(text: string): Address {
  const parsed = Address.parse(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

export function prefix(text: string): Prefix {
  const parsed = Prefix.parse(text);
  if (parsed === undefined) throw new Error(`${text} is no prefix`);
  return parsed;
}

/** A forwarding table that does what it is told and remembers everything. */
export class RecordingTable implements ForwardingTable {
  readonly entries = new Map<string, string>();
  readonly history: string[] = [];
  readonly completed: Family[] = [];
  /** What an earlier process left. */
  readonly left: Set<string>;

  constructor(left: readonly string[] = []) {
    this.left = new Set(left);
  }

  adopted(family: Family): boolean {
    return [...this.left].some((text) => prefix(text).version === FAMILIES[family].version);
  }

  preserved(family: Family): boolean {
    return this.adopted(family) || this.completed.includes(family);
  }

  set(at: Prefix, entry: ForwardingEntry | undefined): void {
    const text = at.toString();
    this.left.delete(text);
    const value = entry?.type === 'unicast' ? entry.gateways.map(String).join(' ') : entry?.type;
    const asBefore = this.entries.get(text) === value && value !== undefined;
    if (!asBefore) this.history.push(`${text} ${value ?? 'removed'}`);
    if (value === undefined) this.entries.delete(text);
    else this.entries.set(text, value);
  }

  complete(family: Family): void {
    this.completed.push(family);
    for (const text of this.left) {
      if (prefix(text).version !== FAMILIES[family].version) continue;
      this.left.delete(text);
      this.history.push(`${text} removed`);
    }
  }

  status(at: Prefix): ForwardingStatus | undefined {
    return this.entries.has(at.toString()) ? { state: 'installed' } : undefined;
  }
}

export interface Router {
  readonly name: string;
  readonly asn: number;
  readonly address: string;
  readonly speaker: Speaker;
  readonly sessions: SimulatedSessions;
  readonly table: RecordingTable;
  readonly events: SpeakerEvent[];
}

export type PeerExtras = Partial<Omit<PeerConfig, 'session'>> & {
  readonly families?: readonly Family[];
  readonly gracefulRestartSeconds?: number | undefined;
};

export class World {
  readonly clock = new SimulatedClock();

  router(
    name: string,
    asn: number,
    at: string,
    extras: { left?: readonly string[] } & Partial<SpeakerOptions> = {},
  ): Router {
    const { left, ...options } = extras;
    const sessions = new SimulatedSessions(this.clock);
    const table = new RecordingTable(left);
    const events: SpeakerEvent[] = [];
    const onEvent = (event: SpeakerEvent): void => void events.push(event);
    const speaker = new Speaker({ clock: this.clock, sessions, forwarding: table, onEvent, ...options });
    return { name, asn, address: at, speaker, sessions, table, events };
  }

  /** Brings up the session between two routers that have each other configured. */
  connect(a: Router, b: Router): void {
    a.sessions.get(b.name).connect(b.sessions.get(a.name));
    this.settle();
  }

  /** The connection is cut: neither side hears a word. */
  cut(a: Router, b: Router): void {
    a.sessions.get(b.name).lose({ cause: 'connection-lost' }, { cause: 'connection-lost' });
    this.settle();
  }

  settle(): void {
    this.clock.advance(200);
  }
}

export function peerOf(self: Router, other: Router, extras: PeerExtras = {}): PeerConfig {
  const { families, gracefulRestartSeconds, ...rest } = extras;
  const restartSeconds = 'gracefulRestartSeconds' in extras ? gracefulRestartSeconds : 120;
  return {
    session: {
      name: other.name,
      peerAddress: other.address,
      peerPort: 179,
      peerAsn: other.asn,
      localAsn: self.asn,
      routerId: address(self.address).toNumber(),
      localAddress: self.address,
      holdSeconds: 90,
      connectRetrySeconds: 5,
      passive: false,
      families: families ?? ['ipv4-unicast', 'ipv6-unicast'],
      ...(restartSeconds === undefined ? {} : { gracefulRestart: { restartSeconds } }),
    },
    importPolicy: ACCEPT_ALL,
    exportPolicy: ACCEPT_ALL,
    ...rest,
  };
}

export function configOf(
  self: Router,
  peers: readonly PeerConfig[],
  originated: readonly string[] = [],
  extras: Partial<SpeakerConfig> = {},
): SpeakerConfig {
  return {
    asn: self.asn,
    routerId: address(self.address).toNumber(),
    peers,
    originated: originated.map((text) => ({ prefix: prefix(text), kernel: 'blackhole' })),
    addresses: [address(self.address), address(`fd00::${self.address.split('.')[3]}`)],
    ...extras,
  };
}
