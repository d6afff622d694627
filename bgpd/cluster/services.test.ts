import { expect } from 'chai';
import { type EndpointSlice, type Service, unwrap, validate } from '../../api/index.ts';
import { originated } from './routes.ts';
import { serviceRoutes } from './services.ts';
import { cluster, node, resource } from './testing.ts';

const NODES = [
  node('a1', 1),
  node('a2', 2),
  node('a3', 3, { 'node.kubernetes.io/exclude-from-external-load-balancers': '' }),
];

function service(name: string, spec: object, ...ingress: string[]): Service {
  return unwrap(
    validate({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'shop' },
      spec,
      status: { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } },
    }),
  ) as Service;
}

function slice(of: string, ...ends: readonly { on: string; ready?: boolean }[]): EndpointSlice {
  return sliceOf('IPv4', of, ends);
}

function sliceOf(
  addressType: 'IPv4' | 'IPv6',
  of: string,
  ends: readonly { on: string; ready?: boolean }[],
): EndpointSlice {
  return unwrap(
    validate({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${of}-${addressType.toLowerCase()}`,
        namespace: 'shop',
        labels: { 'kubernetes.io/service-name': of },
      },
      addressType,
      endpoints: ends.map(({ on, ready }) => ({
        addresses: [addressType === 'IPv4' ? '10.244.0.9' : 'fd00:10:244::9'],
        nodeName: on,
        ...(ready === undefined ? {} : { conditions: { ready } }),
      })),
    }),
  ) as EndpointSlice;
}

const cidrs = (...list: string[]): object[] => list.map((cidr) => ({ cidr }));

function told(on: string, spec: object, services: Service[], slices: EndpointSlice[] = []): string[] {
  const resources = cluster({
    nodes: NODES,
    bgpConfigurations: [resource('BGPConfiguration', 'default', spec)],
    services,
    endpointSlices: slices,
  });
  return serviceRoutes(on, resources).map(String);
}

const LOCAL = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', clusterIP: '10.96.0.5' };

describe('routes of services', () => {
  it('are the whole ranges, from every node that may', () => {
    const spec = {
      serviceClusterIPs: cidrs('10.96.0.0/12', 'fd00:96::/112'),
      serviceExternalIPs: cidrs('203.0.113.0/24'),
    };
    expect(told('a1', spec, [])).to.deep.equal(['10.96.0.0/12', '203.0.113.0/24', 'fd00:96::/112']);
    expect(told('a3', spec, [])).to.deep.equal([]);
    expect(told('a1', {}, [service('web', LOCAL, '192.0.2.5')])).to.deep.equal([]);
  });

  it('are single addresses of a Local service, from nodes with a ready endpoint alone', () => {
    const spec = { serviceClusterIPs: cidrs('10.96.0.0/12'), serviceLoadBalancerIPs: cidrs('192.0.2.0/24') };
    const services = [service('web', LOCAL, '192.0.2.5', '198.51.100.1')];
    const slices = [slice('web', { on: 'a1' }, { on: 'a2', ready: false })];
    const ranges = ['10.96.0.0/12', '192.0.2.0/24'];
    expect(told('a1', spec, services, slices)).to.have.members([...ranges, '10.96.0.5/32', '192.0.2.5/32']);
    expect(told('a2', spec, services, slices)).to.have.members(ranges);
    expect(told('a2', spec, services, [slice('web', { on: 'a2', ready: true })])).to.include('192.0.2.5/32');
  });

  it('are those of a Local service in the version of IP in which it has an endpoint here', () => {
    const spec = { serviceClusterIPs: cidrs('10.96.0.0/12', 'fd00:96::/112') };
    const both = service('web', { ...LOCAL, clusterIPs: ['10.96.0.5', 'fd00:96::5'] });
    const ranges = ['10.96.0.0/12', 'fd00:96::/112'];
    const slices = [slice('web', { on: 'a1' }), sliceOf('IPv6', 'web', [{ on: 'a2' }])];
    expect(told('a1', spec, [both], slices)).to.have.members([...ranges, '10.96.0.5/32']);
    expect(told('a2', spec, [both], slices)).to.have.members([...ranges, 'fd00:96::5/128']);
  });

  it('are single addresses of load balancers without aggregation, from every node', () => {
    const spec = {
      serviceLoadBalancerIPs: cidrs('192.0.2.0/24'),
      serviceLoadBalancerAggregation: 'Disabled',
    };
    const services = [
      service('web', { type: 'LoadBalancer' }, '192.0.2.7'),
      service('no', { type: 'ClusterIP' }, '192.0.2.8'),
    ];
    expect(told('a2', spec, services)).to.deep.equal(['192.0.2.7/32']);
  });

  it('are none of a range of one address before a service has it', () => {
    const spec = { serviceExternalIPs: cidrs('203.0.113.9/32') };
    expect(told('a1', spec, [])).to.deep.equal([]);
    expect(
      told('a1', spec, [service('web', { externalIPs: ['203.0.113.9', '203.0.113.10'] })]),
    ).to.deep.equal(['203.0.113.9/32']);
  });

  it('are none of a headless service, nor of another name', () => {
    const spec = {
      serviceExternalIPs: cidrs('203.0.113.9/32'),
      serviceLoadBalancerIPs: cidrs('192.0.2.0/24'),
      serviceLoadBalancerAggregation: 'Disabled',
    };
    const headless = service('web', { clusterIP: 'None', externalIPs: ['203.0.113.9'] });
    const name = service('web', {
      type: 'ExternalName',
      externalName: 'a.example',
      externalIPs: ['203.0.113.9'],
    });
    expect(told('a1', spec, [headless])).to.deep.equal([]);
    expect(told('a1', spec, [name])).to.deep.equal([]);
  });

  it('are withdrawn by a node whose last ready endpoint goes, and told by who has the next', () => {
    const spec = { serviceLoadBalancerIPs: cidrs('192.0.2.0/24') };
    const services = [service('web', LOCAL, '192.0.2.5')];
    const before = [slice('web', { on: 'a1' })];
    const after = [slice('web', { on: 'a1', ready: false }, { on: 'a2' })];
    expect(told('a1', spec, services, before)).to.include('192.0.2.5/32');
    expect(told('a2', spec, services, before)).to.deep.equal(['192.0.2.0/24']);
    expect(told('a1', spec, services, after)).to.deep.equal(['192.0.2.0/24']);
    expect(told('a2', spec, services, after)).to.include('192.0.2.5/32');
    expect(told('a1', spec, services, [])).to.deep.equal(['192.0.2.0/24']);
  });

  it('never come into the kernel of who tells them', () => {
    const resources = cluster({
      nodes: NODES,
      bgpConfigurations: [
        resource('BGPConfiguration', 'default', { serviceClusterIPs: cidrs('10.96.0.0/12') }),
      ],
    });
    expect(
      originated('a1', resources).map(({ prefix, kernel }) => [prefix.toString(), kernel]),
    ).to.deep.equal([['10.96.0.0/12', 'none']]);
  });
});
