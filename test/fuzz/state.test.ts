/** Peers that abuse time and state rather than octets: each is shed, and nobody else notices. Simulated clock. */
import { expect } from 'chai';
import { LONGEST_QUIET_AFTER_FAILURE_SECONDS } from '../../bgpd/fsm/damping.ts';
import {
  encodeKeepalive,
  encodeNotification,
  encodeOpen,
  encodeRouteRefresh,
  notification,
} from '../../bgpd/wire/index.ts';
import { Arena } from './arena.ts';
import { STANDING, octets, standing } from './corpus.ts';
import { framed, joined, u16 } from './draft.ts';

describe('a peer that abuses the state machine', () => {
  let arena: Arena;

  beforeEach(() => {
    arena = new Arena('external');
  });

  afterEach(() => {
    expect(arena.check()).to.deep.equal([]);
  });

  function establish(hold = 90): void {
    arena.hostile.connect();
    arena.run(0.1);
    arena.hostile.say(encodeOpen({ ...arena.open(), holdSeconds: hold }));
    arena.hostile.say(encodeKeepalive());
    arena.run(0.1);
  }

  it('sends one octet an hour in place of its OPEN: let go after four minutes (RFC 4271 §8.2.2)', () => {
    arena.hostile.connect();
    const open = encodeOpen(arena.open());
    for (let i = 0; i < 3; i++) {
      arena.hostile.say(open.subarray(i, i + 1));
      arena.run(3_600);
    }
    expect(arena.hostile.closed).to.equal(true);
    expect(arena.hostile.notification).to.deep.include({ code: 4, subcode: 0 });
  });

  it('sends one octet an hour of an UPDATE: let go after the hold time', () => {
    establish();
    arena.hostile.say(standing('external').subarray(0, 30));
    arena.run(89);
    expect(arena.hostile.closed).to.equal(false);
    arena.hostile.say(standing('external').subarray(30, 31));
    arena.run(2);
    expect(arena.hostile.closed).to.equal(true);
    expect(arena.hostile.notification).to.deep.include({ code: 4, subcode: 0 });
  });

  it('sends its OPEN octet by octet, a second each, and is let in', () => {
    arena.hostile.connect();
    for (const octet of encodeOpen(arena.open())) {
      arena.hostile.say(Uint8Array.of(octet));
      arena.run(1);
    }
    arena.hostile.say(encodeKeepalive());
    arena.run(1);
    expect(arena.neighbour.session.state).to.equal('Established');
  });

  it('proposes hold time 0, never sends its KEEPALIVE, and yet can come back', () => {
    arena.hostile.connect();
    arena.run(0.1);
    arena.hostile.say(encodeOpen({ ...arena.open(), holdSeconds: 0 }));
    arena.run(1);
    expect(arena.neighbour.session.state).to.equal('OpenConfirm');
    // Its machine is gone without a word: no FIN ever comes.
    arena.network.setReading(arena.hostile.options.address, false);
    arena.run(600);
    arena.network.setReading(arena.hostile.options.address, true);
    arena.hostile.abandon();
    establish(0);
    expect(arena.neighbour.session.state).to.equal('Established');
    arena.run(3_600);
    expect(arena.neighbour.session.state, 'an hour later, as hold time 0 says').to.equal('Established');
  });

  for (const [name, ending] of [
    ['a collision', notification(6, 7)],
    ['an unsupported version', notification(2, 1)],
    ['a reset', notification(6, 4)],
  ] as const) {
    it(`comes up and goes with ${name}, as fast as it can: held off longer and longer`, () => {
      for (let i = 0; i < 1_000; i++) {
        establish();
        arena.hostile.say(encodeNotification(ending));
        arena.run(0.1);
      }
      // 300 seconds: 1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + ...
      expect(arena.neighbour.session.counters.establishedTransitions).to.be.below(20);
    });
  }

  it('dies after each OPEN, a thousand times: has an answer every few seconds, and no more', () => {
    const before = arena.neighbour.session.counters.messagesIn;
    for (let i = 0; i < 1_000; i++) {
      arena.hostile.connect();
      arena.run(0.1);
      arena.hostile.say(encodeOpen(arena.open()));
      arena.run(0.1);
      arena.hostile.disconnect();
      arena.run(0.1);
    }
    // 300 seconds; an answer may be due after three quarters of its time (RFC 4271 §10).
    const answers = 300 / (LONGEST_QUIET_AFTER_FAILURE_SECONDS * 0.75);
    expect(arena.neighbour.session.counters.messagesIn - before).to.be.below(answers + 5);
  });

  it('comes back on a new connection without end, restarting gracefully each time', () => {
    arena = new Arena('external', {}, { restartSeconds: 120 });
    const graceful = { ...arena.open(), capabilities: [...arena.open().capabilities, octetsOfRestart()] };
    for (let i = 0; i < 300; i++) {
      arena.hostile.abandon();
      arena.hostile.connect();
      arena.run(0.1);
      arena.hostile.say(joined([encodeOpen(graceful), encodeKeepalive()]));
      arena.run(0.4);
    }
    // 150 seconds.
    expect(arena.neighbour.session.counters.establishedTransitions).to.be.below(20);
  });

  it('asks for everything ten thousand times: told a few times over, not ten thousand', () => {
    establish();
    arena.run(1);
    const before = arena.hostile.updatesHeard;
    const request = encodeRouteRefresh({ family: 'ipv4-unicast', subtype: 0 });
    for (let i = 0; i < 100; i++) {
      arena.hostile.say(joined(Array.from({ length: 100 }, () => request)));
      arena.run(0.01);
    }
    arena.run(10);
    const perDump = 4;
    expect((arena.hostile.updatesHeard - before) / perDump).to.be.below(5);
    expect(arena.hostile.told.size).to.equal(8);
  });

  it('says that its own refresh begins or ends, which asks for nothing (RFC 7313 §4)', () => {
    establish();
    arena.run(1);
    const before = arena.hostile.updatesHeard;
    for (const subtype of [1, 2] as const)
      arena.hostile.say(framed(5, octets(`0001 0${subtype} 01`, 'external')));
    arena.run(1);
    expect(arena.neighbour.session.state).to.equal('Established');
    expect(arena.hostile.updatesHeard - before).to.equal(0);
  });

  it('announces a route that is too long once our AS is before it: taken back from those who had it', () => {
    establish();
    arena.hostile.say(standing('external'));
    arena.run(1);
    const told = (): boolean[] => arena.honest.map((client) => client.told.has(STANDING));
    expect(told()).to.deep.equal([true, true]);
    for (const [communities, fits] of [
      [1_010, true],
      [1_011, false],
      [1_009, true],
    ] as const) {
      const extra = `d0 08 ${(4 * communities).toString(16).padStart(4, '0')} (fde90001)*${communities}`;
      const attributes = octets(`$SOUND ${extra}`, 'external');
      const message = framed(
        2,
        joined([u16(0), u16(attributes.length), attributes, octets('$NLRI', 'external')]),
      );
      expect(message.length).to.be.at.most(4_096);
      arena.hostile.say(message);
      arena.run(1);
      expect(told(), `${communities} communities`).to.deep.equal([fits, fits]);
    }
  });

  it('stops reading: let go by the SendHoldTimer (RFC 9687), everyone else served meanwhile', () => {
    arena = new Arena('external', { window: 512 });
    establish();
    arena.network.setReading(arena.hostile.options.address, false);
    const refresh = encodeRouteRefresh({ family: 'ipv4-unicast', subtype: 0 });
    for (let i = 0; i < 20; i++) {
      arena.hostile.say(encodeKeepalive());
      arena.hostile.say(refresh);
      arena.run(30);
    }
    expect(arena.neighbour.session.state).to.not.equal('Established');
    expect(arena.neighbour.session.lastError).to.match(/Send Hold Timer/);
  });
});

function octetsOfRestart(): {
  code: 64;
  restarting: false;
  notification: false;
  restartSeconds: number;
  families: [];
} {
  return { code: 64, restarting: false, notification: false, restartSeconds: 120, families: [] };
}
