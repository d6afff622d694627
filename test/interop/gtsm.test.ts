/**
 * GTSM (RFC 5082) with a BIRD and an FRR that check it too: whoever is as near as it says comes up, whoever dials, and one
 * that is farther away does not.
 *
 * edge (poplin bgpd) - mid (BIRD) - far (FRR), far two hops away from edge
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Alone } from './peers/alone.ts';
import { Bird } from './peers/bird.ts';
import { eventually } from './peers/eventually.ts';
import { Frr } from './peers/frr.ts';
import { Lab } from './peers/lab.ts';

const MID = `
router id 10.1.0.2;
protocol device { }
template bgp edge { local as 65001; connect retry time 1; connect delay time 1; error wait time 1, 2; direct; ttl security on; }
protocol bgp edge4 from edge { neighbor 10.1.0.1 as 65101; ipv4 { import all; export none; }; }
protocol bgp edge6 from edge { neighbor fd00:1::1 as 65101; passive on; ipv6 { import all; export none; }; }
`;

const FAR = `
frr defaults traditional
router bgp 65003
 bgp router-id 10.2.0.3
 no bgp ebgp-requires-policy
 neighbor 10.1.0.1 remote-as 65101
 neighbor 10.1.0.1 ttl-security hops 2
 neighbor 10.1.0.1 timers connect 1
`;

/** `mid4` waits for BIRD's call, `mid6` calls. */
const edge = (farHops: number): string => `
asNumber: 65101
routerId: 10.1.0.1
originate: [{prefix: 10.60.0.0/24}, {prefix: "fd00:60::/64"}]
peerGroups:
  all: {import: [accept-all], export: [accept-all], timers: {connectRetrySeconds: 1}}
peers:
  - {name: mid4, address: 10.1.0.2, asNumber: 65001, group: all, passive: true, ttlSecurityHops: 1}
  - {name: mid6, address: "fd00:1::2", asNumber: 65001, group: all, ttlSecurityHops: 1}
  - {name: far, address: 10.2.0.3, asNumber: 65003, group: all, ttlSecurityHops: ${farHops}}
`;

describeOnKernel('GTSM', function () {
  this.timeout(400_000);

  const lab = new Lab();
  const alone = new Alone(lab, 'edge');

  before(async () => {
    for (const node of ['edge', 'mid', 'far']) await lab.node(node);
    await lab.link(
      { node: 'edge', interface: 'eth0', addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
      { node: 'mid', interface: 'eth0', addresses: ['10.1.0.2/24', 'fd00:1::2/64'] },
    );
    await lab.link(
      { node: 'mid', interface: 'eth1', addresses: ['10.2.0.2/24'] },
      { node: 'far', interface: 'eth0', addresses: ['10.2.0.3/24'] },
    );
    await lab.run('edge', 'ip', ['route', 'add', '10.2.0.0/24', 'via', '10.1.0.2']);
    await lab.run('far', 'ip', ['route', 'add', '10.1.0.0/24', 'via', '10.2.0.2']);
    await Promise.all([new Bird(lab, 'mid').start(MID), new Frr(lab, 'far').start(FAR)]);
    alone.write(edge(2));
    alone.start();
  });

  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(alone.lines.splice(0).join(''));
  });
  after(() => lab.close());

  function established(...names: readonly string[]): Promise<unknown> {
    return eventually(
      `${names.join(', ')} Established`,
      async () =>
        (await alone.status()).peers.map(({ name, state, lastError = '' }) =>
          `${name} ${state} ${lastError}`.trim(),
        ),
      (states) => names.every((name) => states.some((state) => state.startsWith(`${name} Established`))),
      // FRR refuses calls for up to two minutes after sessions that failed in a row, and then calls itself.
      150_000,
    );
  }

  it('lets those in who are as near as it says, over either version of IP and whoever calls', async () => {
    await established('mid4', 'mid6', 'far');
  });

  it('lets nobody in who is farther away, and the others feel nothing', async () => {
    alone.write(edge(1));
    const { out } = await alone.reload();
    expect(out).to.match(/^mid4 +nothing$/m);
    expect(out).to.match(/^far +session restarted +minimalTtl$/m);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    const states = (await alone.status()).peers.map(({ name, state }) => `${name} ${state}`);
    expect(states).to.include.members(['mid4 Established', 'mid6 Established']);
    expect(states).to.not.include('far Established');
    alone.write(edge(2));
    await alone.reload();
    await established('mid4', 'mid6', 'far');
  });
});
