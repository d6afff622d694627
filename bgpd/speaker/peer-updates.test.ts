/** What an Established session carries, either way. */
import { expect } from 'chai';
import { seconds } from '../../clock/clock.ts';
import type { Event, State, Step } from '../fsm/state.ts';
import { step } from '../fsm/step.ts';
import {
  encodeEndOfRib,
  encodeKeepalive,
  encodeUpdates,
  isEndOfRib,
  type Negotiated,
  type UpdateMessage,
} from '../wire/index.ts';
import { update } from '../wire/testing/octets.ts';
import type { Session } from './session.ts';
import { A, B, Duel, ROUTE, UP, sendRoute, setBreathing } from './testing/duel.ts';

describe('Peer and UPDATEs', () => {
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
      const sendHold = (): number | undefined =>
        held.a.peer.pending().find(({ name }) => name === 'send-hold')?.inMs;
      held.run(100);
      expect(sendHold(), 'while nothing waits to leave').to.equal(undefined);
      held.network.setReading(B, false);
      // B hears nothing from A, so it would hang up by its own hold timer; it is made to believe that it does not.
      const stop = setBreathing(held);
      held.run(460);
      expect(held.a.peer.state).to.equal('Established');
      expect(sendHold(), 'since the last octets left').to.be.within(1, 50_000);
      held.run(60);
      stop();
      expect(held.a.told.downs[0]).to.deep.include({ cause: 'notification-sent' });
      expect(held.a.log.join('\n')).to.include(
        'sent Send Hold Timer Expired (8/0): the peer has stopped reading',
      );
    });
  });

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
});
