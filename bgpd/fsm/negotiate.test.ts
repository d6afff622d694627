import { expect } from 'chai';
import fc from 'fast-check';
import { text } from '../wire/testing/octets.ts';
import * as arbitrary from '../wire/testing/arbitraries.ts';
import type { OpenMessage } from '../wire/types.ts';
import { survivor } from './collision.ts';
import { idleHoldSeconds } from './damping.ts';
import { negotiate } from './negotiate.ts';
import { openMessage } from './open.ts';
import type { FsmConfig } from './state.ts';
import { CONFIG as IPV4_ONLY } from './testing/session-world.ts';

const CONFIG: FsmConfig = { ...IPV4_ONLY, families: ['ipv4-unicast', 'ipv6-unicast'] };

const OPEN: OpenMessage = {
  type: 'open',
  version: 4,
  asn: 65001,
  holdSeconds: 180,
  routerId: 0x0a00_0002,
  capabilities: [
    { code: 1, afi: 2, safi: 1 },
    { code: 1, afi: 1, safi: 1 },
    { code: 65, asn: 65001 },
  ],
};

function agreed(open: Partial<OpenMessage>, config: Partial<FsmConfig> = {}) {
  const answer = negotiate({ ...OPEN, ...open }, { ...CONFIG, ...config });
  if (!answer.ok) throw new Error(answer.reason);
  return answer.peer;
}

describe('negotiation', () => {
  it('takes the smaller hold time and a third of it for keepalives, at least a second', () => {
    const cases = [
      [90, 180, 90, 30],
      [180, 90, 90, 30],
      [3, 90, 3, 1],
      [4, 90, 4, 1],
      [0, 90, 0, 0],
      [90, 0, 0, 0],
      [65535, 65535, 65535, 21845],
    ];
    for (const [ours, theirs, hold, keepalive] of cases) {
      const peer = agreed({ holdSeconds: theirs ?? 0 }, { holdSeconds: ours ?? 0 });
      expect([peer.holdSeconds, peer.keepaliveSeconds]).to.deep.equal([hold, keepalive]);
    }
  });

  it('keeps the families of both, in our order', () =>
    expect(agreed({}).families).to.deep.equal(['ipv4-unicast', 'ipv6-unicast']));

  it('takes a peer without the multiprotocol capability for an IPv4 one (RFC 4760 §8)', () =>
    expect(agreed({ capabilities: [] })).to.deep.include({ families: ['ipv4-unicast'], fourOctetAs: false }));

  it('does not take IPv4 for granted from one that has it', () =>
    expect(agreed({ capabilities: [{ code: 1, afi: 2, safi: 1 }] }).families).to.deep.equal([
      'ipv6-unicast',
    ]));

  it('lets the last of several graceful-restart capabilities count (RFC 4724 §3)', () => {
    const one = {
      code: 64,
      restarting: false,
      notification: false,
      restartSeconds: 1,
      families: [],
    } as const;
    expect(
      agreed({ capabilities: [one, { ...one, restartSeconds: 2 }] }).gracefulRestart?.restartSeconds,
    ).to.equal(2);
    expect(agreed({}).gracefulRestart).to.equal(undefined);
  });

  it('tells an internal from an external peer', () => {
    expect(agreed({}).internal).to.equal(false);
    expect(agreed({ asn: 65101 }, { peerAsn: undefined }).internal).to.equal(true);
  });

  it('lets another AS have our identifier, but not our own (RFC 6286 §2.2)', () => {
    expect(agreed({ routerId: CONFIG.routerId }).peerRouterId).to.equal(CONFIG.routerId);
    const own = negotiate(
      { ...OPEN, asn: 65101, routerId: CONFIG.routerId },
      { ...CONFIG, peerAsn: undefined },
    );
    expect(!own.ok && [own.notification.code, own.notification.subcode]).to.deep.equal([2, 3]);
  });

  it('refuses the wrong AS with words, and takes any where none is configured', () => {
    const wrong = negotiate({ ...OPEN, asn: 4_200_000_001 }, CONFIG);
    expect(!wrong.ok && wrong.reason).to.equal(
      'OPEN Message Error / Bad Peer AS (2/2): the peer says AS 4200000001, AS 65001 is configured',
    );
    expect(!wrong.ok && text(wrong.notification.data)).to.equal('fa 56 ea 01');
    expect(agreed({ asn: 64999 }, { peerAsn: undefined }).peerAsn).to.equal(64999);
  });

  it('refuses a peer without a family in common, naming ours (RFC 5492 §3)', () => {
    const none = negotiate({ ...OPEN, capabilities: [{ code: 1, afi: 1, safi: 128 }] }, CONFIG);
    expect(!none.ok && none.notification.subcode).to.equal(7);
    expect(!none.ok && text(none.notification.data)).to.equal('01 04 00 01 00 01 01 04 00 02 00 01');
  });

  it('comes to one answer on both sides', () => {
    const side = fc.record({
      localAsn: arbitrary.asn.filter((asn) => asn !== 23456),
      routerId: fc.integer({ min: 1, max: 0xffff_ffff }),
      holdSeconds: fc.oneof(fc.constant(0), fc.integer({ min: 3, max: 65535 })),
      families: fc.constantFrom<FsmConfig['families']>(
        ['ipv4-unicast'],
        ['ipv6-unicast'],
        ['ipv4-unicast', 'ipv6-unicast'],
      ),
    });
    const still = { restarting: false, forwarding: () => false };
    fc.assert(
      fc.property(side, side, (a, b) => {
        const rest = { peerAsn: undefined, connectRetrySeconds: 1, passive: false };
        const atA = negotiate(openMessage(b, still), { ...a, ...rest });
        const atB = negotiate(openMessage(a, still), { ...b, ...rest });
        expect(atA.ok).to.equal(atB.ok);
        if (!atA.ok || !atB.ok) return;
        for (const field of ['holdSeconds', 'keepaliveSeconds', 'internal', 'fourOctetAs'] as const)
          expect(atA.peer[field], field).to.equal(atB.peer[field]);
        expect(new Set(atA.peer.families)).to.deep.equal(new Set(atB.peer.families));
      }),
    );
  });
});

describe('collision (RFC 4271 §6.8, RFC 6286 §2.3)', () => {
  const cases = [
    { it: 'our identifier is higher', local: [2, 100], peer: [1, 200], stays: 'local' },
    { it: 'theirs is higher', local: [1, 200], peer: [2, 100], stays: 'peer' },
    { it: 'identifiers are unsigned', local: [0xc0a8_0001, 1], peer: [0x0a00_0001, 1], stays: 'local' },
    { it: 'equal identifiers, our AS is higher', local: [1, 200], peer: [1, 100], stays: 'local' },
    { it: 'equal identifiers, their AS is higher', local: [1, 100], peer: [1, 4_200_000_000], stays: 'peer' },
  ] as const;
  for (const { it: title, local, peer, stays } of cases) {
    it(title, () => {
      const [a, b] = [local, peer].map(([routerId, asn]) => ({ routerId, asn }));
      if (a === undefined || b === undefined) return;
      expect(survivor(a, b)).to.equal(stays);
      expect(survivor(b, a), 'seen from the other side').to.equal(stays === 'local' ? 'peer' : 'local');
    });
  }
});

describe('idle hold', () => {
  it('doubles from a second to a minute', () =>
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 1000].map((ends) => idleHoldSeconds(ends))).to.deep.equal([
      1, 1, 2, 4, 8, 16, 32, 60, 60, 60,
    ]));
});
