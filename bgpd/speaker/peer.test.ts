import { expect } from 'chai';
import { seconds } from '../../clock/clock.ts';
import { encodeKeepalive } from '../wire/index.ts';
import { A, Duel, UP, sendRoute } from './testing/duel.ts';

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

  it('refuses the wrong AS, and says so on both sides', () => {
    const duel = new Duel({ a: { peerAsn: 65009 } }).start().run(2);
    expect(duel.a.peer.lastError).to.equal(
      'sent OPEN Message Error / Bad Peer AS (2/2): the peer says AS 65002, AS 65009 is configured',
    );
    expect(duel.b.log.join('\n')).to.include('received OPEN Message Error / Bad Peer AS (2/2)');
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

  it('leaves no timer behind when stopped', () => {
    const duel = new Duel().start().run(5);
    duel.a.peer.stop();
    duel.b.peer.stop();
    duel.run(10);
    expect(duel.clock.pending()).to.deep.equal([]);
  });
});
