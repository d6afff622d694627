import { expect } from 'chai';
import { clearPeer, type ClearMode } from './clear.ts';
import { World, configOf, peerOf, type Router } from './testing/world.ts';

describe('clearing a session', () => {
  let world: World;
  let m: Router;
  let a: Router;

  beforeEach(() => {
    world = new World();
    m = world.router('m', 65000, '10.0.0.1');
    a = world.router('a', 65001, '10.0.0.2');
    m.speaker.configure(configOf(m, [peerOf(m, a)], ['10.5.0.0/16', 'fd00:5::/64']));
    a.speaker.configure(configOf(a, [peerOf(a, m)], ['10.1.0.0/16']));
    world.connect(m, a);
  });

  const clear = (mode: ClearMode, family?: 'ipv4-unicast' | 'ipv6-unicast') => {
    const [neighbour] = m.speaker.neighbours;
    if (neighbour === undefined) throw new Error('no neighbour');
    return clearPeer(m.speaker, neighbour, mode, family);
  };
  const heard = (): number => a.sessions.get('m').received.length;

  it('ends it with an administrative reset, drops what it brought, and starts anew', () => {
    expect(m.table.entries.has('10.1.0.0/16')).to.equal(true);
    expect(clear('hard')).to.deep.include({ outcome: 'reset' });
    expect(m.sessions.get('a').stops).to.deep.equal([{ subcode: 4, said: undefined }]);
    expect(m.sessions.get('a').state).to.equal('Connect');
    world.settle();
    expect(m.table.entries.has('10.1.0.0/16')).to.equal(false);
    world.connect(m, a);
    expect(m.table.entries.has('10.1.0.0/16')).to.equal(true);
  });

  it('asks for routes inwards, and tells nothing', () => {
    const before = heard();
    expect(clear('in')).to.deep.include({
      outcome: 'refreshed',
      asked: ['ipv4-unicast', 'ipv6-unicast'],
      told: [],
    });
    expect(m.sessions.get('a').refreshed).to.deep.equal(['ipv4-unicast', 'ipv6-unicast']);
    world.settle();
    expect(heard()).to.equal(before);
    expect(m.sessions.get('a').stops).to.deep.equal([]);
  });

  it('tells routes of one family again, and asks for nothing', () => {
    const before = heard();
    expect(clear('out', 'ipv6-unicast')).to.deep.include({ asked: [], told: ['ipv6-unicast'] });
    world.settle();
    const again = a.sessions.get('m').received.slice(before);
    expect(again.flatMap(({ reach }) => reach.flatMap(({ nlri }) => nlri.length))).to.deep.equal([1]);
    expect(again.every(({ reach }) => reach.every(({ family }) => family === 'ipv6-unicast'))).to.equal(true);
    expect(m.sessions.get('a').refreshed).to.deep.equal([]);
  });

  it('judges stored routes again where the peer knows no ROUTE-REFRESH', () => {
    const session = m.sessions.get('a');
    const [neighbour] = m.speaker.neighbours;
    if (neighbour?.negotiated === undefined) throw new Error('not up');
    neighbour.negotiated = { ...neighbour.negotiated, routeRefresh: false };
    expect(clear('soft')).to.deep.include({ asked: [], judged: ['ipv4-unicast', 'ipv6-unicast'] });
    expect(session.refreshed).to.deep.equal([]);
    world.settle();
    expect(m.table.entries.has('10.1.0.0/16')).to.equal(true);
  });

  it('lets a session go that a prefix limit holds down, and says when there is none', () => {
    const limit = { max: 1, action: 'shutdown' } as const;
    m.speaker.configure(configOf(m, [peerOf(m, a, { prefixLimits: { 'ipv4-unicast': limit } })]));
    a.speaker.configure(configOf(a, [peerOf(a, m)], ['10.1.0.0/16', '10.2.0.0/16']));
    world.settle();
    expect(m.speaker.neighbours[0]?.limits.held?.until).to.equal(undefined);
    expect(m.sessions.get('a').state).to.equal('Idle');
    expect(clear('in')).to.deep.include({ outcome: 'not-established' });
    expect(clear('hard')).to.deep.include({ outcome: 'released' });
    expect(m.sessions.get('a').state).to.equal('Connect');
    expect(m.speaker.neighbours[0]?.limits.held).to.equal(undefined);
  });
});
