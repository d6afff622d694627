import { expect } from 'chai';
import type { RoutingStatus } from '../../felix-lite/routing/status.ts';
import { drawRouting } from './node-routing.ts';

const ROUTING: RoutingStatus = {
  synced: true,
  passes: 3,
  fullReads: 4,
  routeSync: true,
  pools: [
    { pool: 'v4', cidr: '10.244.0.0/16', encapsulation: 'vxlan', crossSubnet: true, writer: 'felix' },
    { pool: 'v6', cidr: 'fd00::/48', encapsulation: 'none', crossSubnet: false, writer: 'bgpd' },
  ],
  tunnels: {
    'vxlan.calico': {
      address: '10.244.1.1',
      mtu: 1450,
      mtuFrom: '1500 of eth0 less 50 for the tunnel',
      over: 'eth0',
    },
  },
  routes: 12,
  kept: 0,
  missing: 1,
  workloads: { routes: 4, waiting: ['cali7'] },
  wireguard: {
    4: {
      device: 'wireguard.cali',
      implementation: 'wireguard-go',
      publicKey: 'k',
      port: 51_820,
      mtu: 1440,
      peers: 2,
      talking: 1,
      plain: 3,
    },
  },
  problems: [
    {
      code: 'ROUTE_STRANGER',
      value: '10.244.2.0/26',
      what: 'somebody else’s route stands where ours would',
      remedy: 'remove it',
    },
  ],
};

/** Runs of spaces as one. */
const drawn = (felix: unknown, bgpd?: unknown): string[] =>
  drawRouting(felix, bgpd)
    .join('')
    .split('\n')
    .map((line) => line.replaceAll(/ {2,}/g, ' '))
    .filter((line) => line !== '');

describe('the part of node status on routes', () => {
  it('shows modes, tunnels with their MTU, counts, and what is the matter', () => {
    const kernel = [{ prefix: '10.9.0.0/24', state: 'refused', reason: 'Nexthop has invalid gateway' }];
    expect(drawn({ routing: ROUTING }, { kernel })).to.deep.equal([
      'Routing',
      'POOL CIDR MODE ROUTES BY',
      'v4 10.244.0.0/16 VXLAN between subnets felix-lite',
      'v6 fd00::/48 unencapsulated bgpd',
      'TUNNEL ADDRESS OVER MTU WHICH IS',
      'vxlan.calico 10.244.1.1 eth0 1450 1500 of eth0 less 50 for the tunnel',
      'wireguard.cali: WireGuard by wireguard-go, for this kernel has none, UDP 51820, MTU 1440; 2 nodes encrypted (1 in touch), 3 in plain.',
      'Routes to workloads: 4, and none over cali7, which are not there or off. Between nodes, by felix-lite: 12, 1 of which the kernel does not have.',
      "Of bgpd's, 1 the kernel does not have as they should be:",
      ' 10.9.0.0/24 refused: Nexthop has invalid gateway',
      ' somebody else’s route stands where ours would; remove it',
    ]);
  });

  it('does not call it a fault that the kernel has the network of an interface itself', () => {
    const kernel = [
      { prefix: '10.0.10.0/24', state: 'yielded', reason: '10.0.10.0/24 dev eth1 proto 2 src 10.0.10.11' },
      { prefix: '10.9.0.0/24', state: 'refused', reason: 'Nexthop has invalid gateway' },
    ];
    expect(drawn({ routing: { ...ROUTING, problems: [] } }, { kernel }).slice(-4)).to.deep.equal([
      "Of bgpd's, 1 the kernel does not have as they should be:",
      ' 10.9.0.0/24 refused: Nexthop has invalid gateway',
      "Of bgpd's, 1 gave way to a route of the kernel's own or of somebody else:",
      ' 10.0.10.0/24 to 10.0.10.0/24 dev eth1 proto 2 src 10.0.10.11',
    ]);
  });

  it('does not run over with a thousand routes that are refused', () => {
    const kernel = Array.from({ length: 1000 }, (_, i) => ({
      prefix: `10.0.${i}.0/24`,
      state: 'refused',
      reason: 'x',
    }));
    const lines = drawn({ routing: { ...ROUTING, problems: [] } }, { kernel });
    expect(lines.slice(-2)).to.deep.equal([' 10.0.4.0/24 refused: x', ' and 995 more']);
  });

  it('says that routes are left alone, and nothing where felix-lite says nothing', () => {
    expect(drawn({ routing: { ...ROUTING, routeSync: false } })).to.include(
      'No route is touched: routeSyncDisabled.',
    );
    expect(drawn({}, {})).to.deep.equal([]);
    expect(drawn(undefined)).to.deep.equal([]);
  });
});
