/** explain packet and policy matrix, as a user types them. */
import { join } from 'node:path';
import { expect } from 'chai';
import { openStore } from '../datastore/index.ts';
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

function staged(name: string, spec: string): string {
  return `apiVersion: projectcalico.org/v3\nkind: StagedNetworkPolicy\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}\n`;
}

function lines(text: string): readonly string[] {
  return text.replaceAll(/ +/g, ' ').split('\n');
}

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

  it('tells one who forgot the namespace where a pod of that name is', async () => {
    expect(await poplin('explain packet --from web --to shop/db')).to.deep.include({ code: 2, out: '' });
    expect((await poplin('explain packet --from web --to shop/db')).err).to.contain(
      'there is no workload web: give shop/web',
    );
    expect((await poplin('explain packet --from shop/nobody --to shop/db')).err).to.contain(
      'there is no workload shop/nobody: give NAMESPACE/POD, or an address',
    );
  });

  it('takes a floating IP for the workload behind it', async () => {
    const floating = workload('mail', 3).replace(
      'profiles:',
      'ipNATs: [{ internalIP: 10.0.0.3, externalIP: 198.51.100.3 }]\n  profiles:',
    );
    expect((await poplin('apply -f -', floating)).err).to.equal('');
    const { out } = await poplin('explain packet --from 192.0.2.7 --to 198.51.100.3 --port 25 --kernel skip');
    expect(out).to.contain('IPv4 192.0.2.7 -> 10.0.0.3: allowed');
    expect(out).to.contain('ingress of 198.51.100.3, floating IP of shop/mail: allowed');
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

  it('says what staged policies would make of it, and lets them decide nothing', async () => {
    const stop = staged('stop-web', "{selector: role == 'web', types: [Egress], egress: [{action: Deny}]}");
    expect((await poplin('apply -f -', stop)).code).to.equal(0);
    const question = 'explain packet --from 10.0.0.1 --to 10.0.0.2 --port 5432';
    const asked = await poplin(question);
    expect(asked.code).to.equal(0);
    expect(asked.out).to.contain('staged policies in force: would be stopped');
    expect(asked.out).to.contain('=> StagedNetworkPolicy/shop/stop-web spec.egress[0]: Deny');
    // One that is told to be ignored, and one of which nothing asks here.
    const ignored = staged('stop-web', "{stagedAction: Ignore, selector: role == 'web', types: [Egress]}");
    const other = staged('other', "{selector: role == 'none', ingress: [{action: Deny}]}");
    expect((await poplin('apply -f -', `${ignored}---\n${other}`)).code).to.equal(0);
    expect((await poplin(question)).out).not.to.contain('staged');
  });

  it('reads a policy that another tool wrote wrong as felix-lite does: it closes whom it is for', async () => {
    const store = await openStore(join(poplin.folder, 'datastore.db'));
    const key = { kind: 'NetworkPolicy', scope: 'shop', name: 'broken' };
    const value = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'NetworkPolicy',
      metadata: { name: 'broken', namespace: 'shop' },
      spec: { selector: "role == 'web'", order: 1, ingress: [{ action: 'Allow', protocol: 'TPC' }] },
    };
    expect((await store.commit([{ type: 'put', key, value, expect: 'absent' }])).ok).to.equal(true);
    await store.close();
    const { code, out } = await poplin('explain packet --from 192.0.2.7 --to 10.0.0.1 --port 80');
    expect(code).to.equal(1);
    expect(out).to.contain('=> NetworkPolicy/shop/broken spec.ingress[0]: Deny');
    expect((await poplin('explain packet --from 192.0.2.7 --to 10.0.0.2 --port 80')).out).not.to.contain(
      'broken',
    );
  });

  it('previews a change, writes nothing, and checks as ever', async () => {
    const open = `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: { name: open-db, namespace: shop }
spec: { selector: role == 'db', ingress: [{ action: Allow, protocol: TCP, destination: { ports: [22] } }] }
`;
    const shown = await poplin('apply --preview -f -', open);
    expect([shown.code, shown.err]).to.deep.equal([0, '']);
    expect(shown.out).to.contain(
      "Preview of 1 'NetworkPolicy' resource(s): 1 would be created. Nothing was written.",
    );
    expect(shown.out.replaceAll(/ +/g, ' ')).to.match(/^opens shop\/web, .* shop\/db TCP 22$/m);
    expect((await poplin('get policy open-db -n shop')).code).to.equal(1);
    const wrong = await poplin('apply --preview -f -', open.replace('TCP', 'TPC'));
    expect(wrong.code).to.equal(1);
    const unknown = await poplin('apply --preview -f -', open.replace('spec: {', 'spec: { tier: none,'));
    expect([unknown.code, unknown.err]).to.satisfy(
      ([code, err]: [number, string]) => code === 1 && err.includes('none'),
    );
    // What is there is taken away in thought.
    expect((await poplin('apply -f -', open)).code).to.equal(0);
    const gone = await poplin('delete --preview policy open-db -n shop -o json');
    expect(JSON.parse(gone.out)).to.have.nested.property('flows[0].change', 'closes');
    expect((await poplin('get policy open-db -n shop')).code).to.equal(0);
  });

  it('previews what a host endpoint and its policies would do, ports that the configuration keeps open left out', async () => {
    const header = 'apiVersion: projectcalico.org/v3\nkind:';
    const guard = `${header} HostEndpoint\nmetadata: {name: a1-up}\nspec: {node: a1, interfaceName: eth0, expectedIPs: [192.0.2.1]}\n`;
    const open = `${header} FelixConfiguration\nmetadata: {name: default}\nspec: {failsafeInboundHostPorts: [{protocol: TCP, port: 2222}], failsafeOutboundHostPorts: []}\n`;
    expect((await poplin('apply -f -', open)).code).to.equal(0);
    const shown = await poplin('apply --preview -f -', guard);
    expect([shown.code, shown.err]).to.deep.equal([0, '']);
    expect(lines(shown.out)).to.include('closes any other IPv4 address host endpoint a1-up all but TCP 2222');
    expect((await poplin('apply -f -', guard)).code).to.equal(0);
    const forward = `${header} GlobalNetworkPolicy\nmetadata: {name: no-udp}\nspec: {selector: "!has(projectcalico.org/namespace)", applyOnForward: true, types: [Ingress], ingress: [{action: Deny, protocol: UDP}, {action: Allow}]}\n`;
    const changed = await poplin('apply --preview -f -', forward);
    expect(lines(changed.out)).to.include.members([
      'CHANGE FROM TO TRAFFIC WAY',
      'closes any other IPv4 address, any other IPv6 address shop/web UDP in by host endpoint a1-up',
      'opens any other IPv4 address host endpoint a1-up all but TCP 2222, UDP',
    ]);
  });

  it('previews what staged policies would do, when they come and when they lie there', async () => {
    const stop = staged('stop-web', "{selector: role == 'web', types: [Egress], egress: [{action: Deny}]}");
    const shown = await poplin('apply --preview -f -', stop);
    expect(shown.out).to.match(
      /opens or closes\.\n\nIf StagedNetworkPolicy\/shop\/stop-web were enforced:\nCHANGE/,
    );
    expect((await poplin('apply -f -', stop)).code).to.equal(0);
    const one = await poplin('policy preview stop-web -n shop');
    expect(one.out.replaceAll(/ +/g, ' ')).to.match(/^closes shop\/web shop\/db TCP 5432 \(IPv4\)$/m);
    expect(one.out).to.contain('shop/db');
    expect((await poplin('policy preview --all')).out).to.equal(one.out);
    expect((await poplin('policy preview none')).code).to.equal(2);
    expect((await poplin('policy preview')).code).to.equal(2);
  });

  it('draws a namespace', async () => {
    expect((await poplin('policy matrix -n shop --port 5432')).out).to.equal(
      'FROM \\ TO  shop/db  shop/web\nshop/db    -        yes\nshop/web   IPv4     -\n',
    );
    const all = await poplin('policy matrix -n shop');
    expect(all.out.replaceAll(/ {2,}/g, '  ')).to.equal(
      'FROM \\ TO  shop/db  shop/web\nshop/db  -  all traffic\nshop/web  TCP 5432 (IPv4)  -\n',
    );
    expect(JSON.parse((await poplin('policy matrix -n shop -o json')).out)).to.deep.equal([
      { from: 'shop/db', to: { 'shop/web': ['all traffic'] } },
      { from: 'shop/web', to: { 'shop/db': ['TCP 5432 (IPv4)'] } },
    ]);
    expect((await poplin('policy matrix -n shop --protocol udp')).out).to.contain('shop/web   no ');
    expect((await poplin('policy matrix -n empty')).out).to.equal('no workloads in namespace empty\n');
  });
});
