/** explain packet, where the packet goes to a service. */
import { expect } from 'chai';
import { type CommandLine, commandLine } from './testing.ts';

function manifest(apiVersion: string, kind: string, metadata: object, rest: object): string {
  return JSON.stringify({ apiVersion, kind, metadata, ...rest });
}

function workload(pod: string, index: number): string {
  return manifest(
    'projectcalico.org/v3',
    'WorkloadEndpoint',
    { name: `a1-k8s-${pod}-eth0`, namespace: 'shop', labels: { role: pod } },
    {
      spec: {
        orchestrator: 'k8s',
        node: 'a1',
        pod,
        endpoint: 'eth0',
        interfaceName: `cali${index}`,
        ipNetworks: [`10.0.0.${index}/32`, `fd00::${index}/128`],
        profiles: ['kns.shop'],
      },
    },
  );
}

function slice(version: 4 | 6, endpoints: readonly object[]): string {
  return manifest(
    'discovery.k8s.io/v1',
    'EndpointSlice',
    { name: `api-${version}`, namespace: 'shop', labels: { 'kubernetes.io/service-name': 'api' } },
    {
      addressType: `IPv${version}`,
      endpoints,
      ports: [
        { name: 'sql', protocol: 'TCP', port: 5432 },
        { name: 'dns', protocol: 'UDP', port: 5353 },
      ],
    },
  );
}

const ENDPOINTS = [
  slice(4, [
    { addresses: ['10.0.0.2'], nodeName: 'a1' },
    { addresses: ['198.51.100.9'], nodeName: 'b1' },
    { addresses: ['10.0.0.1'], nodeName: 'b1', conditions: { ready: false } },
  ]),
  slice(6, [{ addresses: ['fd00::2'], nodeName: 'a1' }]),
];
const NOBODY = [slice(4, []), slice(6, [])];

function service(spec: object): string {
  return manifest(
    'v1',
    'Service',
    { name: 'api', namespace: 'shop' },
    {
      spec: {
        clusterIP: '10.96.0.10',
        clusterIPs: ['10.96.0.10', 'fd96::10'],
        externalIPs: ['203.0.113.5'],
        ports: [
          { name: 'sql', port: 80, nodePort: 30_080 },
          { name: 'dns', protocol: 'UDP', port: 53, nodePort: 30_053 },
        ],
        ...spec,
      },
    },
  );
}

const SURROUNDINGS = [
  manifest('v1', 'Namespace', { name: 'shop' }, {}),
  manifest(
    'projectcalico.org/v3',
    'Node',
    { name: 'a1' },
    { spec: { bgp: { ipv4Address: '192.0.2.1/24' } } },
  ),
  workload('web', 1),
  workload('db', 2),
  manifest(
    'networking.k8s.io/v1',
    'NetworkPolicy',
    { name: 'db', namespace: 'shop' },
    {
      spec: {
        podSelector: { matchLabels: { role: 'db' } },
        ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.1/32' } }], ports: [{ port: 5432 }] }],
      },
    },
  ),
];

/** What goes where, by the titles. */
function ways(out: string): readonly string[] {
  return out.match(/^IPv[46] .*$/gm) ?? [];
}

describe('poplin explain packet to a service', () => {
  let poplin: CommandLine;
  beforeEach(() => {
    poplin = commandLine();
  });

  async function put(spec: object = {}, endpoints = ENDPOINTS): Promise<void> {
    const resources = [...SURROUNDINGS, service(spec), ...endpoints].join('\n---\n');
    expect((await poplin('apply -f -', resources)).code).to.equal(0);
  }

  /** To a packet from outside. */
  async function saysOf(to: string, ...more: readonly string[]): Promise<string> {
    return (await poplin(`explain packet --from 192.0.2.77 --to ${to} --kernel skip ${more.join(' ')}`)).out;
  }

  it('judges each endpoint that is ready, at its own port', async () => {
    await put();
    const asked = await poplin('explain packet --from shop/web --to svc:shop/api --port 80 --kernel skip');
    expect([asked.code, asked.err]).to.deep.equal([1, '']);
    expect(asked.out.split('\n')[0]).to.equal(
      'Service shop/api, ClusterIP 10.96.0.10, fd96::10, TCP 80: kube-proxy sends it on to one of 3, 2 of which policy allows',
    );
    expect(ways(asked.out)).to.deep.equal([
      'IPv4 10.0.0.1 -> 10.96.0.10:80, sent on to 10.0.0.2:5432: allowed',
      'IPv4 10.0.0.1 -> 10.96.0.10:80, sent on to 198.51.100.9:5432: allowed',
      'IPv6 fd00::1 -> [fd96::10]:80, sent on to [fd00::2]:5432: stopped',
    ]);
    expect(asked.out).to.contain('ingress of shop/db: allowed').and.contain('no workload, no policy');
  });

  it('knows it by its ClusterIP, an external address, and a node and a NodePort', async () => {
    await put();
    expect(await saysOf('10.96.0.10', '--port 80')).to.match(
      /^Service shop\/api, ClusterIP 10.96.0.10, TCP 80/,
    );
    expect(await saysOf('10.96.0.10', '--protocol udp')).to.match(/^Service shop\/api.*UDP 53(.|\n)*:5353/);
    expect(await saysOf('203.0.113.5', '--port 80')).to.match(
      /^Service shop\/api, external address 203.0.113.5/,
    );
    const node = await saysOf('192.0.2.1', '--port 30080');
    expect(node).to.match(/^Service shop\/api, NodePort 192.0.2.1, TCP 30080/);
    expect(node).to.contain('note: where the endpoint is on another node');
    // Another port of the node is the node's own.
    expect(await saysOf('192.0.2.1', '--port 30081')).not.to.contain('Service');
    const json = JSON.parse(await saysOf('10.96.0.10', '--port 80', '-o json')) as readonly object[];
    expect(json[0]).to.deep.include({
      to: 'shop/db',
      destination: '10.0.0.2',
      service: { name: 'shop/api', by: 'ClusterIP', address: '10.96.0.10', port: 80 },
    });
  });

  it('keeps to the node where the service does', async () => {
    await put({ externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' });
    const inside = await poplin('explain packet --from shop/web --to 10.96.0.10 --port 80 --kernel skip');
    expect(ways(inside.out).map((each) => each.split('sent on to ')[1])).to.deep.equal([
      '10.0.0.2:5432: allowed',
    ]);
    expect(inside.out).to.contain('note: internalTrafficPolicy is Local: only endpoints on a1 are chosen');
    const node = await poplin('explain packet --from 192.0.2.77 --to 192.0.2.1 --port 30080 --kernel skip');
    expect(ways(node.out)).to.have.length(1);
    expect(node.out).to.contain('externalTrafficPolicy is Local');
  });

  it('says when nobody is there, and what it was not told', async () => {
    await put({}, NOBODY);
    const none = await poplin('explain packet --from shop/web --to svc:shop/api --port 80 --kernel skip');
    expect([none.code, none.out]).to.deep.equal([
      1,
      'Service shop/api, ClusterIP 10.96.0.10, fd96::10, TCP 80: no endpoint is ready, so kube-proxy refuses it\n',
    ]);
    const err = async (to: string): Promise<string> =>
      (await poplin(`explain packet --from shop/web --to ${to} --kernel skip`)).err;
    expect(await err('svc:shop/none --port 80')).to.contain('there is no service shop/none');
    expect(await err('svc:shop/api --port 81')).to.contain('shop/api serves 80/tcp, 53/udp');
    await put({ clusterIP: 'None', clusterIPs: ['None'] });
    expect(await err('svc:shop/api --port 80')).to.contain('has no ClusterIP');
  });
});
