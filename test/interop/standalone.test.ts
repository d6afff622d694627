/**
 * `poplin bgpd --config` with a real BIRD: routes both ways, a file that changes, TTLs, leaving and coming back.
 *
 * tor (BIRD, AS 65001) - edge (poplin bgpd, AS 65101); far (BIRD, AS 65003) behind tor, two hops away from edge
 */
import { expect } from 'chai';
import type { Reloaded } from '../../bgpd/daemon/standalone.ts';
import { Alone } from './peers/alone.ts';
import { Bird } from './peers/bird.ts';
import { eventually } from './peers/eventually.ts';
import { Lab } from './peers/lab.ts';

const TOR = `
router id 192.0.2.2;
log stderr all;
protocol device { scan time 1; }
protocol static s4 { ipv4; route 10.50.0.0/24 blackhole; route 10.51.0.0/24 blackhole; }
protocol static s6 { ipv6; route fd00:50::/64 blackhole; }
template bgp node { local as 65001; graceful restart on; connect retry time 1; connect delay time 1; error wait time 1, 2; }
protocol bgp edge4 from node { neighbor 192.0.2.1 as 65101; ipv4 { import all; export all; }; ipv6 { import all; export all; }; }
protocol bgp edge6 from node { neighbor 2001:db8::1 as 65101; ipv6 { import all; export all; }; }
`;

const FAR = `
router id 198.51.100.3;
log stderr all;
protocol device { scan time 1; }
protocol bgp edge { local 198.51.100.3 as 65003; neighbor 192.0.2.1 as 65101; multihop 5; connect retry time 1; connect delay time 1; error wait time 1, 2; ipv4 { import all; export all; }; }
`;

interface Options {
  readonly refused?: string;
  readonly far?: string;
  readonly hold?: number;
  readonly origin?: string;
}

const edge = ({
  refused = '10.99.0.0/24',
  far = '',
  hold = 30,
  origin = '10.60.0.0/24',
}: Options = {}): string => `
asNumber: 65101
routerId: 192.0.2.1
kernelExport: true
addresses: ["2001:db8::1"]
originate:
  - {prefix: ${origin}, communities: ["65101:7"], blackhole: true}
  - {prefix: "fd00:60::/64"}
filters:
  clean: [{match: {prefixes: [{prefix: ${refused}}]}, action: reject}]
  ours: [{match: {source: local}, action: accept}]
peerGroups:
  tors: {asNumber: 65001, import: [clean, accept-all], export: [ours], timers: {connectRetrySeconds: 1}}
peers:
  - {name: tor, address: 192.0.2.2, group: tors, timers: {holdSeconds: ${hold}}}
  - {name: tor-v6, address: "2001:db8::2", group: tors, families: [ipv6-unicast]}
${far}
`;

const farPeer = (ttl: string): string =>
  `  - {name: far, address: 198.51.100.3, asNumber: 65003, import: [accept-all], export: [ours], timers: {connectRetrySeconds: 1}${ttl}}`;

describe('the speaker alone, with a real BIRD', function () {
  this.timeout(400_000);

  let lab: Lab;
  let bird: Bird;
  let farBird: Bird;
  let alone: Alone;

  before(async function () {
    if (process.getuid?.() !== 0) {
      console.log('      SKIPPED: needs root to make network namespaces');
      this.skip();
    }
    lab = new Lab();
    for (const node of ['edge', 'tor', 'far']) await lab.node(node);
    await lab.link(
      { node: 'edge', interface: 'eth1', addresses: ['192.0.2.1/30', '2001:db8::1/64'] },
      { node: 'tor', interface: 'eth1', addresses: ['192.0.2.2/30', '2001:db8::2/64'] },
    );
    await lab.link(
      { node: 'tor', interface: 'eth2', addresses: ['198.51.100.2/29'] },
      { node: 'far', interface: 'eth1', addresses: ['198.51.100.3/29'] },
    );
    await lab.run('edge', 'ip', ['route', 'add', '198.51.100.0/29', 'via', '192.0.2.2']);
    await lab.run('far', 'ip', ['route', 'add', '192.0.2.0/30', 'via', '198.51.100.2']);
    bird = new Bird(lab, 'tor');
    farBird = new Bird(lab, 'far');
    alone = new Alone(lab, 'edge');
    await Promise.all([bird.start(TOR), farBird.start(FAR)]);
    alone.write(edge());
    alone.start();
    await established('tor', 'tor-v6');
  });

  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(alone?.lines.splice(0).join(''));
  });

  after(async () => {
    await lab?.close();
  });

  function established(...names: readonly string[]): Promise<unknown> {
    return eventually(
      `${names.join(', ')} Established`,
      () => alone.status(),
      ({ peers }) =>
        names.every((name) => peers.some((peer) => peer.name === name && peer.state === 'Established')),
      40_000,
    );
  }

  /** birdc fails where it has no such route. */
  async function birdRoute(prefix: string): Promise<string> {
    return bird.birdc(`show route all ${prefix}`).catch(() => '');
  }

  function birdHas(prefix: string, pattern: RegExp): Promise<unknown> {
    return eventually(
      `${prefix} in BIRD`,
      () => birdRoute(prefix),
      (text) => pattern.test(text),
    );
  }

  function kernelHas(prefix: string, pattern: RegExp): Promise<unknown> {
    const version = prefix.includes(':') ? '-6' : '-4';
    return eventually(
      `${prefix} in the kernel`,
      () => lab.run('edge', 'ip', [version, 'route', 'show', prefix]),
      (text) => pattern.test(text),
    );
  }

  /** When BIRD's session came up: a restart is another time. */
  async function sinceInBird(protocol = 'edge4'): Promise<string> {
    const text = await bird.birdc(`show protocols ${protocol}`);
    return /up\s+(\S+)/.exec(text)?.[1] ?? text;
  }

  it('tells its prefixes and learns the others, both families', async () => {
    await birdHas('10.60.0.0/24', /BGP\.community: \(65101,7\)/);
    await birdHas('fd00:60::/64', /BGP\.as_path: 65101/);
    await kernelHas('10.50.0.0/24', /via 192\.0\.2\.2 .*proto 80/);
    await kernelHas('fd00:50::/64', /via 2001:db8::2 .*proto 80/);
    await kernelHas('10.60.0.0/24', /blackhole .*proto 80/);
  });

  it('evaluates a changed filter on the routes that are there, and touches no session', async () => {
    const since = await sinceInBird();
    alone.write(edge({ refused: '10.51.0.0/24', origin: '10.61.0.0/24' }));
    const pretended = await alone.reload('--dry-run');
    expect(pretended.out).to.match(/This is what would happen/);
    const structured = JSON.parse((await alone.reload('--dry-run', '-o', 'json')).out) as Reloaded;
    expect(structured.router).to.deep.equal(['originate']);
    expect(structured.peers.find(({ peer }) => peer === 'tor')).to.deep.include({
      action: 'policy',
      changes: [{ field: 'importPolicy', effect: 'import' }],
    });
    await kernelHas('10.51.0.0/24', /proto 80/);
    const { code, out } = await alone.reload();
    expect(code).to.equal(0);
    expect(out).to.match(/changed for the whole router: originate/);
    expect(out).to.match(/^tor +policy re-evaluated +importPolicy$/m);
    await kernelHas('10.51.0.0/24', /^$/);
    await birdHas('10.61.0.0/24', /65101/);
    await birdHas('10.60.0.0/24', /^$/);
    expect(await sinceInBird()).to.equal(since);
  });

  it('restarts the one session whose terms changed, and only that', async () => {
    const v6 = await sinceInBird('edge6');
    alone.write(edge({ hold: 33 }));
    const { out } = await alone.reload();
    expect(out).to.match(/^tor +session restarted +holdSeconds/m);
    expect(out).to.match(/^tor-v6 +policy re-evaluated +importPolicy$/m);
    await established('tor', 'tor-v6');
    await eventually(
      'the new hold time',
      () => bird.birdc('show protocols all edge4'),
      (text) => /Hold timer:.*\/33/.test(text),
    );
    expect(await sinceInBird('edge6')).to.equal(v6);
  });

  it('refuses a broken file with line and column, and goes on as before', async () => {
    const since = await sinceInBird();
    alone.write(edge().replace('export: [ours]', 'export: [outs]'));
    const { code, err } = await alone.reload();
    expect(code).to.equal(1);
    expect(err).to.match(/edge\.yaml:14:65, peerGroups\.tors\.export\[0\]: there is no filter "outs"/);
    expect((await alone.status()).problems.map(({ code }) => code)).to.include('REFERENCE_MISSING');
    alone.write('asNumber: [');
    alone.signal('SIGHUP');
    await eventually(
      'the log says why',
      () => alone.lines.join(''),
      (text) => /is refused; what runs goes on unchanged/.test(text),
    );
    expect(await sinceInBird()).to.equal(since);
    alone.write(edge());
    expect((await alone.reload()).code).to.equal(0);
    expect((await alone.status()).problems).to.deep.equal([]);
  });

  it('reaches a peer two hops away with multihopTtl, and not without', async () => {
    alone.write(edge({ far: farPeer('') }));
    alone.signal('SIGHUP');
    await eventually(
      'far is known',
      () => alone.status(),
      ({ peers }) => peers.some(({ name }) => name === 'far'),
    );
    await new Promise((resolve) => setTimeout(resolve, 4000));
    expect((await alone.status()).peers.find(({ name }) => name === 'far')?.state).to.not.equal(
      'Established',
    );
    alone.write(edge({ far: farPeer(', multihopTtl: 2') }));
    expect((await alone.reload()).out).to.match(/^far +session restarted +ttl$/m);
    await established('far', 'tor');
    await eventually(
      'our prefix at far',
      () => farBird.birdc('show route'),
      (text) => text.includes('10.60.0.0/24'),
    );
  });

  it('ends a session that is no longer there, with a word', async () => {
    alone.write(edge());
    expect((await alone.reload()).out).to.match(/^far +removed$/m);
    await eventually(
      'BIRD read why',
      () => farBird.birdc('show protocols all edge'),
      (text) => /Peer de-configured|Cease/i.test(text),
    );
  });

  it('takes a peer from a range as it comes, and lets it go with the range', async () => {
    const range =
      'dynamicPeers:\n  - {prefix: 198.51.100.0/24, asNumber: external, multihopTtl: 2, import: [accept-all], export: [ours]}';
    alone.write(edge({ far: range }));
    expect((await alone.reload()).out).to.match(/^tor +nothing$/m);
    await established('198.51.100.3', 'tor');
    await eventually(
      'our prefix at far',
      () => farBird.birdc('show route'),
      (text) => text.includes('10.60.0.0/24'),
    );
    alone.write(edge());
    expect((await alone.reload()).out).to.match(/^198\.51\.100\.3 +removed$/m);
    expect((await alone.status()).peers.map(({ name }) => name)).to.deep.equal(['tor', 'tor-v6']);
  });

  it('clears a session on demand: softly without a new one, hard with one that BIRD sees', async () => {
    const since = await sinceInBird();
    expect(await alone.clear('tor', '--soft', 'both')).to.match(/tor +asked for .*; told /);
    expect(await sinceInBird()).to.equal(since);
    expect(await alone.clear('tor')).to.match(/tor +session ended, and started again/);
    await eventually(
      'another session in BIRD',
      () => sinceInBird(),
      (text) => /^\d/.test(text) && text !== since,
    );
    await established('tor', 'tor-v6');
    await birdHas('10.60.0.0/24', /unicast/);
  });

  it('leaves on SIGTERM so that BIRD keeps the routes, and is back before they go', async () => {
    await birdHas('10.60.0.0/24', /unicast/);
    await alone.kill('SIGTERM');
    const text = await bird.birdc('show route 10.60.0.0/24');
    expect(text).to.match(/10\.60\.0\.0\/24/);
    await kernelHas('10.50.0.0/24', /proto 80/);
    alone.start();
    await established('tor', 'tor-v6');
    await birdHas('10.60.0.0/24', /unicast/);
  });

  it('says goodbye on SIGINT, and BIRD drops the routes at once', async () => {
    await alone.kill('SIGINT');
    await birdHas('10.60.0.0/24', /^$/);
  });
});
