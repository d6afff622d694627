import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { ACCEPT_ALL, type Policy } from '../filter/policy.ts';
import { PrefixIndex } from '../rib/prefix-index.ts';
import type { SpeakerConfig } from './config.ts';
import { routeLines, type RouteLine, type RouteQuery } from './route-lines.ts';
import type { Speaker } from './speaker.ts';
import { World, configOf, peerOf, prefix, type Router } from './testing/world.ts';
import { findNeighbour, neighbourView } from './view.ts';
import { longestMatch, walk } from './walk.ts';

function lines(speaker: Speaker, query: Partial<RouteQuery> = {}): RouteLine[] {
  const whole: RouteQuery = { view: 'all', match: 'exact', explain: false, ...query };
  return [...routeLines(speaker, whole)].filter((line) => line !== undefined);
}

function host(text: string): Partial<RouteQuery> {
  return { prefix: prefix(`${text}/32`), match: 'longest' };
}

function prefixes(speaker: Speaker, query: Partial<RouteQuery> = {}): string[] {
  return lines(speaker, query).map((line) => line.prefix);
}

/** Import that refuses one prefix and prefers another. */
const IMPORT: Policy = {
  rules: [
    {
      name: 'no tests',
      match: { prefix: { operator: 'In', cidr: prefix('10.9.0.0/16') } },
      action: 'reject',
    },
    {
      name: 'prefer ten two',
      match: { prefix: { operator: 'In', cidr: prefix('10.2.0.0/16') } },
      action: 'accept',
      operations: [{ type: 'set-local-pref', value: 200 }],
    },
  ],
  otherwise: 'accept',
};

const EXPORT: Policy = {
  rules: [
    {
      name: 'keep ten three',
      match: { prefix: { operator: 'In', cidr: prefix('10.3.0.0/16') } },
      action: 'reject',
    },
    { name: 'mark', match: {}, action: 'accept', operations: [{ type: 'set-med', value: 5 }] },
  ],
  otherwise: 'reject',
};

/** `a` and `b` tell `m` the same prefixes and their own, `m` tells `c`. */
function network(): { world: World; m: Router; c: Router } {
  const world = new World();
  const m = world.router('m', 65000, '10.0.0.1');
  const a = world.router('a', 65001, '10.0.0.2');
  const b = world.router('b', 65002, '10.0.0.3');
  const c = world.router('c', 65003, '10.0.0.4');
  const importing = { importPolicy: IMPORT };
  m.speaker.configure(
    configOf(
      m,
      [peerOf(m, a, importing), peerOf(m, b), peerOf(m, c, { exportPolicy: EXPORT })],
      ['10.8.0.0/16'],
    ),
  );
  a.speaker.configure(
    configOf(a, [peerOf(a, m)], ['10.1.0.0/16', '10.2.0.0/16', '10.9.0.0/16', 'fd00:1::/64']),
  );
  b.speaker.configure(
    configOf(b, [peerOf(b, m)], ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16', '10.3.7.0/24']),
  );
  c.speaker.configure(configOf(c, [peerOf(c, m)]));
  for (const other of [a, b, c]) world.connect(m, other);
  return { world, m, c };
}

describe('routes for people', () => {
  it('shows every path of both families in order, with the step it lost by and where that stands', () => {
    const { m } = network();
    expect(prefixes(m.speaker)).to.deep.equal([
      '10.1.0.0/16',
      '10.2.0.0/16',
      '10.3.0.0/16',
      '10.3.7.0/24',
      '10.8.0.0/16',
      '10.9.0.0/16',
      'fd00:1::/64',
    ]);
    const [line] = lines(m.speaker, { prefix: prefix('10.2.0.0/16') });
    if (line?.view !== 'all') throw new Error('no such line');
    expect(line.paths.map(({ peer, reason, source }) => ({ peer, reason, source }))).to.have.deep.members([
      { peer: 'a', reason: 'best', source: undefined },
      { peer: 'b', reason: 'lost: another has a higher LOCAL_PREF', source: 'RFC 4271 §9.1.1' },
    ]);
  });

  it('shows what peers sent, with the rule that refused or changed it', () => {
    const { m } = network();
    const neighbour = findNeighbour(m.speaker, '10.0.0.2');
    expect(neighbour?.name).to.equal('a');
    const told = lines(m.speaker, { view: 'in', neighbour, explain: true });
    const byPrefix = Object.fromEntries(
      told.map((line) => (line.view === 'in' ? [line.prefix, line.import] : [])),
    );
    expect(byPrefix).to.deep.equal({
      '10.1.0.0/16': { accepted: true, rule: 'no rule matched', changedBy: [], changes: [] },
      '10.2.0.0/16': {
        accepted: true,
        rule: 'prefer ten two',
        changedBy: ['prefer ten two'],
        changes: [{ field: 'localPref', before: undefined, after: 200 }],
      },
      '10.9.0.0/16': { accepted: false, rule: 'no tests', changedBy: [], changes: [] },
      'fd00:1::/64': { accepted: true, rule: 'no rule matched', changedBy: [], changes: [] },
    });
  });

  it('shows what a peer is told, and when asked also what not and why', () => {
    const { m } = network();
    const neighbour = findNeighbour(m.speaker, 'c');
    expect(prefixes(m.speaker, { view: 'out', neighbour, family: 'ipv4-unicast' })).to.deep.equal([
      '10.1.0.0/16',
      '10.2.0.0/16',
      '10.8.0.0/16',
    ]);
    const held = lines(m.speaker, { view: 'out', neighbour, explain: true, prefix: prefix('10.3.7.0/24') });
    expect(held).to.deep.equal([
      { view: 'out', prefix: '10.3.7.0/24', peer: 'c', told: false, reason: 'keep ten three', changedBy: [] },
    ]);
    const [told] = lines(m.speaker, { view: 'out', neighbour, prefix: prefix('10.2.0.0/16') });
    expect(told).to.deep.include({ told: true, reason: 'mark', changedBy: ['mark'], nextHop: '10.0.0.1' });
    expect(told).to.have.nested.property('attributes.med', 5);
    expect(told).to.have.nested.property('attributes.asPath', '65000 65001');
  });

  it('says that a change waits for its turn', () => {
    const { m } = network();
    const neighbour = findNeighbour(m.speaker, 'c');
    if (neighbour === undefined) throw new Error('no such peer');
    // The policy is another, and the clock stands still: nothing was sent.
    const config = m.speaker.config as SpeakerConfig;
    const peers = config.peers.map((peer) =>
      peer.session.name === 'c' ? { ...peer, exportPolicy: ACCEPT_ALL } : peer,
    );
    m.speaker.configure({ ...config, peers });
    const query = { view: 'out', neighbour, prefix: prefix('10.3.7.0/24') } as const;
    expect(lines(m.speaker, query)).to.have.nested.property('[0].pending', true);
  });

  it('narrows by prefix, address, family and peer, and stops at the limit', () => {
    const { m } = network();
    const { speaker } = m;
    expect(prefixes(speaker, { prefix: prefix('10.3.0.0/16'), match: 'within' })).to.deep.equal([
      '10.3.0.0/16',
      '10.3.7.0/24',
    ]);
    expect(prefixes(speaker, host('10.3.7.9'))).to.deep.equal(['10.3.7.0/24']);
    expect(prefixes(speaker, host('10.3.9.9'))).to.deep.equal(['10.3.0.0/16']);
    expect(prefixes(speaker, host('192.0.2.1'))).to.deep.equal([]);
    // Nobody's best path: import refused it.
    expect(prefixes(speaker, { ...host('10.9.0.1'), view: 'best' })).to.deep.equal([]);
    expect(prefixes(speaker, { family: 'ipv6-unicast' })).to.deep.equal(['fd00:1::/64']);
    expect(prefixes(speaker, { view: 'best', neighbour: findNeighbour(speaker, 'b') })).to.deep.equal([
      '10.1.0.0/16',
      '10.3.0.0/16',
      '10.3.7.0/24',
    ]);
    expect(prefixes(speaker, { limit: 2 })).to.have.length(2);
    expect(prefixes(speaker, { prefix: prefix('10.0.0.0/8') })).to.deep.equal([]);
  });

  it('goes on while routes come and go', () => {
    const { world, m } = network();
    const reading = routeLines(m.speaker, { view: 'all', match: 'exact', explain: false });
    for (let line = reading.next(); line.done !== true && line.value === undefined; ) line = reading.next();
    m.sessions.get('b').lose({ cause: 'administrative' }, { cause: 'administrative' });
    world.settle();
    const rest = [...reading].filter((line) => line !== undefined).map((line) => line.prefix);
    expect(rest).not.to.include('10.3.7.0/24');
    expect(rest).to.include('10.9.0.0/16');
  });

  it('tells all about one peer', () => {
    const { world, m } = network();
    const neighbour = findNeighbour(m.speaker, 'a');
    if (neighbour === undefined) throw new Error('no such peer');
    const view = neighbourView(m.speaker, neighbour, world.clock);
    expect(view).to.deep.include({ name: 'a', kind: 'external', localRouterId: '10.0.0.1', localAsn: 65000 });
    expect(view.routes).to.deep.equal([
      { family: 'ipv4-unicast', received: 3, accepted: 2, rejected: 1, stale: 0, advertised: 3 },
      { family: 'ipv6-unicast', received: 1, accepted: 1, rejected: 0, stale: 0, advertised: 0 },
    ]);
    expect(view.settled).to.deep.include({ holdSeconds: 90 });
    expect(findNeighbour(m.speaker, 'nobody')).to.equal(undefined);
  });
});

/** How often somebody looks at a prefix: work that does not depend on how busy the machine is. */
class CountingIndex extends PrefixIndex {
  looks = 0;

  override word(id: number, n: 0 | 1 | 2 | 3): number {
    this.looks++;
    return super.word(id, n);
  }
}

describe('a walk over prefixes', () => {
  const anyPrefix = fc
    .tuple(fc.boolean(), fc.nat(0xffffff), fc.nat(0xff), fc.integer({ min: 0, max: 128 }))
    .map(([v6, high, low, length]) =>
      v6
        ? Prefix.of(Address.v6(high << 8, low, 0, low), length)
        : Prefix.of(Address.v4((high << 8) | low), length % 33),
    );

  it('comes in order, whatever the ids, in both versions', () => {
    fc.assert(
      fc.property(
        fc.array(anyPrefix, { maxLength: 200 }),
        fc.constantFrom(4 as const, 6 as const),
        (any, version) => {
          const index = new PrefixIndex();
          const of = any.filter((each) => each.version === version);
          for (const each of of) index.acquire(each);
          const got = [...walk(index, () => true)].flatMap((id) =>
            id === undefined ? [] : [String(index.prefix(id))],
          );
          const want = [...new Set(of.toSorted((a, b) => a.compare(b)).map(String))];
          expect(got).to.deep.equal(want);
        },
      ),
    );
  });

  it('merges many runs, and works little between two values', () => {
    const index = new CountingIndex();
    const count = 20_000;
    // A stride that is prime to the count: every prefix once, in no order.
    for (let i = 0; i < count; i++) index.acquire(Prefix.of(Address.v4(((i * 7919) % count) << 8), 24));
    const order: number[] = [];
    let most = 0;
    index.looks = 0;
    for (const id of walk(index, () => true)) {
      most = Math.max(most, index.looks);
      if (id !== undefined) order.push(index.word(id, 0));
      index.looks = 0;
    }
    expect(order).to.deep.equal(Array.from({ length: count }, (_, i) => i << 8));
    // What sorting one run takes; all at once would be ten times as many.
    expect(most).to.be.below(100_000);
  });

  it('finds the most specific prefix that is wanted', () => {
    const index = new PrefixIndex();
    for (const text of ['0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16']) index.acquire(prefix(text));
    const of = (text: string, wanted = (_: number, found: Prefix) => found.length !== 16): string =>
      String(longestMatch(index, prefix(text), wanted));
    expect(of('10.1.2.3/32')).to.equal('10.0.0.0/8');
    expect(of('10.1.2.3/32', () => true)).to.equal('10.1.0.0/16');
    expect(of('10.0.0.0/8')).to.equal('10.0.0.0/8');
    expect(of('192.0.2.1/32')).to.equal('0.0.0.0/0');
    expect(of('fd00::1/128')).to.equal('undefined');
  });
});
