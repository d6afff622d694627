import { expect } from 'chai';
import fc from 'fast-check';
import { SimulatedClock } from '../../clock/simulated.ts';
import { seconds } from '../../clock/clock.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import type { Event, State, Step } from '../fsm/state.ts';
import { step } from '../fsm/step.ts';
import {
  encodeKeepalive,
  encodeUpdates,
  isEndOfRib,
  encodeEndOfRib,
  type Family,
  type Negotiated,
  type UpdateMessage,
} from '../wire/index.ts';
import { PlainUpdate } from '../wire/plain-update.ts';
import { framed, update } from '../wire/testing/octets.ts';
import { Peer } from './peer.ts';
import type { DownReason, Session, SessionConfig, SessionEvents } from './session.ts';
import { SimulatedNetwork, type SimulatedOptions } from './simulated.ts';

const A = '10.0.0.1';
const B = '10.0.0.2';

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

interface Side {
  readonly peer: Peer;
  readonly told: Told;
  readonly log: string[];
}

/** Two of our own sessions, face to face on a simulated wire. */
class Duel {
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

const UP = ['Established', 'Established'];
const ROUTE: UpdateMessage = {
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

function sendRoute(from: Side): boolean {
  const { negotiated } = from.peer;
  return negotiated === undefined ? false : from.peer.send(encodeUpdates(ROUTE, negotiated));
}

describe('Peer', () => {
  it('comes up when both dial at once, on one connection', () => {
    const duel = new Duel().start().run(5);
    expect(duel.states).to.deep.equal(UP);
    expect(duel.network.open).to.equal(1);
    expect([duel.a.told.ups, duel.b.told.ups]).to.deep.equal([1, 1]);
    expect(duel.a.peer.negotiated).to.deep.include({
      peerAsn: 65002,
      internal: false,
      holdSeconds: 90,
      fourOctetAs: true,
    });
    expect(duel.a.peer.localAddress).to.equal(A);
  });

  it('comes up when one side is passive, whichever it is', () => {
    expect(new Duel({ a: { passive: true } }).start().run(5).states).to.deep.equal(UP);
    expect(new Duel({ b: { passive: true } }).start().run(5).states).to.deep.equal(UP);
  });

  it('does not come up when both are', () => {
    const duel = new Duel({ a: { passive: true }, b: { passive: true } }).start().run(3600);
    expect(duel.states).to.deep.equal(['Active', 'Active']);
  });

  it('comes up with DelayOpen on either side or both', () => {
    for (const [one, other] of [
      [3, 0],
      [0, 3],
      [3, 3],
    ])
      expect(
        new Duel({ a: { delayOpenSeconds: one ?? 0 }, b: { delayOpenSeconds: other ?? 0 } }).start().run(30)
          .states,
      ).to.deep.equal(UP);
  });

  it('comes up whenever the other side starts later', () => {
    const duel = new Duel();
    duel.a.peer.start();
    duel.run(300);
    duel.b.peer.start();
    expect(duel.run(1).states).to.deep.equal(UP);
  });

  it('stays up for a day on keepalives alone, and sends them every 22.5 to 30 seconds', () => {
    const duel = new Duel({ random: Math.random }).start().run(5);
    const before = duel.a.peer.counters.messagesOut;
    duel.run(86_400);
    expect(duel.states).to.deep.equal(UP);
    expect(duel.a.peer.counters.messagesOut - before).to.be.within(86_400 / 30, 86_400 / 22.5);
  });

  it('stays up without keepalives when the hold time is 0', () => {
    const duel = new Duel({ b: { holdSeconds: 0 } }).start().run(5);
    const before = duel.a.peer.counters.messagesOut;
    expect(duel.run(86_400).states).to.deep.equal(UP);
    expect(duel.a.peer.counters.messagesOut).to.equal(before);
  });

  it('carries updates and refresh requests', () => {
    const duel = new Duel().start().run(5);
    expect(sendRoute(duel.a)).to.equal(true);
    duel.b.peer.requestRefresh('ipv6-unicast');
    duel.run(1);
    expect(duel.b.told.updates).to.deep.equal([ROUTE]);
    expect(duel.a.told.refreshes).to.deep.equal(['ipv6-unicast']);
    expect(duel.b.peer.counters).to.deep.include({ updatesIn: 1, treatedAsWithdraw: 0 });
  });

  it('ignores what is to be sent while not Established', () => {
    const duel = new Duel();
    expect(duel.a.peer.send([encodeKeepalive()])).to.equal(true);
    expect(duel.a.peer.counters.messagesOut).to.equal(0);
  });

  it('does not take a peer for dead whose keepalives it has not come to read', () => {
    const duel = new Duel({ a: { holdSeconds: 9 } }).start().run(5);
    duel.network.setBusy(A, true);
    duel.run(60);
    expect(duel.states, 'while busy').to.deep.equal(UP);
    duel.network.setBusy(A, false);
    expect(duel.run(60).states, 'after').to.deep.equal(UP);
    expect([duel.a.told.ups, duel.b.told.ups]).to.deep.equal([1, 1]);
  });

  it('reads once more at the end of the hold time: a KEEPALIVE may have come while it was busy', () => {
    const duel = new Duel({ a: { holdSeconds: 9 } }).start().run(5);
    duel.network.setReading(A, false);
    const left = (): number =>
      duel.a.peer.pending().find(({ name }) => /\bhold$/.test(name) && !name.endsWith('send-hold'))?.inMs ??
      0;
    duel.clock.advance(left() - 100);
    // Due with the hold timer, and behind it in the event loop.
    duel.clock.after(100, 'kernel', () => duel.network.inject(A, encodeKeepalive()));
    duel.clock.advance(101);
    expect(duel.a.peer.state).to.equal('Established');
    expect(left()).to.be.above(seconds(8));
    duel.run(9);
    expect(duel.a.told.downs, 'nothing more came').to.deep.equal([{ cause: 'hold-timer-expired' }]);
  });

  it('notices within the hold time that the other side is gone without a word', () => {
    const duel = new Duel({ a: { holdSeconds: 9 } }).start().run(5);
    duel.network.setReading(A, false);
    // The last KEEPALIVE came at most 3 seconds ago.
    duel.run(5.9);
    expect(duel.a.peer.state).to.equal('Established');
    duel.run(3.2);
    expect(duel.a.told.downs).to.deep.equal([{ cause: 'hold-timer-expired' }]);
    expect(duel.a.peer.lastError).to.equal('nothing came from the peer within the hold time');
  });

  it('tells a stop from a drop', () => {
    const stopped = new Duel().start().run(5);
    stopped.a.peer.stop(2, 'new disks');
    stopped.run(1);
    expect(stopped.a.told.downs).to.deep.equal([{ cause: 'administrative' }]);
    expect(stopped.b.told.downs[0]).to.deep.include({ cause: 'notification-received' });
    expect(stopped.b.peer.lastError).to.equal('received Cease / Administrative Shutdown (6/2): "new disks"');
    expect(stopped.run(600).a.peer.state).to.equal('Idle');

    const dropped = new Duel().start().run(5);
    dropped.a.peer.drop();
    dropped.run(1);
    expect(dropped.b.told.downs).to.deep.equal([{ cause: 'connection-lost' }]);
  });

  it('keeps what the peer said as its last error, over the failures to reach it that follow', () => {
    const duel = new Duel().start().run(5);
    duel.a.peer.stop(2, 'new disks');
    const said = 'received Cease / Administrative Shutdown (6/2): "new disks"';
    expect(duel.run(600).b.peer.lastError).to.equal(said);
    duel.a.peer.start();
    expect(duel.run(60).states).to.deep.equal(UP);
    duel.network.cut(A);
    expect(duel.b.peer.lastError).to.equal('read ECONNRESET');
  });

  it('comes back within seconds of a lost connection', () => {
    const duel = new Duel().start().run(100);
    duel.network.cut(A);
    expect(duel.states).to.deep.equal(['Idle', 'Idle']);
    expect(duel.run(3).states).to.deep.equal(UP);
    expect(duel.a.told.downs).to.deep.equal([{ cause: 'connection-lost' }]);
  });

  it('refuses the wrong AS, and says so on both sides', () => {
    const duel = new Duel({ a: { peerAsn: 65009 } }).start().run(2);
    expect(duel.a.peer.lastError).to.equal(
      'sent OPEN Message Error / Bad Peer AS (2/2): the peer says AS 65002, AS 65009 is configured',
    );
    expect(duel.b.log.join('\n')).to.include('received OPEN Message Error / Bad Peer AS (2/2)');
  });

  it('backs off from a peer that fails at once, each time longer', () => {
    const duel = new Duel({ a: { peerAsn: 65009 } }).start().run(3600);
    expect(duel.a.peer.counters.messagesIn).to.be.below(300);
    expect(duel.a.log.length).to.be.below(10 * 61);
    expect(duel.states).to.not.include('Established');
  });

  it('is not overrun by a peer that opens a thousand connections and cuts each after its OPEN', () => {
    const duel = new Duel({ a: { passive: true } });
    duel.a.peer.start();
    let opened = 0;
    const silent = { connected() {}, received() {}, progressed() {}, drained() {}, closed() {} };
    for (let i = 0; i < 1000; i++) {
      const connection = duel.network
        .host(B)
        .connect({ address: A, port: 179 }, { ...silent, connected: () => void opened++ });
      duel.run(0.01);
      connection.write([framed(1, '04 fdea 005a 00000002 00')]);
      duel.run(0.01);
      connection.close();
      duel.run(0.01);
    }
    expect(opened).to.equal(1000);
    expect(duel.network.open).to.equal(0);
    // 30 seconds of attack: idle holds of 1, 2, 4, 8 and 16 seconds, and one OPEN between two of them.
    expect(duel.a.peer.counters.messagesIn).to.be.below(20);
    expect(duel.a.log.length).to.be.below(15);
    expect(duel.clock.pending().length).to.be.below(5);
  });

  it('keeps hold times to the letter, and spreads its keepalives over 0.75 to 1 of their time (RFC 4271 §10)', () => {
    for (const [random, everySeconds] of [
      [0, 22.5],
      [0.999_999, 30],
    ] as const) {
      const duel = new Duel({ random: () => random }).start().run(5);
      const { a } = duel;
      const holdLeft = (): number | undefined => a.peer.pending().find(({ name }) => name === 'hold')?.inMs;
      expect(holdLeft(), `first hold timer, drawn ${random}`).to.be.within(seconds(84.9), seconds(85.1));
      duel.run(35);
      const before = a.peer.counters.messagesOut;
      duel.run(10 * everySeconds);
      expect(a.peer.counters.messagesOut - before, `keepalives, drawn ${random}`).to.equal(10);
      sendRoute(duel.b);
      duel.run(0.1);
      expect(holdLeft(), `hold timer, drawn ${random}`).to.be.within(seconds(89.8), seconds(90));
    }
  });

  it('turns a malformed UPDATE into withdrawals, counts it, and stays up', () => {
    const duel = new Duel().start().run(5);
    duel.b.peer.send([
      update({ attributes: '40 01 01 09 40 02 06 02 01 0000fdea 40 03 04 0a000002', nlri: '08 0b' }),
    ]);
    duel.run(1);
    expect(duel.states).to.deep.equal(UP);
    expect(duel.a.told.updates[0]?.unreach[0]?.nlri.map(String)).to.have.length(1);
    expect(duel.a.peer.counters).to.deep.include({ treatedAsWithdraw: 1, attributesDiscarded: 0 });
    expect(duel.a.log.at(-1)).to.equal(
      'malformed UPDATE: ORIGIN (1) at offset 26: value is not 0, 1 or 2; treat-as-withdraw (RFC 7606 §7.1)',
    );
  });

  it('says of an UPDATE that ends the session what was wrong with it, and counts nothing as mended', () => {
    const duel = new Duel().start().run(5);
    duel.b.peer.send([update({ attributes: '40 06 01 00 80 0f 03 000201 80 0f 03 000201' })]);
    duel.run(0.1);
    expect(duel.a.log.slice(-2)).to.deep.equal([
      'malformed UPDATE: MP_UNREACH_NLRI (15) at offset 33: MP_REACH_NLRI or MP_UNREACH_NLRI appears twice; session-reset (RFC 7606 §3 g); ATOMIC_AGGREGATE (6) at offset 26: length is not 0; attribute-discard (RFC 7606 §7.6)',
      `connection ended: ${duel.a.peer.lastError}`,
    ]);
    expect(duel.a.peer.counters).to.deep.include({ treatedAsWithdraw: 0, attributesDiscarded: 0 });
  });

  it('does not let a peer of malformed UPDATEs fill the log', () => {
    const duel = new Duel().start().run(5);
    const before = duel.a.log.length;
    const bad = update({
      attributes: '40 01 01 09 40 02 06 02 01 0000fdea 40 03 04 0a000002',
      nlri: '08 0b',
    });
    duel.b.peer.send(Array.from({ length: 500 }, () => bad));
    duel.run(1);
    expect(duel.a.log.length - before).to.equal(10);
    duel.run(60);
    duel.b.peer.send([bad]);
    duel.run(1);
    expect(duel.a.log.at(-1)).to.match(/\(490 lines before it were not logged\)$/);
  });

  it('delivers nothing after the listener has stopped the session from inside a callback', () => {
    const duel = new Duel().start().run(5);
    duel.b.told.update = (session: Session) => {
      duel.b.told.updates.push(ROUTE);
      session.stop(1);
    };
    sendRoute(duel.a);
    sendRoute(duel.a);
    duel.run(1);
    expect(duel.b.told.updates).to.have.length(1);
    expect(duel.a.peer.lastError).to.include('Maximum Number of Prefixes Reached');
  });

  it('passes End-of-RIB markers on', () => {
    const duel = new Duel().start().run(5);
    const { negotiated } = duel.a.peer;
    if (negotiated !== undefined)
      duel.a.peer.send(negotiated.families.map((family) => encodeEndOfRib(family, negotiated)));
    duel.run(1);
    expect(duel.b.told.updates.map(isEndOfRib)).to.deep.equal(['ipv4-unicast', 'ipv6-unicast']);
  });

  describe('a reader that has stopped', () => {
    it('makes send say no, and writable follows when it goes on', () => {
      const duel = new Duel().start().run(5);
      duel.network.setReading(B, false);
      const { negotiated } = duel.a.peer;
      const many = Array.from({ length: 2000 }, () =>
        encodeUpdates(ROUTE, negotiated ?? ({} as never)),
      ).flat();
      expect(duel.a.peer.send(many)).to.equal(false);
      expect(duel.run(1).a.told.writables).to.equal(0);
      duel.network.setReading(B, true);
      expect(duel.run(1).a.told.writables).to.equal(1);
      expect(duel.b.told.updates).to.have.length(2000);
    });

    it('is given up after the send hold time (RFC 9687), though its keepalives come', () => {
      const duel = new Duel({ a: { holdSeconds: 0 }, b: { holdSeconds: 0 } });
      expect(duel.start().run(5).states).to.deep.equal(UP);
      const held = new Duel().start().run(5);
      held.network.setReading(B, false);
      // B hears nothing from A, so it would hang up by its own hold timer; it is made to believe that it does not.
      const stop = setBreathing(held);
      held.run(460);
      expect(held.a.peer.state).to.equal('Established');
      held.run(60);
      stop();
      expect(held.a.told.downs[0]).to.deep.include({ cause: 'notification-sent' });
      expect(held.a.log.join('\n')).to.include(
        'sent Send Hold Timer Expired (8/0): the peer has stopped reading',
      );
    });
  });

  describe('a connection cut at every step of its set-up', () => {
    for (let step = 1; step <= 16; step++) {
      it(`step ${step}: both come up all the same, once`, () => {
        const duel = new Duel();
        duel.network.cutAt = (now) => now === step;
        duel.start().run(120);
        expect(duel.states).to.deep.equal(UP);
        expect(duel.network.open).to.equal(1);
        expect(duel.a.told.up && duel.b.told.up).to.equal(true);
        sendRoute(duel.a);
        duel.run(1);
        expect(duel.b.told.updates).to.have.length(1);
      });
    }
  });

  it('survives any weather: cuts, delays, chunks, roles, and ends on one working connection', () => {
    const role = fc.record({
      passive: fc.boolean(),
      delayOpenSeconds: fc.constantFrom(0, 0, 2),
      routerId: fc.constantFrom(1, 2, 3),
    });
    const weather = fc.record({
      a: role,
      b: role,
      restarts: fc.boolean(),
      latency: fc.constantFrom(0, 1, 50, 400),
      octetwise: fc.boolean(),
      cuts: fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 8 }),
      later: fc.constantFrom(0, 0, 0.001, 0.5, 20),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(weather, ({ a, b, restarts, latency, octetwise, cuts, later, seed }) => {
        fc.pre(!(a.passive && b.passive));
        let random = seed;
        const duel = new Duel({
          a: { ...a, ...(restarts ? { gracefulRestart: { restartSeconds: 60 } } : {}) },
          b: { ...b, ...(restarts ? { gracefulRestart: { restartSeconds: 60 } } : {}) },
          network: {
            latency,
            ...(octetwise ? { chunk: (octets) => [...octets].map((octet) => Uint8Array.of(octet)) } : {}),
          },
          random: () => (random = (random * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648,
        });
        duel.network.cutAt = (step) => cuts.includes(step);
        duel.a.peer.start();
        duel.run(later);
        duel.b.peer.start();
        duel.run(900);
        expect(duel.states).to.deep.equal(UP);
        expect(duel.network.open).to.equal(1);
        sendRoute(duel.a);
        duel.run(2);
        expect(duel.b.told.updates.at(-1)).to.deep.equal(ROUTE);
      }),
      { numRuns: 300 },
    );
  }).timeout(60_000);

  it('ends in exactly one session however both open it, equal identifiers included (RFC 6286)', () => {
    const delay = fc.constantFrom(0, 1, 3, 10);
    const start = fc.record({
      latency: fc.integer({ min: 0, max: 400 }),
      later: fc.integer({ min: 0, max: 1_500 }),
      delayA: delay,
      delayB: delay,
      ids: fc.constantFrom([1, 2], [2, 1], [7, 7], [0xffff_ffff, 1]),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
      chunk: fc.integer({ min: 1, max: 40 }),
      first: fc.boolean(),
    });
    fc.assert(
      fc.property(start, ({ latency, later, delayA, delayB, ids, random, chunk, first }) => {
        const pieces = (octets: Uint8Array): Uint8Array[] =>
          Array.from({ length: Math.ceil(octets.length / chunk) }, (_, i) =>
            octets.subarray(i * chunk, (i + 1) * chunk),
          );
        const duel = new Duel({
          a: { routerId: ids[0] ?? 0, delayOpenSeconds: delayA },
          b: { routerId: ids[1] ?? 0, delayOpenSeconds: delayB },
          network: { latency, chunk: pieces },
          random: () => random,
        });
        const [one, other] = first ? [duel.a, duel.b] : [duel.b, duel.a];
        one.peer.start();
        duel.clock.advance(later);
        other.peer.start();
        duel.run(200);
        expect(duel.states).to.deep.equal(UP);
        expect(duel.network.open, 'TCP connections').to.equal(1);
        const ups = [duel.a.told.ups, duel.b.told.ups];
        // RFC 4271 §6.8 looks at connections in OpenConfirm alone, so one side may be Established on the connection that
        // the other, where it is not yet, gives up for the better one.
        expect(Math.max(...ups)).to.be.at.most(2);
        duel.run(600);
        expect(duel.states).to.deep.equal(UP);
        expect([duel.a.told.ups, duel.b.told.ups], 'it stays').to.deep.equal(ups);
      }),
      { numRuns: 400 },
    );
  }).timeout(60_000);

  it('does with KEEPALIVE and UPDATE in Established what the machine says, which it does not ask', () => {
    const duel = new Duel().start().run(5);
    const here: State = { name: 'Established', peer: duel.a.peer.negotiated as Negotiated };
    const message: UpdateMessage = { type: 'update', unreach: [], reach: [], attributes: undefined };
    const restart = { do: 'arm', timer: 'hold', seconds: 90 } as const;
    const says = (event: Event): Step => step(here, event, duel.a.peer.config, 'local');
    expect(says({ type: 'keepalive-received' })).to.deep.equal({ state: here, actions: [restart] });
    expect(says({ type: 'update-received', message })).to.deep.equal({
      state: here,
      actions: [restart, { do: 'deliver', message }],
    });
    const left = (): number | undefined =>
      duel.a.peer.pending().find(({ name }) => name.endsWith('hold') && !name.endsWith('send-hold'))?.inMs;
    for (const octets of [encodeKeepalive(), encodeEndOfRib('ipv4-unicast', here.peer)]) {
      duel.run(10);
      expect(left()).to.be.below(seconds(90));
      duel.network.inject(A, octets);
      expect(left()).to.equal(seconds(90));
    }
    expect(duel.a.told.updates.map(isEndOfRib)).to.deep.equal(['ipv4-unicast']);
  });

  it('leaves no timer behind when stopped', () => {
    const duel = new Duel().start().run(5);
    duel.a.peer.stop();
    duel.b.peer.stop();
    duel.run(10);
    expect(duel.clock.pending()).to.deep.equal([]);
  });
});

/** Keeps B from noticing that it hears nothing: a fresh KEEPALIVE "from A" reaches it on the established connection. */
function setBreathing(duel: Duel): () => void {
  let on = true;
  const breathe = (): void => {
    if (!on) return;
    duel.network.inject(B, encodeKeepalive());
    duel.clock.after(seconds(20), 'breathe', breathe);
  };
  breathe();
  return () => (on = false);
}
