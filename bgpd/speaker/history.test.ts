import { expect } from 'chai';
import { seconds } from '../../clock/clock.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Peer } from './peer.ts';
import type { SessionConfig, SessionEvents } from './session.ts';
import { SimulatedNetwork } from './simulated.ts';

const IGNORED: SessionEvents = { established() {}, update() {}, refresh() {}, down() {}, writable() {} };

const BASE = {
  peerPort: 179,
  holdSeconds: 90,
  connectRetrySeconds: 30,
  passive: false,
  families: ['ipv4-unicast'],
} as const satisfies Partial<SessionConfig>;

/** Two sessions face to face on a simulated wire, on which `settle` lets time pass. */
function face(asnThatAExpects = 65002): { a: Peer; b: Peer; settle: (forSeconds: number) => void } {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork(clock);
  const side = (address: string, config: SessionConfig): Peer => {
    const transport = network.host(address);
    const peer = new Peer({ config, events: IGNORED, transport, clock, random: () => 0.5 });
    transport.accept = (incoming) => peer.accept(incoming);
    return peer;
  };
  const a = side('10.0.0.1', {
    ...BASE,
    name: 'b',
    peerAddress: '10.0.0.2',
    peerAsn: asnThatAExpects,
    localAsn: 65001,
    routerId: 1,
  });
  const b = side('10.0.0.2', {
    ...BASE,
    name: 'a',
    peerAddress: '10.0.0.1',
    peerAsn: 65001,
    localAsn: 65002,
    routerId: 2,
    passive: true,
  });
  a.start();
  b.start();
  return { a, b, settle: (forSeconds) => clock.advance(seconds(forSeconds)) };
}

describe('the history of a session', () => {
  it('keeps the OPENs of both sides', () => {
    const { a, b, settle } = face();
    settle(60);
    expect(a.state).to.equal('Established');
    expect(a.history.openSent).to.deep.include({ asn: 65001, routerId: 1 });
    expect(a.history.openReceived).to.deep.include({ asn: 65002, routerId: 2 });
    expect(b.history.openReceived).to.deep.equal(a.history.openSent);
    expect(a.history.errorSent ?? a.history.errorReceived ?? a.history.lastEnd).to.equal(undefined);
  });

  it('knows the last error on the side that told it and on the side that heard it, and since when', () => {
    const { a, b, settle } = face();
    settle(60);
    a.stop(2, 'new disks');
    settle(1);
    expect(a.history.errorSent).to.deep.include({ at: seconds(60) });
    expect(a.history.errorSent?.notification).to.deep.include({ code: 6, subcode: 2 });
    expect(b.history.errorReceived?.text).to.contain('new disks');
    expect(b.history.errorReceived?.at).to.be.within(seconds(60), seconds(61));
    expect([a.history.notificationsSent, b.history.notificationsReceived]).to.deep.equal([1, 1]);
    expect(b.history.lastEnd?.text).to.contain('new disks');
    expect(b.history.openReceived).to.deep.include({ asn: 65001 });
  });

  it('tells what no NOTIFICATION has room for', () => {
    const { a, b, settle } = face(65099);
    settle(60);
    expect(a.history.errorSent?.text).to.contain('the peer says AS 65002, AS 65099 is configured');
    expect(b.history.errorReceived?.notification).to.deep.include({ code: 2, subcode: 2 });
  });
});
