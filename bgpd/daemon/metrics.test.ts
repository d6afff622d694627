import { expect } from 'chai';
import { exposition, type Metric } from '../../daemon/metrics.ts';
import { parseMetricsEndpoint, serveMetrics } from '../../daemon/metrics-server.ts';
import { World, configOf, peerOf } from '../speaker/testing/world.ts';
import { BGPD_METRICS } from './metrics.ts';
import type { Subject } from './subject.ts';

/** For one of the two families. */
const LIMITS = { 'ipv4-unicast': { max: 5, action: 'reject' } } as const;

function subject(): Subject {
  const world = new World();
  const m = world.router('m', 65000, '10.0.0.1');
  const a = world.router('a', 65001, '10.0.0.2');
  m.speaker.configure(configOf(m, [peerOf(m, a, { prefixLimits: LIMITS })]));
  a.speaker.configure(configOf(a, [peerOf(a, m)], ['10.1.0.0/16', 'fd00:1::/64']));
  world.connect(m, a);
  const engine = { speaker: m.speaker, clock: world.clock, fib: undefined, startedAt: 0 };
  return { node: 'm', engine: engine as unknown as Subject['engine'], synced: true, problems: [] };
}

function samples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

describe('metrics of bgpd', () => {
  it('say what the speaker knows', () => {
    const found = samples([...exposition(BGPD_METRICS, subject())].join(''));
    const want = {
      poplin_bgp_configured: 1,
      'poplin_bgp_peers{state="Established"}': 1,
      'poplin_bgp_peers{state="Idle"}': 0,
      'poplin_bgp_peer_up{peer="a"}': 1,
      'poplin_bgp_peer_routes_received{peer="a",family="ipv4-unicast"}': 1,
      'poplin_bgp_peer_routes_received{peer="a",family="ipv6-unicast"}': 1,
      'poplin_bgp_rib_prefixes{family="ipv4-unicast"}': 1,
      'poplin_bgp_rib_undecided_prefixes{family="ipv4-unicast"}': 0,
      poplin_bgp_rib_attribute_sets: 1,
      'poplin_bgp_peer_prefix_limit_max{peer="a",family="ipv4-unicast"}': 5,
      'poplin_bgp_peer_prefix_limit_count{peer="a",family="ipv4-unicast"}': 1,
      'poplin_bgp_peer_prefix_limit_exceeded{peer="a",family="ipv4-unicast"}': 0,
      'poplin_bgp_peer_prefix_limit_refused{peer="a",family="ipv4-unicast"}': 0,
      'poplin_bgp_peer_held_down{peer="a"}': 0,
    };
    for (const [name, value] of Object.entries(want)) expect(found.get(name), name).to.equal(value);
    expect(found.has('poplin_bgp_peer_prefix_limit_max{peer="a",family="ipv6-unicast"}')).to.equal(false);
    expect(found.get('process_resident_memory_bytes')).to.be.above(1e6);
    expect([...found.values()].every(Number.isFinite)).to.equal(true);
  });

  it('have names and labels as Prometheus wants them, each once', () => {
    const names = BGPD_METRICS.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
    for (const { name, type, labels, help } of BGPD_METRICS) {
      expect(name).to.match(/^(?:poplin|process|nodejs)_[a-z_]+$/);
      expect(name.endsWith('_total'), name).to.equal(type === 'counter');
      for (const label of labels) expect(label).to.match(/^[a-z_]+$/);
      expect(help, name).not.to.match(/\.$/);
    }
  });

  it('escape what a peer may be called', () => {
    const metric: Metric<undefined> = {
      name: 'x',
      type: 'gauge',
      help: 'back\\slash',
      labels: ['peer'],
      read: () => [{ labels: ['a"b\\c\nd'], value: Number.POSITIVE_INFINITY }],
    };
    expect([...exposition([metric], undefined)].join('')).to.equal(
      '# HELP x back\\\\slash\n# TYPE x gauge\nx{peer="a\\"b\\\\c\\nd"} +Inf\n',
    );
  });

  it('are served on a port where that is asked for, and nothing else is', async () => {
    const served = await serveMetrics({ address: '127.0.0.1', port: 0 }, BGPD_METRICS, subject());
    if (!served.ok) throw new Error(JSON.stringify(served.problems));
    const { port } = served.value;
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      expect(answer.headers.get('content-type')).to.equal('text/plain; version=0.0.4; charset=utf-8');
      expect(samples(await answer.text()).get('poplin_bgp_peer_up{peer="a"}')).to.equal(1);
      expect((await fetch(`http://127.0.0.1:${port}/status`)).status).to.equal(404);
      const taken = await serveMetrics({ address: '127.0.0.1', port }, BGPD_METRICS, subject());
      expect(taken.ok ? [] : taken.problems.map(({ code }) => code)).to.deep.equal(['METRICS_LISTEN_FAILED']);
    } finally {
      served.value.close();
    }
  });

  const endpoints = [
    ['9179', { address: '127.0.0.1', port: 9179 }],
    ['10.0.0.1:9179', { address: '10.0.0.1', port: 9179 }],
    ['[fd00::1]:9179', { address: 'fd00::1', port: 9179 }],
    ['70000', undefined],
    ['all:9179', undefined],
    ['fd00::1', undefined],
  ] as const;
  for (const [text, want] of endpoints) {
    it(`read the endpoint ${text}`, () => {
      const parsed = parseMetricsEndpoint(text);
      expect(parsed.ok ? parsed.value : undefined).to.deep.equal(want);
    });
  }
});
