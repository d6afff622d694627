/**
 * Packets whose destination is changed on the way, as kube-proxy does: what is before DNAT speaks of the port that was asked
 * for, all other policy of the one behind it; so too for what the node itself sends.
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { HOST, OUTSIDE, UPLINK, addressesOf, subnetOf, uplinkOf } from './network.ts';
import { NODE, TestNode, WEB, endpointOf, np, openProfile } from './node.ts';
import { TCP } from './probe-packet.ts';
import type { Flow } from './wire.ts';

/** Ports of the node that lead to port 8080 of WEB. */
const [FIRST, SECOND] = [30_080, 30_081];
/** An address of nobody's that leads to port 8080 of `outside`. */
const SERVICE = { 4: '10.96.0.1', 6: 'fd96::1' } as const;
/** Another, to which the way seems to be by an interface that nothing may leave by. */
const ASTRAY = { 4: '10.97.0.1', 6: 'fd97::1' } as const;
const SIDE = 10;

const RULES = ([4, 6] as const).flatMap((version) => {
  const [family, name] = version === 4 ? ['ip', 'ip'] : ['ip6', 'ip6'];
  const to = (address: string): string => (version === 4 ? `${address}:8080` : `[${address}]:8080`);
  return [
    `add table ${family} services`,
    `add chain ${family} services asked { type nat hook prerouting priority -100; }`,
    `add chain ${family} services sent { type nat hook output priority -100; }`,
    `add rule ${family} services asked ${name} daddr ${UPLINK[version]} tcp dport { ${FIRST}, ${SECOND} } dnat to ${to(addressesOf(WEB.index)[version])}`,
    `add rule ${family} services sent ${name} daddr { ${SERVICE[version]}, ${ASTRAY[version]} } tcp dport 80 dnat to ${to(OUTSIDE[version])}`,
  ];
});

function guard(name: string, spec: object): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'GlobalNetworkPolicy',
    metadata: { name },
    spec: { selector: "guarded == 'yes'", ...spec },
  };
}

const deny = (port: number): object => ({ action: 'Deny', protocol: 'TCP', destination: { ports: [port] } });
const ALLOW = { action: 'Allow' };
const INWARD = { applyOnForward: true, types: ['Ingress'] };

/** Of what is asked of the node's two ports, of WEB itself, and of what the node asks of the service. */
const STATES: readonly {
  readonly it: string;
  readonly policies: readonly object[];
  readonly passes: readonly [first: boolean, second: boolean, itself: boolean, service: boolean];
}[] = [
  {
    it: 'lets all pass that nobody denies',
    policies: [guard('all', { types: ['Ingress', 'Egress'], ingress: [ALLOW], egress: [ALLOW] })],
    passes: [true, true, true, true],
  },
  {
    it: 'denies the port asked for before DNAT, and no other way to the same workload',
    policies: [
      guard('before', { ...INWARD, preDNAT: true, ingress: [deny(SECOND)] }),
      guard('all', { types: ['Egress'], egress: [ALLOW] }),
    ],
    passes: [true, false, true, true],
  },
  {
    it: 'sees the workload’s port on forward',
    policies: [
      guard('forward', { ...INWARD, ingress: [deny(8080), ALLOW] }),
      guard('all', { types: ['Egress'], egress: [ALLOW] }),
    ],
    passes: [false, false, false, true],
  },
  {
    it: 'sees the workload’s port in the workload’s own policy',
    policies: [
      np('web', { selector: "role == 'web'", ingress: [deny(FIRST), deny(SECOND), ALLOW] }),
      guard('all', { types: ['Egress'], egress: [ALLOW] }),
    ],
    passes: [true, true, true, true],
  },
  {
    it: 'judges what the node sends by where it really goes',
    policies: [guard('out', { types: ['Egress'], egress: [deny(8080), ALLOW] })],
    passes: [true, true, true, false],
  },
  {
    it: 'and not by what it asked for',
    policies: [guard('out', { types: ['Egress'], egress: [deny(80), ALLOW] })],
    passes: [true, true, true, true],
  },
];

describeOnKernel('policy and packets whose destination is changed', function () {
  this.timeout(180_000);
  let node: TestNode;

  before(async () => {
    node = await TestNode.create([WEB]);
    await node.run('nft', RULES.join('; '));
    await node.run('ip', 'route', 'add', SERVICE[4], 'via', OUTSIDE[4]);
    await node.run('ip', '-6', 'route', 'add', SERVICE[6], 'via', OUTSIDE[6]);
    await node.network.wirePeers('side', [SIDE]);
    await node.run('ip', 'route', 'add', ASTRAY[4], 'via', subnetOf(SIDE).peer[4]);
    await node.run('ip', '-6', 'route', 'add', ASTRAY[6], 'via', subnetOf(SIDE).peer[6]);
    const side = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'HostEndpoint',
      metadata: { name: 'side' },
      spec: { node: NODE, interfaceName: uplinkOf(SIDE) },
    };
    await node.put(openProfile('prod'), endpointOf(WEB), side, {
      apiVersion: 'projectcalico.org/v3',
      kind: 'HostEndpoint',
      metadata: { name: 'uplink', labels: { guarded: 'yes' } },
      spec: { node: NODE, interfaceName: 'up0' },
    });
    await node.startFelix();
  });
  after(() => node.remove());

  let present: readonly object[] = [];
  for (const [backend, spec] of Object.entries(BACKENDS))
    for (const { it: title, policies, passes } of STATES)
      it(`${title}, ${backend}`, async () => {
        await node.exchange(present, [configurationOf(spec), ...policies]);
        present = policies;
        await node.settled();
        const flows = ([4, 6] as const).flatMap((version) => flowsOf(version, passes));
        const outcomes = await node.network.wire.volley(flows);
        const expected = [...passes, passes[3]];
        expect(outcomes.map(({ arrived, answered }) => arrived && answered)).to.deep.equal([
          ...expected,
          ...expected,
        ]);
      });
});

function flowsOf(version: 4 | 6, [first, second, itself, service]: readonly boolean[]): readonly Flow[] {
  const web = addressesOf(WEB.index)[version];
  const asked = { from: 'outside', to: WEB.name, source: OUTSIDE[version], protocol: TCP };
  return [
    { ...asked, destination: UPLINK[version], destinationPort: FIRST, expected: first === true },
    { ...asked, destination: UPLINK[version], destinationPort: SECOND, expected: second === true },
    { ...asked, destination: web, destinationPort: 8080, expected: itself === true },
    ...[SERVICE, ASTRAY].map((asked) => ({
      from: HOST,
      to: 'outside',
      source: UPLINK[version],
      destination: asked[version],
      protocol: TCP,
      destinationPort: 80,
      expected: service === true,
    })),
  ];
}
