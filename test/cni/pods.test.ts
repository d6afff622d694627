/** Pods whose objects are known: labels, ports, accounts and annotations end where Calico's plugin puts them. */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { pool } from './runtime.ts';
import { CniWorld } from './world.ts';

const CNI = 'cni.projectcalico.org/';

describeOnKernel('CNI: pods and their annotations', function () {
  this.timeout(120_000);
  const world = new CniWorld();

  const pod = (annotations: Readonly<Record<string, string>> = {}) =>
    world.node.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-0', namespace: 'shop', labels: { role: 'web' }, annotations },
      spec: {
        nodeName: 'n1',
        serviceAccountName: 'seller',
        containers: [{ ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] }],
      },
    });

  it('takes labels, named ports, profiles and rates of the pod into its endpoint', async () => {
    await pod({ 'qos.projectcalico.org/ingressBandwidth': '10M' });
    await world.add();
    const [endpoint] = await world.endpoints();
    expect(endpoint?.metadata.labels).to.include({
      role: 'web',
      'projectcalico.org/serviceaccount': 'seller',
    });
    expect(endpoint?.spec).to.deep.include({
      profiles: ['kns.shop', 'ksa.shop.seller'],
      serviceAccountName: 'seller',
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    });
    expect(endpoint?.spec.qosControls).to.deep.include({ ingressBandwidth: 10_000_000 });
  });

  it('gives the address and the MAC address that the pod asks for, and outside addresses that lead to it', async () => {
    await pod({
      [`${CNI}ipAddrs`]: '["10.65.0.77"]',
      [`${CNI}hwAddr`]: '02:00:00:00:00:77',
      [`${CNI}floatingIPs`]: '["198.51.100.7"]',
      [`${CNI}allowedSourcePrefixes`]: '["203.0.113.0/24"]',
    });
    const conf = world.node.conf({ feature_control: { floating_ips: true } });
    const result = await world.add({ conf });
    expect(result.ips.map(({ address }) => address)).to.deep.equal(['10.65.0.77/32']);
    expect(result.interfaces[1]?.mac).to.equal('02:00:00:00:00:77');
    const [endpoint] = await world.endpoints();
    expect(endpoint?.spec).to.deep.include({
      ipNATs: [{ internalIP: '10.65.0.77', externalIP: '198.51.100.7' }],
      allowSpoofedSourcePrefixes: ['203.0.113.0/24'],
    });
    const refused = await world.refused(world.attach({ ifName: 'net1' }));
    expect([refused.code, refused.msg.includes('floating_ips')]).to.deep.equal([7, true]);
  });

  it('takes the pool that the namespace names, and the one that the pod names before it', async () => {
    await world.node.apply(pool('other', '10.70.0.0/24', 29), pool('third', '10.71.0.0/24', 29), {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop', annotations: { [`${CNI}ipv4pools`]: '["other"]' } },
    });
    expect((await world.add()).ips[0]?.address).to.match(/^10\.70\./);
    await world.node.call(world.attach({ command: 'DEL' }));
    await pod({ [`${CNI}ipv4pools`]: '["third"]' });
    expect((await world.add()).ips[0]?.address).to.match(/^10\.71\./);
  });

  it('takes annotations from the runtime where it has no better source', async () => {
    const annotations = { [`${CNI}ipAddrs`]: '["10.65.0.99"]' };
    const conf = world.node.conf({ runtimeConfig: { 'io.kubernetes.cri.pod-annotations': annotations } });
    expect((await world.add({ conf })).ips[0]?.address).to.equal('10.65.0.99/32');
  });

  it('gives addresses past IPAM where that is allowed, checks them, and lets them go', async () => {
    await pod({ [`${CNI}ipAddrsNoIpam`]: '["192.0.2.99"]' });
    const conf = world.node.conf({ feature_control: { ip_addrs_no_ipam: true } });
    const before = await world.add({ conf });
    expect(before.ips[0]?.address).to.equal('192.0.2.99/32');
    expect(await world.addressesHeld()).to.deep.equal([]);
    const check = await world.node.call(
      world.attach({ command: 'CHECK', conf: { ...conf, prevResult: before } }),
    );
    expect(check.stdout).to.equal('');
    expect((await world.node.call(world.attach({ command: 'DEL', conf }))).exitCode).to.equal(0);
    await world.expectNothingLeft();
  });

  it('refuses a configuration that was made for another node', async () => {
    const refused = await world.refused(world.attach({ conf: world.node.conf({ nodename: 'n2' }) }));
    expect([refused.code, refused.msg.includes('n2')]).to.deep.equal([7, true]);
  });
});
