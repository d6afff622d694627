/**
 * One whole speaker on a simulated wire and clock, with two honest peers and one seat for a hostile one. Honest peers
 * bring known routes; whatever the hostile one does, {@link Arena.check} says whether anybody else has noticed.
 */
import { seconds } from '../../clock/clock.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { ACCEPT_ALL } from '../../bgpd/filter/policy.ts';
import { TcpSessions } from '../../bgpd/speaker/sessions.ts';
import { SimulatedNetwork, type SimulatedOptions } from '../../bgpd/speaker/simulated.ts';
import { Speaker } from '../../bgpd/speaker/speaker.ts';
import type { PeerConfig } from '../../bgpd/speaker/config.ts';
import type { SessionConfig } from '../../bgpd/speaker/session.ts';
import type { Neighbour } from '../../bgpd/speaker/neighbour.ts';
import type { IncomingConnection } from '../../bgpd/speaker/transport.ts';
import {
  FAMILIES,
  encodeUpdates,
  type Family,
  type Negotiated,
  type OpenMessage,
} from '../../bgpd/wire/index.ts';
import { Client } from './client.ts';

export type Kind = 'external' | 'internal' | 'old';

export const SPEAKER = { address: '10.0.0.1', asn: 65101, routerId: 0x0a00_0001 } as const;
export const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

/** Who the hostile peer is: an eBGP or iBGP peer, or an eBGP one that knows 2-octet AS numbers alone. */
export const HOSTILE: Readonly<Record<Kind, { readonly asn: number; readonly address: string }>> = {
  external: { asn: 65001, address: '10.0.9.1' },
  internal: { asn: 65101, address: '10.0.9.2' },
  old: { asn: 65001, address: '10.0.9.3' },
};
const HOSTILE_ROUTER_ID = 0x0a00_0901;

/** Log lines that a peer may cause in a minute: ten warnings (`log-limit.ts`), and room for its ups and downs. */
export const LINES_PER_MINUTE = 40;
export const LONGEST_LINE = 2_000;

export class Arena {
  readonly clock = new SimulatedClock();
  readonly network: SimulatedNetwork;
  readonly speaker: Speaker;
  readonly hostile: Client;
  readonly kind: Kind;
  readonly log: { readonly at: number; readonly peer: string; readonly text: string }[] = [];
  readonly #honest: readonly { readonly client: Client; readonly prefixes: readonly string[] }[];
  readonly #empty: readonly number[];

  /** @param gracefulRestart what the speaker offers to the hostile peer; nothing by default */
  constructor(
    kind: Kind,
    options: SimulatedOptions = {},
    gracefulRestart?: SessionConfig['gracefulRestart'],
  ) {
    this.kind = kind;
    this.network = new SimulatedNetwork(this.clock, options);
    const expected = new Map<string, (incoming: IncomingConnection) => void>();
    const sessions = new TcpSessions({
      clock: this.clock,
      transport: this.network.host(SPEAKER.address),
      random: () => 0.5,
      listener: {
        expect: (address, accept) => {
          expected.set(address, accept);
          return () => expected.delete(address);
        },
      },
      log: (_level, text, peer) => void this.log.push({ at: this.clock.now(), peer, text }),
    });
    this.network.host(SPEAKER.address).accept = (incoming) => {
      const accept = expected.get(incoming.remoteAddress);
      if (accept === undefined) incoming.refuse();
      else accept(incoming);
    };
    this.speaker = new Speaker({ clock: this.clock, sessions });
    this.hostile = this.#client(HOSTILE[kind].address, negotiated(HOSTILE[kind].asn, kind));
    this.#honest = [
      this.#honestPeer('10.0.1.1', 65201, ['198.51.100.0/24', '198.51.101.0/24', '2001:db8:1::/48']),
      this.#honestPeer('10.0.1.2', 65202, ['203.0.113.0/24', '2001:db8:2::/48', '2001:db8:3::/48']),
    ];
    this.speaker.configure({
      asn: SPEAKER.asn,
      routerId: SPEAKER.routerId,
      addresses: ['10.0.0.1', 'fd00::1'].map(addressOf),
      originated: ['192.0.2.0/24', '2001:db8::/48'].map((text) => ({
        prefix: prefixOf(text),
        kernel: 'none',
      })),
      peers: [
        peer('hostile', HOSTILE[kind].address, HOSTILE[kind].asn, gracefulRestart),
        ...this.#honest.map(({ client }) =>
          peer(client.options.address, client.options.address, client.options.session.peerAsn),
        ),
      ],
    });
    for (const { client, prefixes } of this.#honest) this.#introduce(client, prefixes);
    this.run(2);
    this.#empty = this.#sizes();
  }

  get honest(): readonly Client[] {
    return this.#honest.map(({ client }) => client);
  }

  /** Moves time; whatever the speaker throws comes out here. */
  run(forSeconds: number): void {
    this.clock.advance(seconds(forSeconds));
  }

  get neighbour(): Neighbour {
    const found = this.speaker.neighbours.find(({ name }) => name === 'hostile');
    if (found === undefined) throw new Error('the hostile peer is not configured');
    return found;
  }

  /** The hostile peer's OPEN, as the kind of peer that it is would send it. */
  open(): Omit<OpenMessage, 'type'> {
    return openOf(HOSTILE[this.kind].asn, HOSTILE_ROUTER_ID, this.kind !== 'old');
  }

  /** Ends whatever the last case has left: the session, its idle hold and its routes. */
  reset(): void {
    this.hostile.disconnect();
    this.run(200);
    this.log.length = 0;
  }

  /** @returns what is wrong, in words; empty when nothing is */
  check(): string[] {
    const wrong: string[] = [];
    for (const { client, prefixes } of this.#honest) {
      const { address } = client.options;
      const held = this.speaker.neighbours.find(({ name }) => name === address);
      if (held?.session.state !== 'Established') wrong.push(`${address} is ${held?.session.state ?? 'gone'}`);
      if (held?.session.counters.establishedTransitions !== 1) wrong.push(`${address} has lost its session`);
      for (const text of prefixes)
        if (!holds(held, prefixOf(text))) wrong.push(`${address} has lost ${text}`);
      for (const complaint of client.complaints.splice(0)) wrong.push(`${address} was sent ${complaint}`);
      wrong.push(...this.#mistold(client));
    }
    wrong.push(...this.#badLog());
    return wrong;
  }

  /** What is left over once the hostile peer and its routes are gone. */
  leaks(): string[] {
    const sizes = this.#sizes();
    return this.#empty.every((size, i) => size === sizes[i])
      ? []
      : [`sets, prefixes and routes were ${this.#empty.join(', ')} and are ${sizes.join(', ')}`];
  }

  #sizes(): number[] {
    return [
      this.speaker.pool.size,
      ...FAMILY_NAMES.flatMap((family) => [
        this.speaker.tables[family].index.size,
        this.speaker.tables[family].locRib.size,
        this.neighbour.adjRibIn[family].size,
      ]),
    ];
  }

  /** An honest peer must know what the Loc-RIB has from others, but for what communities or size hold back. */
  #mistold(client: Client): string[] {
    const { address } = client.options;
    const want = new Set<string>();
    const may = new Set<string>();
    for (const family of FAMILY_NAMES) {
      const { locRib } = this.speaker.tables[family];
      for (const id of locRib.ids()) {
        const best = locRib.best(id);
        if (best === undefined || best.source.name === address) continue;
        const text = String(locRib.prefix(id));
        may.add(text);
        const { communities = [], unknown = [] } = best.attributes.attributes;
        const heldBack = communities.some((value) => value >= 0xffffff01 && value <= 0xffffff03);
        const large = unknown.length > 0 || communities.length > 500 || best.attributes.asPathLength > 400;
        if (!heldBack && !large) want.add(text);
      }
    }
    const missing = [...want].filter((text) => !client.told.has(text));
    const extra = [...client.told].filter((text) => !may.has(text));
    return [
      ...missing.map((text) => `${address} was not told ${text}`),
      ...extra.map((text) => `${address} was told ${text}, which is no best route`),
    ];
  }

  #badLog(): string[] {
    const wrong: string[] = [];
    for (const { text } of this.log) {
      if (text.length > LONGEST_LINE) wrong.push(`a log line of ${text.length} characters`);
      // eslint-disable-next-line no-control-regex
      if (/[\u0000-\u001f\u007f-\u009f]/.test(text))
        wrong.push(`control characters in the log: ${JSON.stringify(text)}`);
    }
    for (const { at } of this.log) {
      const minute = this.log.filter((line) => line.at >= at && line.at < at + 60_000).length;
      if (minute > LINES_PER_MINUTE) return [...wrong, `${minute} log lines in a minute`];
    }
    return wrong;
  }

  #client(address: string, session: Negotiated): Client {
    return new Client({
      clock: this.clock,
      network: this.network,
      address,
      speaker: SPEAKER.address,
      session,
    });
  }

  #honestPeer(
    address: string,
    asn: number,
    prefixes: readonly string[],
  ): { client: Client; prefixes: readonly string[] } {
    return { client: this.#client(address, negotiated(asn, 'external')), prefixes };
  }

  #introduce(client: Client, prefixes: readonly string[]): void {
    const { address, session } = client.options;
    client.connect();
    this.run(1);
    client.greet(openOf(session.peerAsn, addressOf(address).w0, true));
    this.run(1);
    for (const family of FAMILY_NAMES) {
      const nlri = prefixes.map(prefixOf).filter(({ version }) => version === FAMILIES[family].version);
      const nextHop = {
        address: addressOf(family === 'ipv4-unicast' ? address : `fd00::${address.split('.')[3]}:2`),
      };
      const reach = [{ family, nextHop, nlri: nlri.map((prefix) => ({ prefix })) }];
      const attributes = { origin: 'IGP', asPath: [{ type: 'sequence', asns: [session.peerAsn] }] } as const;
      for (const message of encodeUpdates({ type: 'update', unreach: [], reach, attributes }, session))
        client.say(message);
    }
  }
}

function holds(neighbour: Neighbour | undefined, prefix: Prefix): boolean {
  return FAMILY_NAMES.some((family) => (neighbour?.adjRibIn[family].get(prefix).length ?? 0) > 0);
}

function peer(
  name: string,
  address: string,
  asn: number,
  gracefulRestart?: SessionConfig['gracefulRestart'],
): PeerConfig {
  return {
    session: {
      name,
      peerAddress: address,
      peerPort: 179,
      peerAsn: asn,
      localAsn: SPEAKER.asn,
      routerId: SPEAKER.routerId,
      localAddress: SPEAKER.address,
      holdSeconds: 90,
      connectRetrySeconds: 30,
      passive: true,
      families: FAMILY_NAMES,
      ...(gracefulRestart === undefined ? {} : { gracefulRestart }),
    },
    importPolicy: ACCEPT_ALL,
    exportPolicy: ACCEPT_ALL,
  };
}

function openOf(asn: number, routerId: number, fourOctets: boolean): Omit<OpenMessage, 'type'> {
  const families = FAMILY_NAMES.map((family) => ({ code: 1, afi: FAMILIES[family].afi, safi: 1 }) as const);
  const capabilities = [...families, { code: 2 } as const];
  return {
    version: 4,
    asn,
    holdSeconds: 90,
    routerId,
    capabilities: fourOctets ? [...capabilities, { code: 65, asn }] : capabilities,
  };
}

/** What the speaker and such a peer settle on. */
export function negotiated(peerAsn: number, kind: Kind): Negotiated {
  return {
    peerAsn,
    peerRouterId: HOSTILE_ROUTER_ID,
    internal: kind === 'internal',
    holdSeconds: 90,
    keepaliveSeconds: 30,
    families: FAMILY_NAMES,
    fourOctetAs: kind !== 'old',
    extendedMessages: false,
    routeRefresh: true,
    enhancedRefresh: false,
    addPathReceive: [],
    addPathSend: [],
  };
}

export function addressOf(text: string): Address {
  const parsed = Address.parse(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

export function prefixOf(text: string): Prefix {
  const parsed = Prefix.parse(text);
  if (parsed === undefined) throw new Error(`${text} is no prefix`);
  return parsed;
}
