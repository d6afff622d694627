/** Configuration and nodes in, host endpoints out. */
import { expect } from 'chai';
import { type Node, validate } from '../../api/index.ts';
import { type HostEndpointConfig, wantedHostEndpoints } from './wanted.ts';

const A1 = node(
  'a1',
  { zone: 'a' },
  {
    bgp: { ipv4Address: '10.9.0.1/24', ipv6Address: 'fd09::1/64', ipv4IPIPTunnelAddr: '10.244.0.1' },
    ipv4VXLANTunnelAddr: '10.244.0.2',
    wireguard: { interfaceIPv4Address: '10.244.0.3' },
    addresses: [
      { address: '10.9.0.1', type: 'InternalIP' },
      { address: '192.0.2.1', type: 'ExternalIP' },
      { address: '10.9.1.1', type: 'InternalIP' },
      { address: 'nonsense', type: 'InternalIP' },
    ],
    interfaces: [{ name: 'eth1', addresses: ['10.9.1.1', '10.9.2.1'] }],
  },
);
const B1 = node('b1', { zone: 'b' }, { bgp: { ipv4Address: '10.9.0.2/24' } });

const ALL = ['10.9.0.1', 'fd09::1', '10.244.0.1', '10.244.0.2', '10.244.0.3', '10.9.1.1', '10.9.2.1'];

interface Case {
  readonly it: string;
  readonly config: HostEndpointConfig;
  /** Name, interface, addresses, and labels but for the one that says who made it. */
  readonly want: readonly (readonly [string, string | undefined, readonly string[], object])[];
}

const cases: readonly Case[] = [
  { it: 'makes none where it is not asked to', config: { autoCreate: 'Disabled' }, want: [] },
  {
    it: 'makes one for all interfaces of each node, with all addresses of it',
    config: { autoCreate: 'Enabled' },
    want: [
      ['a1-auto-hep', '*', ALL, { zone: 'a' }],
      ['b1-auto-hep', '*', ['10.9.0.2'], { zone: 'b' }],
    ],
  },
  {
    it: 'makes one of a template for the addresses in its prefixes, on nodes that it selects',
    config: {
      autoCreate: 'Enabled',
      createDefaultHostEndpoint: 'Disabled',
      templates: [
        {
          generateName: 'storage',
          interfaceCIDRs: ['10.9.1.0/24', '10.9.2.0/24'],
          labels: { role: 'storage', zone: 'x' },
        },
        { generateName: 'zone-b', interfaceCIDRs: ['10.9.0.0/24'], nodeSelector: "zone == 'b'" },
      ],
    },
    want: [
      ['a1-storage-auto-hep', undefined, ['10.9.1.1', '10.9.2.1'], { role: 'storage', zone: 'x' }],
      ['b1-zone-b-auto-hep', undefined, ['10.9.0.2'], { zone: 'b' }],
    ],
  },
  {
    it: 'makes one of a template for each interface that its pattern matches',
    config: {
      autoCreate: 'Enabled',
      createDefaultHostEndpoint: 'Disabled',
      templates: [{ generateName: 'nic', interfacePattern: '^eth' }],
    },
    want: [['a1-nic-eth1-auto-hep', 'eth1', ['10.9.1.1', '10.9.2.1'], { zone: 'a' }]],
  },
];

describe('host endpoints that are made of themselves', () => {
  for (const each of cases)
    it(each.it, () => {
      const { endpoints, problems } = wantedHostEndpoints(each.config, [A1, B1]);
      expect(problems).to.deep.equal([]);
      const made = endpoints.map(({ metadata, spec }) => {
        const { 'projectcalico.org/created-by': creator, ...labels } = metadata.labels ?? {};
        expect(creator).to.equal('calico-kube-controllers');
        expect(spec.profiles).to.deep.equal(['projectcalico-default-allow']);
        return [metadata.name, spec.interfaceName, spec.expectedIPs, labels];
      });
      expect(made).to.deep.equal(each.want);
      for (const endpoint of endpoints) expect(validate(endpoint)).to.have.property('ok', true);
    });

  it('hashes a name that is too long for one', () => {
    const long = node('n'.repeat(250), {}, {});
    const [made] = wantedHostEndpoints({ autoCreate: 'Enabled' }, [long]).endpoints;
    expect(made?.metadata.name).to.match(/^[a-z0-9]{40,43}-auto-hep$/);
  });

  it('makes nothing of a template that cannot be read, says why, and goes on with the others', () => {
    const { endpoints, problems } = wantedHostEndpoints(
      {
        autoCreate: 'Enabled',
        templates: [
          { generateName: 'x', interfacePattern: '(' },
          { generateName: 'y', nodeSelector: '((' },
          { interfaceCIDRs: ['10.0.0.0/8'] },
        ],
      },
      [B1],
    );
    expect(endpoints.map(({ metadata }) => metadata.name)).to.deep.equal(['b1-auto-hep']);
    expect(problems.map(({ field }) => field)).to.deep.equal([
      'spec.controllers.node.hostEndpoint.templates[0].interfacePattern',
      'spec.controllers.node.hostEndpoint.templates[1].nodeSelector',
      'spec.controllers.node.hostEndpoint.templates[2].generateName',
    ]);
  });
});

function node(name: string, labels: Record<string, string>, spec: object): Node {
  return { apiVersion: 'projectcalico.org/v3', kind: 'Node', metadata: { name, labels }, spec };
}
