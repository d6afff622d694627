import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Outbox } from './outbox.ts';
import type { Session } from './session.ts';
import { Teller } from './teller.ts';

const BUDGET = 5;
const SEND_MS = 1;

/** Peers to each of whom sending takes a millisecond, and news of so many octets, of which each costs the time given. */
class Stage {
  readonly clock = new SimulatedClock();
  readonly sent: number[];
  readonly outboxes: readonly Outbox[];
  readonly teller: Teller;
  news: { readonly octets: number; readonly took: number }[] = [];
  /** Of each turn. */
  readonly durations: number[] = [];

  constructor(peers: number) {
    this.sent = Array.from({ length: peers }, () => 0);
    this.teller = new Teller({
      clock: this.clock,
      read: (isLate) => this.#read(isLate),
      wake: () => undefined,
    });
    this.outboxes = this.sent.map((_, peer) => new Outbox(this.#session(peer), this.teller.pending));
  }

  turn(): boolean {
    const from = this.clock.now();
    const more = this.teller.turn(BUDGET);
    this.durations.push(this.clock.now() - from);
    return more;
  }

  #read(isLate: () => boolean): boolean {
    while (this.news.length > 0 && !isLate()) {
      const { octets, took } = this.news.shift() ?? { octets: 0, took: 0 };
      this.clock.advance(took);
      const pieces = [new Uint8Array(octets)];
      for (const outbox of this.outboxes) outbox.push({ pieces, messages: 1, length: octets });
    }
    return this.news.length > 0;
  }

  #session(peer: number): Session {
    const send = (pieces: readonly Uint8Array[]): boolean => {
      this.clock.advance(SEND_MS);
      for (const { length } of pieces) this.sent[peer] = (this.sent[peer] ?? 0) + length;
      return true;
    };
    return { send } as unknown as Session;
  }
}

describe('Teller', () => {
  it('spreads a round over turns, and serves everybody before it reads other news', () => {
    const stage = new Stage(20);
    stage.news = [{ octets: 100, took: 0 }];
    expect(stage.turn()).to.equal(true);
    stage.news = [{ octets: 7, took: 0 }];
    for (let i = 0; i < 3; i++) expect(stage.turn()).to.equal(i < 2);
    expect(stage.sent).to.deep.equal(stage.sent.map(() => 100));
    stage.clock.advance(50);
    while (stage.turn());
    expect(stage.sent).to.deep.equal(stage.sent.map(() => 107));
    expect(Math.max(...stage.durations)).to.equal(BUDGET);
  });

  it('reads on while many would be told little, and tells a few at once', () => {
    const news = Array.from({ length: 12 }, () => ({ octets: 100, took: 1 }));
    const [many, few] = [new Stage(20), new Stage(2)];
    many.news = [...news];
    few.news = [...news];
    many.turn();
    few.turn();
    expect([many.sent[0], few.sent[0]]).to.deep.equal([0, 500]);
    many.turn();
    expect(many.sent[0]).to.equal(0);
    many.turn();
    expect(many.sent[0]).to.equal(1200);
  });

  it('goes on with a peer that takes octets again, pause or not', () => {
    const stage = new Stage(20);
    stage.news = [{ octets: 100, took: 0 }];
    while (stage.turn());
    stage.outboxes[3]?.push({ pieces: [new Uint8Array(9)], messages: 1, length: 9 });
    expect(stage.turn()).to.equal(false);
    expect(stage.sent[3]).to.equal(109);
  });
});
