import { expect } from 'chai';
import { parseBirdRoutes, parseBirdSessions } from './bird.ts';
import { parseFrrRoutes, parseFrrSessions } from './frr.ts';

describe('reading BIRD', () => {
  it('finds BGP sessions and their neighbours among the protocols', () => {
    const text = `BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     05:55:27.561

kernel4    Kernel     master4    up     05:55:27.561
  Channel ipv4
    State:          UP

tor_a_v4   BGP        ---        up     05:55:28.422  Established
  BGP state:          Established
    Neighbor address: 10.0.1.1
    Neighbor AS:      65001

tor_a_v6   BGP        ---        start  05:55:28.472  Active        Socket: Connection refused
  BGP state:          Active
    Neighbor address: fe80::1%eth1

down_v4    BGP        ---        down   05:55:28.472
  BGP state:          Down
    Neighbor address: 10.0.1.9
`;
    expect(parseBirdSessions(text)).to.deep.equal([
      { peer: '10.0.1.1', established: true, state: 'Established' },
      { peer: 'fe80::1', established: false, state: 'Active' },
      { peer: '10.0.1.9', established: false, state: 'Idle' },
    ]);
  });

  it('finds routes with their next hops, link-local ones left out', () => {
    const text = `BIRD 2.0.12 ready.
Table master4:
10.0.10.0/24         unicast [direct1 06:04:31.623] * (240)
	dev rack
10.244.0.0/26        unicast [a1_v4 05:55:28.471] * (100) [AS65101i]
	via 10.0.10.11 on rack
	Type: BGP univ
	BGP.origin: IGP
	BGP.next_hop: 10.0.10.11

Table master6:
fd00:10:244::/122    unicast [a1_v6 05:55:28.595] * (100) [AS65101i]
	via fe80::1 on rack
	BGP.next_hop: fd00:10:0:10::11 fe80::1
`;
    expect(parseBirdRoutes(text)).to.deep.equal([
      { prefix: '10.244.0.0/26', nextHops: ['10.0.10.11'] },
      { prefix: 'fd00:10:244::/122', nextHops: ['fd00:10:0:10::11'] },
    ]);
  });
});

const path = (ip: string, rest: object) => ({
  nexthops: [
    { ip, scope: 'global' },
    { ip: 'fe80::1', scope: 'link-local' },
  ],
  ...rest,
});

describe('reading FRR', () => {
  it('finds the sessions of every family', () => {
    const text = JSON.stringify({
      ipv4Unicast: { peers: { '10.0.1.2': { state: 'Established' }, '10.0.20.11': { state: 'Active' } } },
      ipv6Unicast: { peers: { 'fd00::2': {} } },
      l2VpnEvpn: {},
    });
    expect(parseFrrSessions(text)).to.deep.equal([
      { peer: '10.0.1.2', established: true, state: 'Established' },
      { peer: '10.0.20.11', established: false, state: 'Active' },
      { peer: 'fd00::2', established: false, state: 'Idle' },
    ]);
  });

  it('takes the best path of each prefix', () => {
    const text = JSON.stringify({
      routes: {
        '10.244.0.0/26': [path('10.0.0.1', {}), path('10.0.0.2', { bestpath: true })],
        '10.9.0.0/24': [path('10.0.0.3', {})],
      },
    });
    expect(parseFrrRoutes(text)).to.deep.equal([{ prefix: '10.244.0.0/26', nextHops: ['10.0.0.2'] }]);
    expect(parseFrrRoutes('{}')).to.deep.equal([]);
  });
});
