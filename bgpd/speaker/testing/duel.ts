/** Two of our own sessions, face to face on a simulated wire, and what each was told. */
import { expect } from 'chai';
import { seconds } from '../../../clock/clock.ts';
import { SimulatedClock } from '../../../clock/simulated.ts';
import { Address, Prefix } from '../../../net/addr/index.ts';
import { encodeKeepalive, encodeUpdates, type Family, type UpdateMessage } from '../../wire/index.ts';
import { PlainUpdate } from '../../wire/plain-update.ts';
import { Peer } from '../peer.ts';
import type { DownReason, Session, SessionConfig, SessionEvents } from '../session.ts';
import { SimulatedNetwork, type SimulatedOptions } from '../simulated.ts';

export const A = '10.0.0.1';
export const B = '10.0.0.2';

const BASE = {
  peerPort: 179,
  holdSeconds: 90,
  connectRetrySeconds: 30,
  passive: false,
  families: ['ipv4-unicast', 'ipv6-unicast'],
} as const satisfies Partial<SessionConfig>;

/** Keeps what a session tells, and checks that it tells it in a sensible order. */
class Told implements SessionEvents {
  readonly updates: UpdateMessage[] = [];
  readonly refreshes: Family[] = [];
  readonly downs: DownReason[] = [];
  up = false;
  ups = 0;
  writables = 0;

  established(): void {
    expect(this.up, 'established while up').to.equal(false);
    this.up = true;
    this.ups++;
  }
  update(_session: Session, message: UpdateMessage): void {
    expect(this.up, 'update while down').to.equal(true);
    this.updates.push(message instanceof PlainUpdate ? message.values() : message);
  }
  refresh(_session: Session, family: Family): void {
    expect(this.up, 'refresh while down').to.equal(true);
    this.refreshes.push(family);
  }
  down(_session: Session, reason: DownReason): void {
    expect(this.up, 'down while down').to.equal(true);
    this.up = false;
    this.downs.push(reason);
  }
  writable(): void {
    this.writables++;
  }
}

export interface Side {
  readonly peer: Peer;
  readonly told: Told;
  readonly log: string[];
}

export class Duel {
  readonly clock = new SimulatedClock();
  readonly network: SimulatedNetwork;
  readonly a: Side;
  readonly b: Side;

  constructor(
    change: {
      a?: Partial<SessionConfig>;
      b?: Partial<SessionConfig>;
      network?: SimulatedOptions;
      random?: () => number;
    } = {},
  ) {
    this.network = new SimulatedNetwork(this.clock, change.network);
    const random = change.random ?? (() => 0.5);
    this.a = this.#side(
      A,
      { ...BASE, name: 'b', peerAddress: B, peerAsn: 65002, localAsn: 65001, routerId: 1, ...change.a },
      random,
    );
    this.b = this.#side(
      B,
      { ...BASE, name: 'a', peerAddress: A, peerAsn: 65001, localAsn: 65002, routerId: 2, ...change.b },
      random,
    );
  }

  #side(address: string, config: SessionConfig, random: () => number): Side {
    const told = new Told();
    const log: string[] = [];
    const transport = this.network.host(address);
    const peer = new Peer({
      config,
      events: told,
      transport,
      clock: this.clock,
      random,
      log: (_level, text) => void log.push(text),
    });
    transport.accept = (incoming) => peer.accept(incoming);
    return { peer, told, log };
  }

  start(): this {
    this.a.peer.start();
    this.b.peer.start();
    return this;
  }

  run(forSeconds: number): this {
    this.clock.advance(seconds(forSeconds));
    return this;
  }

  get states(): string[] {
    return [this.a.peer.state, this.b.peer.state];
  }
}

export const UP = ['Established', 'Established'];
export const ROUTE: UpdateMessage = {
  type: 'update',
  unreach: [],
  reach: [
    {
      family: 'ipv4-unicast',
      nextHop: { address: Address.parse(A) as Address },
      nlri: [{ prefix: Prefix.parse('10.244.0.0/26') as Prefix }],
    },
  ],
  attributes: { origin: 'IGP', asPath: [{ type: 'sequence', asns: [65001] }] },
};

export function sendRoute(from: Side): boolean {
  const { negotiated } = from.peer;
  return negotiated === undefined ? false : from.peer.send(encodeUpdates(ROUTE, negotiated));
}

/** Keeps B from noticing that it hears nothing: a fresh KEEPALIVE "from A" reaches it on the established connection. */
export function setBreathing(duel: Duel): () => void {
  let on = true;
  const breathe = (): void => {
    if (!on) return;
    duel.network.inject(B, encodeKeepalive());
    duel.clock.after(seconds(20), 'breathe', breathe);
  };
  breathe();
  return () => (on = false);
}
