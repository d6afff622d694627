import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { serviceOwner, type Tunnel, tunnelOwner } from './owners.ts';

describe('owners of addresses that are no workload', () => {
  const tunnels: readonly (readonly [Tunnel, string, string])[] = [
    ['ipip', 'ipip-tunnel-addr-n1', 'ipipTunnelAddress'],
    ['vxlan', 'vxlan-tunnel-addr-n1', 'vxlanTunnelAddress'],
    ['vxlan-v6', 'vxlan-v6-tunnel-addr-n1', 'vxlanV6TunnelAddress'],
    ['wireguard', 'wireguard-tunnel-addr-n1', 'wireguardTunnelAddress'],
    ['wireguard-v6', 'wireguard-v6-tunnel-addr-n1', 'wireguardV6TunnelAddress'],
  ];
  for (const [tunnel, handle, type] of tunnels) {
    it(`are nodes, for ${tunnel}`, () =>
      expect(tunnelOwner(tunnel, 'n1')).to.deep.equal({ handle, attributes: { node: 'n1', type } }));
  }

  it('are services, under a handle made of all that tells them apart, in whatever case', () => {
    const at = '2026-08-01 10:00:05.1 +0000 UTC';
    const owner = serviceOwner({ name: 'Web', namespace: 'prod', uid: 'D5F1' }, at);
    const digest = createHash('sha256')
      .update('web-prod-d5f1')
      .digest('base64')
      .replaceAll(/[+/=_.-]/g, '');
    expect(owner).to.deep.equal({
      handle: `lb-${digest}`,
      attributes: { service: 'Web', namespace: 'prod', type: 'LoadBalancer', timestamp: at },
    });
    expect(serviceOwner({ name: 'web', namespace: 'prod', uid: 'd5f1' }, at).handle).to.equal(owner.handle);
  });
});
