/**
 * Pods of a real API server, by the account that `deploy/` gives a node: what their annotations ask for, what is written back
 * to them, and what stays when they go.
 */
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrap } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { PendingDeletions } from '../../cni-plugin/pending.ts';
import type { CniResponse } from '../../cni-plugin/protocol.ts';
import { silent } from '../../daemon/log.ts';
import { openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import { Ipam } from '../../ipam/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { EndpointStatusFolder } from '../../node/cni/endpoint-status.ts';
import { UplinkMtu } from '../../node/cni/mtu.ts';
import type { CniPorts } from '../../node/cni/ports.ts';
import { CniServer } from '../../node/cni/server.ts';
import { closeHost, type Host, openHost } from '../../node/cni/wiring.ts';
import { Inventory } from '../../node/inventory.ts';
import { withKubeServer } from '../kubernetes/suite.ts';
import { pool } from './runtime.ts';
import type { Result } from './world.ts';

const CNI = 'cni.projectcalico.org/';
const NODE = `cni-${process.pid}`;
const SPACE = `cni-${process.pid}`;
const PODS = `/api/v1/namespaces/${SPACE}/pods`;
const CONTAINER = '4f1c'.padEnd(64, '0');

describeOnKernel('CNI on Kubernetes', function () {
  this.timeout(120_000);
  const kube = withKubeServer({ own: true });
  const hostSpace = freshNamespace();
  const podSpace = freshNamespace();
  const clock = new SystemClock();
  let store: Store;
  let client: ResourceClient;
  let inventory: Inventory;
  let host: Host;
  let server: CniServer;
  let ipam: Ipam;
  let runDir: string;

  beforeEach(async () => {
    await create('/api/v1/nodes', { metadata: { name: NODE } });
    await create('/api/v1/namespaces', {
      metadata: { name: SPACE, annotations: { [`${CNI}ipv4pools`]: '["of-the-namespace"]' } },
    });
    const admin = await openStore(kube().location('admin'));
    for (const one of [
      pool('usual', '10.75.0.0/24', 29),
      pool('of-the-namespace', '10.76.0.0/24', 29),
      pool('of-the-pod', '10.77.0.0/24', 29),
    ])
      unwrap(await new ResourceClient(admin, clock).apply(one));
    await admin.close();

    runDir = mkdtempSync(join(tmpdir(), 'poplin-cni-kube-'));
    store = await openStore(kube().location('poplin-node'));
    client = new ResourceClient(store, clock);
    inventory = new Inventory(NODE, store, clock, silent);
    await inventory.start();
    host = openHost(hostSpace.path());
    ipam = new Ipam(store, clock, Math.random);
    const ports: CniPorts = {
      node: NODE,
      client,
      ipam,
      inventory,
      host,
      mtu: new UplinkMtu(host.netlink, clock),
      status: new EndpointStatusFolder(runDir, clock),
      clock,
      log: silent,
      policyWait: 0,
    };
    server = new CniServer({
      clock,
      ports: () => ports,
      pending: new PendingDeletions(runDir),
      unreadiness: () => Promise.resolve([]),
    });
  });
  afterEach(async () => {
    await inventory.stop();
    closeHost(host);
    await store.close();
    rmSync(runDir, { recursive: true, force: true });
    await kube().ask(`${PODS}/web-0?gracePeriodSeconds=0`, { method: 'DELETE' });
  });

  async function create(path: string, body: object): Promise<void> {
    const { status, body: answer } = await kube().ask(path, { method: 'POST', body });
    // One that a test before made will do.
    if (status !== 201 && status !== 409) throw new Error(JSON.stringify(answer));
  }
  const pod = (annotations: Readonly<Record<string, string>> = {}): Promise<void> =>
    create(PODS, {
      metadata: { name: 'web-0', labels: { role: 'web' }, annotations },
      spec: {
        nodeName: NODE,
        containers: [{ name: 'c', image: 'i', ports: [{ name: 'http', containerPort: 8080 }] }],
      },
    });
  const annotations = async (): Promise<Readonly<Record<string, string>>> => {
    const { body } = await kube().ask(`${PODS}/web-0`);
    return (body as { metadata: { annotations?: Record<string, string> } }).metadata.annotations ?? {};
  };
  const call = (command: string, conf: object = {}): Promise<CniResponse> =>
    server.handle({
      command,
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: CONTAINER,
        CNI_NETNS: podSpace.path(),
        CNI_IFNAME: 'eth0',
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${SPACE};K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=${CONTAINER}`,
      },
      stdin: JSON.stringify({ cniVersion: '1.1.0', name: 'net', policy: { type: 'k8s' }, ...conf }),
    });
  const add = async (conf: object = {}): Promise<Result> => {
    const { exitCode, output } = await call('ADD', conf);
    expect(exitCode, JSON.stringify(output)).to.equal(0);
    return output as unknown as Result;
  };
  const held = async (): Promise<string[]> =>
    (await ipam.blocks()).flatMap(({ allocations }) => allocations.map(({ address }) => address.toString()));
  async function goes(): Promise<void> {
    expect(await call('DEL')).to.deep.equal({ exitCode: 0, output: null });
    expect(await call('DEL')).to.deep.equal({ exitCode: 0, output: null });
    expect(await held()).to.deep.equal([]);
    expect(await hostSpace.ip('-br', 'link', 'show', 'type', 'veth')).to.equal('');
  }

  it('gives a pod an address of the pool that its namespace names, and writes it to the pod', async () => {
    await pod();
    const result = await add();
    const address = result.ips[0]?.address ?? '';
    expect(address).to.match(/^10\.76\./);
    expect(await annotations()).to.include({ [`${CNI}podIP`]: address, [`${CNI}containerID`]: CONTAINER });
    const [endpoint] = unwrap(await client.list('WorkloadEndpoint')).filter(({ spec }) => spec.node === NODE);
    expect(endpoint?.metadata.labels).to.include({ role: 'web' });
    expect(endpoint?.spec).to.deep.include({
      ipNetworks: [address],
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    });
    expect(await call('CHECK', { prevResult: result })).to.deep.equal({ exitCode: 0, output: null });
    await goes();
    expect(await annotations()).to.include({ [`${CNI}podIP`]: '' });
  });

  it('gives what the pod asks for before what its namespace does', async () => {
    await pod({
      [`${CNI}ipv4pools`]: '["of-the-pod"]',
      [`${CNI}hwAddr`]: '02:00:00:00:00:77',
      'qos.projectcalico.org/ingressBandwidth': '1M',
    });
    const { ips, interfaces } = await add();
    expect(ips[0]?.address).to.match(/^10\.77\./);
    expect(interfaces[1]?.mac).to.equal('02:00:00:00:00:77');
    expect(await hostSpace.ip('-details', 'link', 'show', 'type', 'veth')).to.contain('qdisc tbf');
    await goes();
  });

  it('gives particular addresses, outside addresses that lead there, and other sources', async () => {
    await pod({
      [`${CNI}ipAddrs`]: '["10.75.0.77"]',
      [`${CNI}floatingIPs`]: '["198.51.100.7"]',
      [`${CNI}allowedSourcePrefixes`]: '["203.0.113.0/24"]',
    });
    await add({ feature_control: { floating_ips: true } });
    const [endpoint] = unwrap(await client.list('WorkloadEndpoint')).filter(({ spec }) => spec.node === NODE);
    expect(endpoint?.spec).to.deep.include({
      ipNetworks: ['10.75.0.77/32'],
      ipNATs: [{ internalIP: '10.75.0.77', externalIP: '198.51.100.7' }],
      allowSpoofedSourcePrefixes: ['203.0.113.0/24'],
    });
    expect(await held()).to.deep.equal(['10.75.0.77']);
    await goes();
  });

  it('lets a pod go whose object is gone', async () => {
    await pod();
    await add();
    await kube().ask(`${PODS}/web-0?gracePeriodSeconds=0`, { method: 'DELETE' });
    await goes();
  });
});
