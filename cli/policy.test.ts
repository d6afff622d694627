/** explain packet and policy matrix, as a user types them. */
import { expect } from 'chai';
import { type CommandLine, commandLine } from './testing.ts';

function workload(pod: string, index: number): string {
  return `apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: { name: a1-k8s-${pod}-eth0, namespace: shop, labels: { role: ${pod} } }
spec:
  orchestrator: k8s
  node: a1
  pod: ${pod}
  endpoint: eth0
  interfaceName: cali${index}
  ipNetworks: [10.0.0.${index}/32, "fd00::${index}/128"]
  profiles: [kns.shop]
`;
}

const NAMESPACE = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
`;

const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { role: db } }
  ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.1/32 } }], ports: [{ port: 5432 }] }]
`;

describe('poplin explain packet and policy matrix', () => {
  let poplin: CommandLine;
  beforeEach(async () => {
    poplin = commandLine();
    const manifest = [NAMESPACE, workload('web', 1), workload('db', 2), POLICY].join('---\n');
    expect((await poplin('apply -f -', manifest)).code).to.equal(0);
  });

  it('names what was asked in order, marks what decided, and fails where one family is stopped', async () => {
    const { code, out } = await poplin('explain packet --from shop/web --to shop/db --port 5432');
    expect(code).to.equal(1);
    expect(out).to.contain('IPv4 10.0.0.1 -> 10.0.0.2: allowed');
    expect(out).to.contain('=> KubernetesNetworkPolicy/shop/db spec.ingress[0]: Allow');
    expect(out).to.contain('IPv6 fd00::1 -> fd00::2: stopped');
    expect(out).to.contain(
      '   KubernetesNetworkPolicy/shop/db: no match\n  => Tier/default spec.defaultAction: Deny',
    );
  });

  it('knows addresses: those of workloads, and those of nobody', async () => {
    const own = await poplin('explain packet --from 10.0.0.1 --to 10.0.0.2 --port 5432');
    expect([own.code, own.out.match(/allowed/g)?.length]).to.deep.equal([0, 3]);
    const outside = await poplin('explain packet --from 192.0.2.7 --to shop/db --port 5432 -o json');
    expect(outside.code).to.equal(1);
    expect(JSON.parse(outside.out)).to.have.nested.property('[0].allowed', false);
  });

  it('says what it was not given', async () => {
    expect((await poplin('explain packet --from shop/web')).err).to.contain('give both --from and --to');
    expect((await poplin('explain packet --from shop/none --to shop/db')).err).to.contain(
      'no workload shop/none',
    );
    expect((await poplin('explain packet --from shop/web --to shop/db --protocol x')).err).to.contain(
      'x is not a protocol',
    );
  });

  it('draws a namespace', async () => {
    expect((await poplin('policy matrix -n shop --port 5432')).out).to.equal(
      'FROM \\ TO  shop/db  shop/web\nshop/db    -        yes\nshop/web   IPv4     -\n',
    );
    expect((await poplin('policy matrix -n empty')).out).to.equal('no workloads in namespace empty\n');
  });
});
