import { expect } from 'chai';
import { validate } from './index.ts';
import type { IPPool } from './kinds/ip-pool.ts';
import { podMtu } from './pod-mtu.ts';

function pool(cidr: string, spec: object): IPPool {
  const read = validate({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'pool' },
    spec: { cidr, ...spec },
  });
  if (!read.ok || read.value.kind !== 'IPPool') throw new Error(JSON.stringify(read));
  return read.value;
}

const BARE = pool('10.1.0.0/16', {});
const IPIP = pool('10.2.0.0/16', { ipipMode: 'Always' });
const VXLAN = pool('10.3.0.0/16', { vxlanMode: 'CrossSubnet' });
const VXLAN6 = pool('fd00::/64', { vxlanMode: 'Always' });

describe('the MTU of workloads', () => {
  const cases: readonly { it: string; pools: readonly IPPool[]; spec?: object; want: number }[] = [
    { it: 'is that of the uplink without pools', pools: [], want: 1500 },
    { it: 'is that of the uplink without tunnels', pools: [BARE], want: 1500 },
    { it: 'leaves room for IPIP', pools: [BARE, IPIP], want: 1480 },
    { it: 'leaves room for the largest in use', pools: [IPIP, VXLAN], want: 1450 },
    { it: 'leaves room for VXLAN over IPv6', pools: [VXLAN, VXLAN6], want: 1430 },
    {
      it: 'is what FelixConfiguration gives the tunnel',
      pools: [VXLAN],
      spec: { vxlanMTU: 8900 },
      want: 1500,
    },
    { it: 'is the least of what is given', pools: [IPIP, VXLAN], spec: { vxlanMTU: 1300 }, want: 1300 },
    { it: 'takes 0 for a word that is not said', pools: [IPIP], spec: { ipipMTU: 0 }, want: 1480 },
    { it: 'leaves room for WireGuard', pools: [IPIP], spec: { wireguardEnabled: true }, want: 1440 },
    { it: 'and for WireGuard over IPv6', pools: [], spec: { wireguardEnabledV6: true }, want: 1420 },
  ];
  for (const { it: title, pools, spec, want } of cases)
    it(title, () => expect(podMtu(1500, pools, spec ?? {}).mtu).to.equal(want));

  it('says what decided', () => {
    expect(podMtu(1500, [IPIP], {}).because).to.equal('1500 of the uplink less 20 for the tunnel');
    expect(podMtu(1500, [IPIP], { ipipMTU: 1400 }).because).to.equal('FelixConfiguration spec.ipipMTU');
  });
});
