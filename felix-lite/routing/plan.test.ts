import { expect } from 'chai';
import { Facts, type FactChange, vxlanMac } from './facts.ts';
import { planRouting, type RoutingPlan } from './plan.ts';

const resource = (kind: string, name: string, spec: object): FactChange => ({
  key: { kind, scope: kind === 'WorkloadEndpoint' ? 'default' : '', name },
  value: {
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: kind === 'WorkloadEndpoint' ? { name, namespace: 'default' } : { name },
    spec,
  },
});

const node = (name: string, address: string, vxlan: string): FactChange =>
  resource('Node', name, { bgp: { ipv4Address: address }, ipv4VXLANTunnelAddr: vxlan });
const block = (on: string, name: string, state = 'confirmed'): FactChange => ({
  key: { kind: 'BlockAffinity', scope: `host:${on}`, name },
  value: { state },
});
const pool = (spec: object): FactChange => resource('IPPool', 'pool', { cidr: '10.244.0.0/16', ...spec });

const CLUSTER: readonly FactChange[] = [
  node('a1', '192.0.2.1/24', '10.244.1.1'),
  node('a2', '192.0.2.2/24', '10.244.2.1'),
  node('b1', '198.51.100.1/24', '10.244.3.1'),
  block('a1', '10.244.1.0/26'),
  block('a2', '10.244.2.0/26'),
  block('b1', '10.244.3.0/26'),
  block('b1', '10.244.4.0/26', 'pending'),
];

const lone = (name: string, on: string, ...ipNetworks: string[]): FactChange =>
  resource('WorkloadEndpoint', `${on}-cni-${name}-eth0`, {
    orchestrator: 'cni',
    node: on,
    containerID: name,
    endpoint: 'eth0',
    interfaceName: `cali${name}`,
    ipNetworks,
    ipNATs: [{ internalIP: ipNetworks[0]?.split('/')[0], externalIP: '10.244.200.1' }],
  });
const felix = (spec: object): FactChange => resource('FelixConfiguration', 'default', spec);

function planned(...changes: readonly FactChange[]): RoutingPlan {
  const facts = new Facts();
  facts.update([...CLUSTER, ...changes]);
  return planRouting('a1', facts);
}

const routesOf = ({ routes }: RoutingPlan): Record<string, string> =>
  Object.fromEntries(
    routes.map(({ prefix, gateway, device }) => [
      prefix.toString(),
      gateway === undefined
        ? 'blackhole'
        : `${gateway.toString()}${device === undefined ? '' : ` ${device}`}`,
    ]),
  );

const offload = (featureDetectOverride: string): boolean | undefined =>
  planned(pool({ vxlanMode: 'Always' }), resource('FelixConfiguration', 'default', { featureDetectOverride }))
    .tunnels[0]?.vxlan?.checksumOffload;

const codes = (plan: RoutingPlan): string[] => plan.problems.map(({ code }) => code);

describe('the plan of routes', () => {
  it('leads to far blocks through the tunnel, and holds a blackhole for its own; pending ones are nobody’s', () => {
    expect(routesOf(planned(pool({ vxlanMode: 'Always' })))).to.deep.equal({
      '10.244.1.0/26': 'blackhole',
      '10.244.2.0/26': '10.244.2.1 vxlan.calico',
      '10.244.3.0/26': '10.244.3.1 vxlan.calico',
    });
  });

  it('goes bare to nodes of the own subnet with CrossSubnet', () => {
    expect(routesOf(planned(pool({ vxlanMode: 'CrossSubnet' })))).to.include({
      '10.244.2.0/26': '192.0.2.2',
      '10.244.3.0/26': '10.244.3.1 vxlan.calico',
    });
  });

  it('leads to single addresses that live outside the blocks of their node', () => {
    const lent = resource('WorkloadEndpoint', 'b1-cni-x-eth0', {
      orchestrator: 'cni',
      node: 'b1',
      containerID: 'x',
      endpoint: 'eth0',
      interfaceName: 'calix',
      ipNetworks: ['10.244.2.9/32', '10.244.3.9/32'],
    });
    const routes = routesOf(planned(pool({ vxlanMode: 'Always' }), lent));
    expect(routes['10.244.2.9/32']).to.equal('10.244.3.1 vxlan.calico');
    expect(routes).not.to.have.property('10.244.3.9/32');
  });

  it('leaves pools of other modes to bgpd, keeps what stands for them until then, and needs no tunnel', () => {
    const plan = planned(pool({}));
    expect(plan.routes).to.deep.equal([]);
    expect([...plan.handedOver]).to.deep.equal(['10.244.2.0/26', '10.244.3.0/26']);
    expect(plan.unneeded).to.have.members(['tunl0', 'vxlan.calico', 'vxlan-v6.calico']);
    const given = planned(
      pool({}),
      resource('FelixConfiguration', 'default', { programClusterRoutes: 'Enabled' }),
    );
    expect(routesOf(given)).to.include({ '10.244.2.0/26': '192.0.2.2' });
  });

  it('takes port, network id and MTU from FelixConfiguration, and addresses of hardware from names', () => {
    const settings = resource('FelixConfiguration', 'node.a1', {
      vxlanPort: 8472,
      vxlanVNI: 1,
      vxlanMTU: 1400,
    });
    const [tunnel] = planned(pool({ vxlanMode: 'Always' }), settings).tunnels;
    expect(tunnel).to.deep.include({
      mtu: 1400,
      vxlan: { vni: 1, port: 8472, mac: vxlanMac('a1', 4), checksumOffload: undefined },
    });
    expect(vxlanMac('a1', 4)).to.match(/^66(:[0-9a-f]{2}){5}$/);
    expect(vxlanMac('a1', 6)).not.to.equal(vxlanMac('a1', 4));
  });

  it('leads to each workload by itself where addresses come from another IPAM', () => {
    const workload = lone('x', 'b1', '10.244.77.1/32');
    const mode = pool({ vxlanMode: 'Always' });
    expect(routesOf(planned(mode, workload, felix({ routeSource: 'WorkloadIPs' })))).to.deep.equal({
      '10.244.77.1/32': '10.244.3.1 vxlan.calico',
      // Of tunnels.
      '10.244.2.1/32': '10.244.2.1 vxlan.calico',
      '10.244.3.1/32': '10.244.3.1 vxlan.calico',
    });
  });

  it('leads to floating IPs where they are switched on, and nowhere else', () => {
    const changes = [pool({ vxlanMode: 'Always' }), lone('x', 'b1', '10.244.3.9/32')];
    expect(routesOf(planned(...changes))).not.to.have.property('10.244.200.1/32');
    expect(routesOf(planned(...changes, felix({ floatingIPs: 'Enabled' })))).to.include({
      '10.244.200.1/32': '10.244.3.1 vxlan.calico',
    });
  });

  it('sends from the address that FelixConfiguration says', () => {
    const { routes } = planned(
      pool({ vxlanMode: 'Always' }),
      felix({ deviceRouteSourceAddress: '192.0.2.1' }),
    );
    expect(routes.map(({ source }) => String(source)).sort()).to.deep.equal([
      '192.0.2.1',
      '192.0.2.1',
      'undefined',
    ]);
  });

  it('leaves checksums to the hardware as featureDetectOverride says', () => {
    expect(offload('SNATFullyRandom=true,ChecksumOffloadBroken=true')).to.equal(false);
    expect(offload('ChecksumOffloadBroken=false')).to.equal(true);
    expect(offload('ChecksumOffloadBroken=')).to.equal(undefined);
  });

  it('says which changes of workloads concern no other node', () => {
    const facts = new Facts();
    facts.update([...CLUSTER, pool({ vxlanMode: 'Always' })]);
    const inside = resource('WorkloadEndpoint', 'b1-cni-y-eth0', {
      orchestrator: 'cni',
      node: 'b1',
      containerID: 'y',
      endpoint: 'eth0',
      interfaceName: 'caliy',
      ipNetworks: ['10.244.3.9/32'],
    });
    expect(facts.update([inside]).everybody, 'inside its block').to.equal(false);
    expect(facts.update([{ ...inside, value: undefined }]).everybody, 'gone again').to.equal(false);
    expect(facts.update([lone('x', 'b1', '10.244.2.9/32')]).everybody, 'lent').to.equal(true);
    expect(facts.update([lone('x', 'b1', '10.244.2.9/32')]).everybody, 'as it was').to.equal(false);
    const well = node('a2', '192.0.2.2/24', '10.244.2.1');
    expect(
      facts.update([well, block('a2', '10.244.2.0/26'), pool({ vxlanMode: 'Always' })]).everybody,
      'as it was',
    ).to.equal(false);
    expect(facts.update([block('b1', '10.244.5.0/26', 'pending')]).everybody, 'not confirmed').to.equal(
      false,
    );
    expect(facts.update([node('a2', '192.0.2.3/24', '10.244.2.1')]).everybody, 'another address').to.equal(
      true,
    );
    expect(facts.update([block('b1', '10.244.2.9/32')]).everybody, 'a block more').to.equal(true);
    expect(
      facts.borrowed(true).map(({ prefix }) => prefix.toString()),
      'covered now',
    ).not.to.include('10.244.2.9/32');
    expect(facts.update([felix({ routeSource: 'WorkloadIPs' })]).everybody).to.equal(true);
    expect(facts.update([felix({ routeSource: 'WorkloadIPs' })]).everybody, 'said twice').to.equal(false);
    expect(facts.update([inside]).everybody, 'each by itself').to.equal(true);
    const moved = lone('z', 'b1', '10.244.3.10/32');
    expect(facts.update([moved]).nodes).to.deep.equal(new Set(['b1']));
    expect(facts.update([moved]).nodes, 'as it was').to.deep.equal(new Set());
    expect(facts.update([{ ...moved, value: undefined }]).nodes).to.deep.equal(new Set(['b1']));
  });

  it('tells of a node without an address, of two with one, and of a pool over the own subnet', () => {
    const bare = resource('Node', 'a1', {});
    expect(codes(planned(pool({ vxlanMode: 'Always' }), bare))).to.deep.equal(['NODE_WITHOUT_ADDRESS']);
    expect(codes(planned(node('a9', '192.0.2.2/24', '10.244.9.1')))).to.deep.equal(['NODE_ADDRESS_DOUBLE']);
    expect(codes(planned(pool({ cidr: '192.0.0.0/16' })))).to.deep.equal(['POOL_OVERLAPS_HOST']);
  });
});
