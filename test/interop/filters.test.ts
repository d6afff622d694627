/**
 * Filters and prefix limits between two real BIRDs: what one says, what our policy makes of it, what the other shows.
 *
 * up (BIRD, AS 65001) - edge (poplin bgpd, AS 65101) - down (BIRD, AS 65002)
 */
import { expect } from 'chai';
import { Alone } from './peers/alone.ts';
import { Bird } from './peers/bird.ts';
import { eventually } from './peers/eventually.ts';
import { Lab } from './peers/lab.ts';

const UP = `
router id 192.0.2.2;
log stderr all;
protocol device { scan time 1; }
protocol static s4 { ipv4; route 10.50.0.0/24 blackhole; route 10.51.0.0/24 blackhole; }
protocol static more { ipv4; route 10.52.0.0/24 blackhole; }
protocol static s6 { ipv6; route fd00:50::/64 blackhole; }
filter tags {
  if net = 10.50.0.0/24 || net = fd00:50::/64 then {
    bgp_community.add((65001, 100));
    bgp_community.add((64999, 1));
    bgp_ext_community.add((rt, 65001, 7));
    bgp_large_community.add((65001, 1, 2));
  }
  if net = 10.51.0.0/24 then { bgp_path.prepend(65010); bgp_path.prepend(65009); }
  if net = 10.52.0.0/24 then bgp_med = 200;
  accept;
}
protocol bgp edge { local as 65001; neighbor 192.0.2.1 as 65101; connect retry time 1; connect delay time 1; error wait time 1, 2; ipv4 { import all; export filter tags; }; ipv6 { import all; export filter tags; }; }
`;

const DOWN = `
router id 198.51.100.2;
log stderr all;
protocol device { scan time 1; }
protocol bgp edge { local as 65002; neighbor 198.51.100.1 as 65101; connect retry time 1; connect delay time 1; error wait time 1, 2; ipv4 { import all; export all; }; ipv6 { import all; export all; }; }
`;

interface Options {
  readonly far?: 'accept' | 'reject';
  readonly limit?: string;
}

const edge = ({ far = 'reject', limit }: Options = {}): string => `
asNumber: 65101
routerId: 192.0.2.1
kernelExport: true
addresses: ["2001:db8::1"]
filters:
  in:
    - name: marked
      match: {communities: ["65001:*"], allCommunities: ["rt:65001:7", "65001:1:*"], interface: "eth*"}
      action: continue
      set: {removeCommunities: ["65001:*", "rt:*:*", "*:*:*"], addCommunities: ["65101:1", "65101:1:1", "rt:65101:9"]}
    - {name: far, match: {asPath: "65001 .* 65010"}, action: ${far}}
    - {name: dear, match: {med: {min: 100}, not: {asPathLength: {min: 2}}}, action: accept, set: {addCommunities: ["65101:200"]}}
    - {match: {nextHop: [192.0.2.2, "2001:db8::/64"], prefixLength: {min: 24, max: 64}}, action: accept}
  out: [{action: accept, set: {prepend: [65101, 65101], med: 77, origin: incomplete, nextHop: "2001:db8:1::1"}}]
peers:
  - {name: up, address: 192.0.2.2, asNumber: 65001, import: [in], export: [], timers: {connectRetrySeconds: 1}${limit === undefined ? '' : `, prefixLimits: {ipv4-unicast: ${limit}}`}}
  - {name: down, address: 198.51.100.2, asNumber: 65002, import: [], export: [out], timers: {connectRetrySeconds: 1}}
`;

describe('filters and prefix limits, with real BIRDs', function () {
  this.timeout(400_000);

  let lab: Lab;
  let up: Bird;
  let down: Bird;
  let alone: Alone;

  before(async function () {
    if (process.getuid?.() !== 0) {
      console.log('      SKIPPED: needs root to make network namespaces');
      this.skip();
    }
    lab = new Lab();
    for (const node of ['edge', 'up', 'down']) await lab.node(node);
    await lab.link(
      { node: 'edge', interface: 'eth1', addresses: ['192.0.2.1/30', '2001:db8::1/64'] },
      { node: 'up', interface: 'eth1', addresses: ['192.0.2.2/30', '2001:db8::2/64'] },
    );
    await lab.link(
      { node: 'edge', interface: 'eth2', addresses: ['198.51.100.1/30', '2001:db8:1::1/64'] },
      { node: 'down', interface: 'eth1', addresses: ['198.51.100.2/30', '2001:db8:1::2/64'] },
    );
    up = new Bird(lab, 'up');
    down = new Bird(lab, 'down');
    alone = new Alone(lab, 'edge');
    await Promise.all([up.start(UP), down.start(DOWN)]);
    alone.write(edge());
    alone.start();
  });

  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(alone?.lines.splice(0).join(''));
  });

  after(async () => {
    await lab?.close();
  });

  async function reload(options: Options): Promise<void> {
    alone.write(edge(options));
    const { code, err } = await alone.reload();
    expect(code, err).to.equal(0);
  }

  /** The IPv4 routes that the last router has. */
  async function shown(): Promise<string> {
    const text = await down.birdc('show route table master4');
    return [...text.matchAll(/^10\.\S+/gm)]
      .map(([prefix]) => prefix)
      .sort()
      .join(' ');
  }

  function showsOnly(...prefixes: readonly string[]): Promise<unknown> {
    return eventually(`${prefixes.join(', ')} at the far end`, shown, (text) => text === prefixes.join(' '));
  }

  /** Attributes of a route as the last router prints them. */
  async function attributes(prefix: string): Promise<string[]> {
    const text = await eventually(
      `${prefix} at the far end`,
      () => down.birdc(`show route all ${prefix}`).catch(() => ''),
      (text) => text.includes('BGP.'),
    );
    return [...text.matchAll(/BGP\.(as_path|med|origin|community|ext_community|large_community): .*/g)]
      .map(([line]) => line.trim().slice(4))
      .sort();
  }

  async function sinceInBird(): Promise<string> {
    return /up\s+(\S+)/.exec(await up.birdc('show protocols edge'))?.[1] ?? 'down';
  }

  it('matches and sets communities of all kinds, path, MED and ORIGIN, in both families', async () => {
    const want = [
      'as_path: 65101 65101 65101 65001',
      'community: (64999,1) (65101,1)',
      'ext_community: (rt, 65101, 9)',
      'large_community: (65101, 1, 1)',
      'med: 77',
      'origin: Incomplete',
    ];
    expect(await attributes('10.50.0.0/24')).to.deep.equal(want);
    // The address that policy sets is one of IPv6, and so means IPv6 routes only.
    expect(await attributes('fd00:50::/64')).to.deep.equal(want);
    expect(await down.birdc('show route all fd00:50::/64')).to.match(/BGP\.next_hop: 2001:db8:1::1/);
    expect(await down.birdc('show route all 10.50.0.0/24')).to.match(/BGP\.next_hop: 198\.51\.100\.1/);
    expect(await attributes('10.52.0.0/24')).to.include('community: (65101,200)');
    await showsOnly('10.50.0.0/24', '10.52.0.0/24');
  });

  it('judges again when a filter changes, and back, with no session touched', async () => {
    const since = await sinceInBird();
    const before = await attributes('10.50.0.0/24');
    await reload({ far: 'accept' });
    await showsOnly('10.50.0.0/24', '10.51.0.0/24', '10.52.0.0/24');
    expect(await attributes('10.51.0.0/24')).to.include('as_path: 65101 65101 65101 65001 65009 65010');
    await reload({});
    await showsOnly('10.50.0.0/24', '10.52.0.0/24');
    expect(await attributes('10.50.0.0/24')).to.deep.equal(before);
    expect(await sinceInBird()).to.equal(since);
  });

  it('takes no route beyond the limit, and asks for the rest once there is room', async () => {
    await up.command('disable more');
    await showsOnly('10.50.0.0/24');
    await reload({ far: 'accept', limit: '{max: 2, action: reject}' });
    await showsOnly('10.50.0.0/24', '10.51.0.0/24');
    await up.command('enable more');
    await eventually(
      'the log says so',
      () => alone.lines.join(''),
      (text) => /prefix-limit-exceeded/.test(text),
    );
    await showsOnly('10.50.0.0/24', '10.51.0.0/24');
    await up.command('disable s4');
    await showsOnly('10.52.0.0/24');
    await up.command('enable s4');
    expect((await alone.status()).peers.find(({ name }) => name === 'up')?.state).to.equal('Established');
  });

  it('ends the session with a Cease that BIRD understands, stays down, and comes back with a higher limit', async () => {
    await reload({ far: 'accept', limit: '{max: 1, action: shutdown}' });
    await eventually(
      'BIRD says why',
      () => up.birdc('show protocols all edge'),
      (text) => /Maximum number of prefixes reached/i.test(text),
    );
    await showsOnly();
    await reload({ far: 'accept', limit: '{max: 3, action: shutdown}' });
    await showsOnly('10.50.0.0/24', '10.51.0.0/24', '10.52.0.0/24');
  });
});
