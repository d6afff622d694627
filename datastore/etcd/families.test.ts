/** What else Calico keeps in etcd, told apart from the store's own objects. */
import { expect } from 'chai';
import { FAMILIES, familyOf } from './families.ts';
import { keyAt } from './keys.ts';

const KNOWN: Readonly<Record<string, RegExp>> = {
  'ipam/v2/host/worker-1': /record of a host/,
  'felix/v2/no-region/host/worker-1/status': /sign of life/,
  'felix/v2/region-north/host/worker-1/last_reported_status': /sign of life/,
  'felix/v2/no-region/host/worker-1/workload/k8s/prod%2fweb/endpoint/eth0': /workload endpoint/,
  'felix/v1/host/worker-1/workload/openstack/x/endpoint/y': /workload endpoint/,
  'felix/v1/host/worker-1/endpoint/eth0': /host endpoint/,
  'dhcp/v2/no-region/subnet/s-1': /Neutron/,
  'openstack/v2/no-region/neutron_election': /Neutron/,
  'compaction/v1/last': /compacted/,
  'v1/Ready': /Calico 2/,
  'v1/host/worker-1/config/IpInIpTunnelAddr': /Calico 2/,
  'bgp/v1/host/worker-1/as_num': /BGP/,
};

describe("families of keys in Calico's etcd", () => {
  for (const [path, what] of Object.entries(KNOWN)) {
    it(`${path} is known, and no object of the store`, () => {
      expect(familyOf(path)?.what).to.match(what);
      expect(keyAt('/calico', `/calico/${path}`)).to.equal(undefined);
    });
  }

  it('each has an example here', () => {
    expect(new Set(Object.keys(KNOWN).map(familyOf)).size).to.equal(FAMILIES.length);
  });

  it('what nobody knows is none of them', () => {
    for (const path of ['ipam/v3/x', 'felix/v9/x', 'resources/v3/projectcalico.org/ponds/x', 'poplin/v1/K'])
      expect(familyOf(path), path).to.equal(undefined);
  });
});
